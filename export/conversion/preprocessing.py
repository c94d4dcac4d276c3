"""Measure which scale of pixels, and which order of labels, makes a model name photographs right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..serving import InputRule, decoded
from ..training.dataset import Dataset, Photo
from .labels import Labels, Order
from .scale import SCALES, Scale
from .tflite_model import ImageModel

MOST_PHOTOS = 240

Choice = tuple[Scale, Labels]


class ChoiceError(ExportError):
    """Report photographs that contradict the given choice, or do not decide. The message has the figures."""


def spread(photos: Sequence[Photo], most: int) -> list[Photo]:
    """Return at most `most` of the photographs, evenly over the classes that they are sorted by."""
    return [photos[index] for index in np.linspace(0, len(photos) - 1, min(most, len(photos))).astype(int)]


def _options(choice: Choice) -> str:
    """Return the command-line options for a choice."""
    scale, labels = choice
    return f"--scale {scale}" + (f" --label-order {labels.order}" if labels.order else "")


def _clearly_better(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Return whether `one` is right more often than `other`, at a significance of 1 in 40."""
    gains, losses = int((one & ~other).sum()), int((other & ~one).sum())
    return gains - losses > 2 * np.sqrt(gains + losses)


def choose(
    model: ImageModel,
    scale: Scale | None,
    order: Order | None,
    orders: Sequence[Labels],
    data: Dataset,
    rule: InputRule,
) -> Choice:
    """Return the scale and the order of labels under which `model` names photographs of `data.valid` right.

    `scale` and `order` are those given or seen, if any; the others are measured beside them all the same. `data` has
    its labels in the first of the orders. Raise `ChoiceError` if another choice is clearly better than the given one,
    if none is clearly the best, or if the best is no better than chance.
    """
    photos = spread(data.valid, MOST_PHOTOS)
    pixels = np.stack(list(decoded([photo.path for photo in photos], rule)))
    right: dict[Choice, NDArray[np.bool_]] = {}
    for tried in SCALES:
        answers = model.confidences(pixels, tried, f"as {tried}").argmax(axis=1)
        for labels in orders:
            truth = [labels.names.index(orders[0].names[photo.label]) for photo in photos]
            right[tried, labels] = answers == truth
    table = "\n".join(f"  {_options(choice)}: {hits.mean() * 100:.1f} %" for choice, hits in right.items())
    measured = f"Of {len(photos)} photographs the model names right, with\n{table}\n"
    said = [choice for choice in right if scale in (None, choice[0]) and order in (None, choice[1].order)]
    best = max(right, key=lambda choice: right[choice].mean())
    chosen = max(said, key=lambda choice: right[choice].mean())
    if _clearly_better(right[best], right[chosen]):
        raise ChoiceError(f"{measured}{_options(chosen)} does not fit the model: give {_options(best)}")
    if any(choice != chosen and not _clearly_better(right[chosen], right[choice]) for choice in said):
        raise ChoiceError(f"{measured}That does not tell which is right: say it with --scale and --label-order")
    chance = len(photos) / model.classes
    if right[chosen].sum() <= chance + 2 * np.sqrt(chance):
        raise ChoiceError(
            f"{measured}That is no better than chance: check the order of --labels, and that --data has the classes "
            "that the model was trained on"
        )
    print(measured, end="")
    return chosen
