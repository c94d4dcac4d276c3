"""The serving path, borrowed from `function/`: the export measures with the code that is deployed, never with its own."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .dataset import Photo

FUNCTION = Path(__file__).parent.parent / "function"
SERVED_MODEL = FUNCTION / "flowers" / "model" / "flowers.onnx"
sys.path.insert(0, str(FUNCTION))

from flowers.decode import decode  # noqa: E402
from flowers.model import Model  # noqa: E402
from flowers.pixel_budget import PixelBudget  # noqa: E402

MOST_PIXELS = 100_000_000


def decode_file(path: Path, model: Model) -> NDArray[np.uint8]:
    """An image file as the function shows it to `model`: uint8 [H, W, 3]. Raises what `flowers.decode.decode` raises."""
    return decode(path.read_bytes(), model.card.input_rule, MOST_PIXELS, PixelBudget(MOST_PIXELS)).pixels


def pixels_of(photos: Iterable[Photo], model: Path) -> Iterator[NDArray[np.uint8]]:
    """Each photograph as `decode_file` gives it for the model file `model`."""
    served = Model(model)
    for photo in photos:
        yield decode_file(photo.path, served)
