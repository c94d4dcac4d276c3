"""Borrow the serving path from `function/`: the export measures with the code that is deployed."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from flowers.classifier import Classifier, look
from flowers.cloud.objects import ObjectAddress, PreconditionFailedError
from flowers.errors import FlowersError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.formats import IMAGE_ENDINGS
from flowers.imaging.memory import PixelBudget
from flowers.model.outputs import fuse, margin, probabilities
from flowers.model.session import Model, ModelError
from flowers.model.species import Catalogue
from flowers.settings import BUNDLED_MODEL as SERVED_MODEL
from flowers.settings import Settings, SettingsError

__all__ = [
    "IMAGE_ENDINGS",
    "SERVED_MODEL",
    "Catalogue",
    "Classifier",
    "FlowersError",
    "InputRule",
    "Model",
    "ModelError",
    "ObjectAddress",
    "PreconditionFailedError",
    "Settings",
    "SettingsError",
    "decoded",
    "fuse",
    "logits_of",
    "margin",
    "pixels_of",
    "probabilities",
]

_DEFAULTS = Settings()


def decoded(files: Iterable[Path], rule: InputRule) -> Iterator[NDArray[np.uint8]]:
    """Yield each image file as the function decodes it by `rule`: uint8 [H, W, 3]. Raise what `decode` raises."""
    budget = PixelBudget(_DEFAULTS.pixel_budget)
    for file in files:
        yield decode(file.read_bytes(), rule, _DEFAULTS.max_image_pixels, budget).pixels


def pixels_of(files: Iterable[Path], model: Model) -> Iterator[NDArray[np.uint8]]:
    """Yield each image file as the function shows it to `model`: uint8 [H, W, 3]. Raise what `decode` raises."""
    return decoded(files, model.card.input_rule)


def logits_of(files: Sequence[Path], model: Model, task: str) -> NDArray[np.float32]:
    """Return the logits, float32 [N, C], of image files through the function's own code; `task` names the bar."""
    bar = tqdm(files, task, unit="photo", mininterval=1)
    return np.stack([look(model, pixels).logits[0] for pixels in pixels_of(bar, model)])
