"""Decode a photo as the peers do: whole, with Pillow, and its middle square at the model's size."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# `tests.bench.speed.models` fills this folder.
FORMS = Path(os.environ["BENCH_FORMS"])
LABELS: list[str] = json.loads((FORMS / "labels.json").read_text())


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return the middle 95 % of an image's square, uint8 [1, 224, 224, 3] RGB, as the flowers model expects."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(ImageOps.fit(upright, (224, 224), Image.Resampling.BICUBIC, bleed=0.025))[np.newaxis]


def pixels(data: bytes) -> NDArray[np.uint8]:
    """Return the same for the bytes of an image file."""
    return pixels_of(Image.open(io.BytesIO(data)))


def answer(logits: Any) -> dict[str, Any]:
    """Return the likeliest species of logits [1, C], and its probability."""
    exponentials = np.exp(logits[0] - np.max(logits[0]))
    best = int(np.argmax(exponentials))
    return {"species": LABELS[best], "confidence": float(exponentials[best] / exponentials.sum())}
