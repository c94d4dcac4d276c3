"""Compare served input sizes: accuracy against milliseconds."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..serving import Model, logits_of, pixels_of
from ..training.dataset import Photo

SIZES = (192, 224, 256)
TIMED_PHOTOS = 100


def _milliseconds(model: Model, photos: Sequence[Photo]) -> float:
    """Return the median milliseconds of one look, one thread."""
    seconds = []
    for pixels in pixels_of([photo.path for photo in photos[:TIMED_PHOTOS]], model):
        started = time.perf_counter()
        model.run(pixels[np.newaxis])
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


def compare_sizes(make: Callable[[int], Path], photos: Sequence[Photo], first: str, report_file: Path) -> Path:
    """Measure the model that `make` writes for each input size (pixels) on `photos` of known kinds; write JSON.

    `first` is the first collection's source; all other photographs are from elsewhere. Return `report_file`.
    """
    truth = np.array([photo.label for photo in photos])
    oxford = np.array([photo.source == first for photo in photos])
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        model = Model.load(make(size))
        right = logits_of([photo.path for photo in photos], model, f"{size} px").argmax(axis=1) == truth
        rows.append(
            {
                "size": size,
                "elsewhere": round(float(right[~oxford].mean()), 4),
                "first": round(float(right[oxford].mean()), 4),
                "milliseconds": round(_milliseconds(model, photos), 2),
            }
        )
    report_file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return report_file
