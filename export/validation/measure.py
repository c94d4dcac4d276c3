"""Measure a classifier, from its logits or probabilities and the true classes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..serving import probabilities

CALIBRATION_BINS = 15


class Bin(NamedTuple):
    """Hold predictions of similar confidence: their number, mean confidence and accuracy (0..1)."""

    size: int
    confidence: float
    accuracy: float


def top_accuracy(shares: NDArray[np.float64], truth: NDArray[np.int64], count: int = 1) -> float:
    """Return the share (0..1) of rows of `shares` [N, C] whose true class is among the `count` largest."""
    best = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    return float((best == truth[:, None]).any(axis=1).mean())


def f1_by_class(predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return F1 (0..1) of each class [C]; 0 for a class that neither occurs nor is predicted."""
    right = np.bincount(truth[predicted == truth], minlength=classes)
    occurring = np.bincount(truth, minlength=classes) + np.bincount(predicted, minlength=classes)
    scores: NDArray[np.float64] = 2 * right / np.maximum(occurring, 1)
    return scores


def reliability(shares: NDArray[np.float64], truth: NDArray[np.int64]) -> list[Bin]:
    """Group predictions by confidence, in 15 bins of equal width; empty bins are left out."""
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    index = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (index == number for number in range(CALIBRATION_BINS))
        if inside.any()
    ]


def calibration_error(bins: list[Bin]) -> float:
    """Return the expected calibration error, 0..1: the bins' gaps by their counts (C. Guo et al., ICML 2017)."""
    total = sum(bin_.size for bin_ in bins)
    return sum(bin_.size * abs(bin_.confidence - bin_.accuracy) for bin_ in bins) / total


def mixture_weights(parts: NDArray[np.str_], mixture: Mapping[str, float]) -> NDArray[np.float64]:
    """Return each photograph's weight [N], so that the parts that have photographs weigh as `mixture` says."""
    weights = np.zeros(len(parts))
    for part, share in mixture.items():
        inside = parts == part
        if inside.any():
            weights[inside] = share / inside.sum()
    return weights / weights.sum()


def fit_temperature(
    logits: NDArray[np.float32], truth: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    """Return the temperature (0.05..20) that makes `truth` [N] likeliest under `logits` [N, C]; `weights` are [N].

    The loss has one minimum over the logarithm of the temperature; golden-section search finds it to 0.1 %.
    """
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        shares = probabilities(logits, float(np.exp(log_temperature)))
        return float(-np.average(np.log(np.maximum(shares[rows, truth], 1e-12)), weights=weights))

    low, high, ratio = np.log(0.05), np.log(20.0), (np.sqrt(5) - 1) / 2
    while high - low > 1e-3:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def rejection_threshold(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64], cost: float
) -> float:
    """Return the threshold, to 4 digits, that is worth most: a right name counts 1, a wrong one -`cost`, none 0.

    It lies halfway between two confidences. The arrays are [N]; a photograph of no known kind is never `right`.
    """
    order = np.argsort(-confidence, kind="stable")
    worth = np.cumsum(np.where(right, weights, -cost * weights)[order])
    last = int(worth.argmax())
    return round(float(confidence[order][last : last + 2].mean()), 4)
