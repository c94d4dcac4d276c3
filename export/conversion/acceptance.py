"""Quantize a custom model, and accept the int8 file if its bounds hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..errors import ExportError
from ..serving import Model, logits_of, pixels_of, probabilities
from ..training.dataset import Dataset
from ..validation.measure import top_accuracy
from ..validation.verify import Bound, compare_quantized, require
from .metadata import read_metadata, save, write_metadata
from .preprocessing import spread
from .quantize import quantize

MAX_COMPARED = 500
MIN_TO_JUDGE_INT8 = 100


def quantized_if_good(float_file: Path, data: Dataset | None) -> tuple[Path, dict[str, Any]]:
    """Return the file to serve, and figures: `why` it is served, and the `int8_bounds` that were tested."""
    figures: dict[str, Any] = {"int8_bounds": []}
    if data is None:
        why = "there are no photographs (--data) to calibrate int8 with, or the model is in integers already"
        return float_file, {**figures, "served": "float", "why": f"served in float: {why}"}
    int8_file = float_file.with_name("int8.onnx")
    photos = spread(data.valid, MAX_COMPARED)
    truth = np.array([photo.label for photo in photos], np.int64)
    logits = logits_of([photo.path for photo in photos], Model.load(float_file), "valid")
    enough = Bound("photos compared", len(photos), least=MIN_TO_JUDGE_INT8)
    try:
        if not enough.holds:
            raise ExportError(str(enough))
        _quantize(float_file, int8_file, data)
        pixels = np.stack(list(pixels_of([photo.path for photo in photos], Model.load(float_file))))
        bounds, measured = compare_quantized(float_file, int8_file, pixels, truth)
        figures |= {"int8_bounds": [enough, *bounds], **measured}
        require(bounds)
        served, kind, why = int8_file, "int8", "served in int8: all its bounds hold"
    except ExportError as error:
        served, kind, why = float_file, "float", f"served in float, for int8 is not good enough or not proven: {error}"
    if kind == "int8":
        logits = logits_of([photo.path for photo in photos], Model.load(int8_file), "valid")
    top1 = round(top_accuracy(probabilities(logits, 1.0), truth), 4)
    proto = onnx.load(served)
    card = read_metadata(proto)
    accuracy = {"split": "valid", "photos": len(photos), "top1": top1}
    write_metadata(proto, replace(card, accuracy=accuracy))
    delivered = served.with_name("served.onnx")
    save(proto, delivered)
    return delivered, {
        **figures,
        "served": kind,
        "why": f"{why}\ntop-1 {top1 * 100:.1f} % of {len(photos)} photographs",
    }


def _quantize(float_file: Path, int8_file: Path, data: Dataset) -> None:
    """Quantize with the training photographs. Raise `ExportError` for any error of onnxruntime."""
    try:
        quantize(float_file, int8_file, [photo.path for photo in data.train])
    except ExportError:
        raise
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise ExportError(f"onnxruntime cannot quantize this model: {error}") from error
