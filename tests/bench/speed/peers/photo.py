"""What the peers do with a photograph: Pillow's ordinary decode, whole, and the middle square as the model wants it."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# The folder that `tests.bench.speed.models` fills.
FORMS = Path(os.environ["BENCH_FORMS"])
LABELS: list[str] = json.loads((FORMS / "labels.json").read_text())


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """The middle 95 % of a picture's square, uint8 [1, 224, 224, 3] RGB: the rule of the flowers model."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(ImageOps.fit(upright, (224, 224), Image.Resampling.BICUBIC, bleed=0.025))[np.newaxis]


def pixels(data: bytes) -> NDArray[np.uint8]:
    """The same of an image file's bytes."""
    return pixels_of(Image.open(io.BytesIO(data)))


def answer(logits: Any) -> dict[str, Any]:
    """The likeliest species of logits [1, C], and its probability."""
    exponentials = np.exp(logits[0] - np.max(logits[0]))
    best = int(np.argmax(exponentials))
    return {"species": LABELS[best], "confidence": float(exponentials[best] / exponentials.sum())}
