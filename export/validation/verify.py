"""Prove that nothing was lost on the way from TensorFlow to the served file."""

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..conversion.scale import Scale
from ..conversion.tflite_model import ImageModel
from ..errors import ExportError
from ..serving import Model, margin, pixels_of, probabilities
from ..training.dataset import Photo
from .emulated import logits_on_haswell
from .measure import top_accuracy

EMULATED_PHOTOS = 20
SPEED_ROUNDS = 60


class Bound(NamedTuple):
    """Hold a figure, its upper or lower bound, and what it measures."""

    name: str
    value: float
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Return whether the figure is within its bounds."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def __str__(self) -> str:
        limit = f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"
        return f"{'ok  ' if self.holds else 'FAIL'} {self.name}: {self.value:.6g} ({limit})"


class VerificationError(ExportError):
    """Report a served file that differs more from the TensorFlow model than it may."""


def _onnx_logits(model: Model, pixels: NDArray[np.uint8], task: str) -> NDArray[np.float32]:
    return np.stack(
        [model.run(image[np.newaxis]).logits[0] for image in tqdm(pixels, task, unit="photo", mininterval=1)]
    )


def _largest_difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.abs(one - other).max())


def _agreement(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def _same_best(truth: NDArray[np.float64], other: NDArray[np.float64], tolerance: float) -> float:
    """Return the share of rows whose best in `other` is the best in `truth`, or ties with it up to rounding."""
    chosen = np.take_along_axis(truth, other.argmax(axis=1)[:, None], axis=1)[:, 0]
    return float((chosen >= truth.max(axis=1) - 2 * tolerance).mean())


def _milliseconds_side_by_side(models: list[Model], image: NDArray[np.uint8]) -> list[float]:
    """Return the median milliseconds of one photo's inference in each model, one thread, the models taking turns."""
    times: list[list[float]] = [[] for _ in models]
    for _ in range(SPEED_ROUNDS):
        for model, seconds in zip(models, times, strict=True):
            started = time.perf_counter()
            model.run(image)
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) * 1000 for seconds in times]


def require(bounds: Sequence[Bound]) -> None:
    """Raise `VerificationError` naming each bound that does not hold."""
    broken = [str(bound) for bound in bounds if not bound.holds]
    if broken:
        raise VerificationError("\n".join(broken))


def drawn_pictures(size: tuple[int, int], count: int = 16) -> NDArray[np.uint8]:
    """Return pictures to compare without photographs: coloured waves and noise, uint8 [count, H, W, 3]."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[0 : size[0], 0 : size[1]][..., None] / max(size)
    waves = [
        np.sin(random.uniform(0, 20, 3) * y + random.uniform(0, 20, 3) * x + random.uniform(0, 6, 3)) * 100 + 128
        for _ in range(count)
    ]
    return np.clip(waves + random.normal(0, 20, np.shape(waves)), 0, 255).astype(np.uint8)


def compare_with_tensorflow(
    source: ImageModel, scale: Scale, float_file: Path, pixels: NDArray[np.uint8]
) -> list[Bound]:
    """Compare the float ONNX model's answers to pixels, uint8 [N, H, W, 3], with the source model's."""
    tensorflow = source.confidences(pixels, scale)
    unquantized = source.confidences_of(_onnx_logits(Model.load(float_file), pixels, "float"))
    return [
        Bound(
            "TensorFlow and float: largest probability difference",
            _largest_difference(tensorflow, unquantized),
            most=source.tolerance,
        ),
        Bound("TensorFlow and float: same top-1", _same_best(tensorflow, unquantized, source.tolerance), least=1.0),
    ]


def _unsure(model: Model, logits: NDArray[np.float32]) -> float:
    """Return the share (0..1) of photographs that get a second look, from the first look's logits [N, C]."""
    closer = model.card.closer
    return 0.0 if closer is None else float(np.mean([margin(row) < closer.margin for row in logits]))


def compare_quantized(
    float_file: Path, served_file: Path, pixels: NDArray[np.uint8], truth: NDArray[np.int64]
) -> tuple[list[Bound], dict[str, Any]]:
    """Compare int8 with float, and with int8 on an emulated processor; return bounds, and figures for the report.

    `truth` [N] are the classes of the pixels, uint8 [N, H, W, 3]. Raise `EmulatorMissingError` without qemu.
    """
    unquantized, served = Model.load(float_file), Model.load(served_file)
    float_logits = _onnx_logits(unquantized, pixels, "float")
    int8_logits = _onnx_logits(served, pixels, "int8")
    spread = np.linspace(0, len(pixels) - 1, EMULATED_PHOTOS).astype(int)
    emulated = logits_on_haswell(served_file, pixels[spread])
    temperature = served.card.temperature
    float_ms, int8_ms = _milliseconds_side_by_side([unquantized, served], pixels[:1])
    float_accuracy = top_accuracy(probabilities(float_logits, 1.0), truth)
    int8_accuracy = top_accuracy(probabilities(int8_logits, 1.0), truth)
    sizes = {"float": float_file.stat().st_size, "int8": served_file.stat().st_size}
    bounds = [
        Bound("float and int8: same top-1", _agreement(float_logits, int8_logits), least=0.98),
        Bound("float and int8: accuracy drop", float_accuracy - int8_accuracy, most=0.003),
        Bound("float and int8: size, int8 of float", sizes["int8"] / sizes["float"], most=0.4),
        Bound("native and emulated int8: photos compared", len(spread), least=20),
        Bound("native and emulated int8: same top-1", _agreement(int8_logits[spread], emulated), least=1.0),
        Bound(
            "native and emulated int8: largest probability difference",
            _largest_difference(probabilities(int8_logits[spread], temperature), probabilities(emulated, temperature)),
            most=0.02,
        ),
    ]
    return bounds, {
        "accuracy": {"split": "valid", "float": round(float_accuracy, 4), "int8": round(int8_accuracy, 4)},
        "bytes": sizes,
        "milliseconds_one_thread": {"float": round(float_ms, 2), "int8": round(int8_ms, 2)},
        "times_faster": round(float_ms / int8_ms, 2),
        "looks_per_photo": round(1 + _unsure(served, int8_logits), 3),
    }


def write_report(file: Path, bounds: Sequence[Bound], figures: dict[str, Any]) -> None:
    """Write bounds and figures as JSON."""
    report = {"bounds": [{**bound._asdict(), "holds": bound.holds} for bound in bounds], **figures}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def verify(
    source: ImageModel,
    scale: Scale,
    float_file: Path,
    served_file: Path,
    photos: Sequence[Photo],
    report_file: Path,
    least_photos: int = 500,
) -> list[Bound]:
    """Compare the source model, float ONNX and the served int8 file on `photos`, and the latter emulated.

    Write the report as JSON. Raise `VerificationError` naming each bound that does not hold, and
    `EmulatorMissingError` without qemu.
    """
    pixels = np.stack(list(pixels_of([photo.path for photo in photos], Model.load(served_file))))
    truth = np.array([photo.label for photo in photos], np.int64)
    quantized, figures = compare_quantized(float_file, served_file, pixels, truth)
    bounds = [
        Bound("photos compared", len(pixels), least=least_photos),
        *compare_with_tensorflow(source, scale, float_file, pixels),
        *quantized,
    ]
    write_report(report_file, bounds, figures)
    require(bounds)
    return bounds
