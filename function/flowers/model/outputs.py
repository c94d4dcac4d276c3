"""Turn the model's outputs into calibrated candidates and heat maps."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..documents import Heatmap
from ..imaging.crop import Box

_HEATMAP_DECIMALS = 3


class Candidate(NamedTuple):
    """Hold a class, its index among the model's labels, and the probability, 0..1, that the photo shows it."""

    class_index: int
    label: str
    confidence: float


def fuse(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Return the mean of `logits` [N, C] of N photos of one plant, divided by `temperature` (> 0): scaled logits [C].

    Their softmax is the geometric mean of the photos' probabilities.
    """
    fused: NDArray[np.float64] = logits.astype(np.float64).mean(axis=0) / temperature
    return fused


def margin(logits: NDArray[np.float32]) -> float:
    """Return by how much the largest of `logits` [C] exceeds the next; infinity for a single class."""
    if len(logits) < 2:
        return math.inf
    second, first = np.partition(logits, -2)[-2:]
    return float(first - second)


def probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return the softmax of `logits` [..., C] divided by `temperature` (> 0).

    Temperature scaling: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


def top_candidates(
    logits: NDArray[np.floating], labels: tuple[str, ...], temperature: float, count: int
) -> list[Candidate]:
    """Return the `count` best candidates for `logits` [C], best first; equals keep the labels' order."""
    shares = probabilities(logits, temperature)
    best: list[int] = (-shares).argsort(kind="stable")[:count].tolist()
    return [Candidate(index, labels[index], float(shares[index])) for index in best]


def heatmap(class_map: NDArray[np.float32], area: Box) -> Heatmap:
    """Return the document of one class's map [h, w] that covers `area` of the upright photo, in its pixels.

    0 stands for no evidence, or evidence against the class, and 1 for the strongest evidence in this map. Evidence
    against a class is left out as in Grad-CAM (R. Selvaraju et al., ICCV 2017). A class without evidence has zeros
    only.

    Class activation maps: B. Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016. They are
    exact here: the model applies its head before the pooling, so that the mean of a class's map is that class's logit.
    """
    evidence = np.maximum(class_map.astype(np.float64), 0)
    strongest = evidence.max()
    values = np.round(evidence / strongest if strongest > 0 else evidence, _HEATMAP_DECIMALS)
    height, width = values.shape
    left, top, right, bottom = (round(edge, 1) for edge in area)
    return {
        "width": width,
        "height": height,
        "values": values.ravel().tolist(),
        "area": {"left": left, "top": top, "right": right, "bottom": bottom},
    }
