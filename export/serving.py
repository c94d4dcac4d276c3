"""Borrow the serving path from `function/`: the export measures with the code that is deployed."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from backfill.local_files import LocalFiles
from flowers.classifier import Classifier, look
from flowers.cloud.clients import open_storage
from flowers.cloud.objects import (
    BUCKET_NAME,
    ObjectAddress,
    ObjectMissingError,
    ObjectStore,
    PreconditionFailedError,
    StoredObject,
)
from flowers.documents import CORRECTION_SCHEMA, MAX_COMMENT, RESULT_SCHEMA
from flowers.errors import FlowersError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import Decoded, decode
from flowers.imaging.formats import IMAGE_ENDINGS
from flowers.imaging.memory import PixelBudget
from flowers.model.outputs import fuse, margin, probabilities
from flowers.model.session import Model, ModelError
from flowers.model.species import Catalogue
from flowers.settings import BUNDLED_MODEL as SERVED_MODEL
from flowers.settings import Settings, SettingsError

__all__ = [
    "BUCKET_NAME",
    "CORRECTION_SCHEMA",
    "IMAGE_ENDINGS",
    "MAX_COMMENT",
    "RESULT_SCHEMA",
    "SERVED_MODEL",
    "Catalogue",
    "Classifier",
    "FlowersError",
    "InputRule",
    "LocalFiles",
    "Model",
    "ModelError",
    "ObjectAddress",
    "ObjectMissingError",
    "ObjectStore",
    "PreconditionFailedError",
    "Settings",
    "SettingsError",
    "StoredObject",
    "decoded",
    "fuse",
    "logits_of",
    "margin",
    "open_storage",
    "pixels_of",
    "probabilities",
    "upright_jpeg",
]

_DEFAULTS = Settings()
_JPEG_QUALITY = 95


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


def upright_jpeg(data: bytes) -> bytes:
    """Return an image file as a JPEG: itself if it is one, else as the function decodes it, at full size.

    Raise what `decode` raises.
    """
    facts = _decode(data, InputRule(1, 1, "stretch")).facts
    if facts.format == "JPEG":
        return data
    file = io.BytesIO()
    pixels = _decode(data, InputRule(facts.height or 1, facts.width or 1, "stretch")).pixels
    Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _decode(data: bytes, rule: InputRule) -> Decoded:
    return decode(data, rule, _DEFAULTS.max_image_pixels, PixelBudget(_DEFAULTS.pixel_budget))
