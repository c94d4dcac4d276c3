"""Logits to calibrated candidates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Candidate(NamedTuple):
    """A class, its place among the model's labels, and the probability, 0..1, that the photo shows it."""

    class_index: int
    label: str
    confidence: float


def probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """The softmax of `logits` [..., C] divided by `temperature` (> 0).

    Temperature scaling: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - np.maximum.reduce(scaled, axis=-1, keepdims=True))
    shares: NDArray[np.float64] = exponentials / np.add.reduce(exponentials, axis=-1, keepdims=True)
    return shares


def top_candidates(
    logits: NDArray[np.float32], labels: tuple[str, ...], temperature: float, count: int
) -> list[Candidate]:
    """The `count` best candidates for one photo's `logits` [C], best first; equals keep the labels' order."""
    shares = probabilities(logits, temperature)
    best: list[int] = (-shares).argsort(kind="stable")[:count].tolist()
    return [Candidate(index, labels[index], float(shares[index])) for index in best]
