"""The proof that nothing was lost on the way from TensorFlow to the served file."""

import json
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from .convert import serving_function
from .dataset import Dataset
from .emulated import logits_on_haswell
from .errors import ExportError
from .measure import top_accuracy
from .serving import Model, pixels_of, probabilities

EMULATED_PHOTOS = 20
SPEED_ROUNDS = 60


class Bound(NamedTuple):
    """A figure, the most or least that it may be, and what it is of."""

    name: str
    value: float
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bounds."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def __str__(self) -> str:
        limit = f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"
        return f"{'ok  ' if self.holds else 'FAIL'} {self.name}: {self.value:.6g} ({limit})"


class VerificationError(ExportError):
    """The served file differs more from the TensorFlow model than it may."""


def _tensorflow_logits(keras_file: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    serve = serving_function(keras.saving.load_model(keras_file, compile=False), pixels.shape[1:3])
    batches = tqdm(range(0, len(pixels), 16), "TensorFlow", unit="batch", mininterval=1)
    return np.concatenate([serve(tf.constant(pixels[start : start + 16]))["logits"].numpy() for start in batches])


def _onnx_logits(model: Model, pixels: NDArray[np.uint8], task: str) -> NDArray[np.float32]:
    return np.stack(
        [model.run(image[np.newaxis]).logits[0] for image in tqdm(pixels, task, unit="photo", mininterval=1)]
    )


def _largest_difference(one: NDArray[np.float32], other: NDArray[np.float32], temperature: float) -> float:
    return float(np.abs(probabilities(one, temperature) - probabilities(other, temperature)).max())


def _agreement(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def _milliseconds_side_by_side(models: list[Model], image: NDArray[np.uint8]) -> list[float]:
    """The median milliseconds of one photo's inference in each model, one thread, the models taking turns."""
    times: list[list[float]] = [[] for _ in models]
    for _ in range(SPEED_ROUNDS):
        for model, seconds in zip(models, times, strict=True):
            started = time.perf_counter()
            model.run(image)
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) * 1000 for seconds in times]


def verify(keras_file: Path, float_file: Path, served_file: Path, data: Dataset, report_file: Path) -> list[Bound]:
    """Compares TensorFlow, float ONNX and the served int8 file on `valid`, and the latter on an emulated processor.

    Writes the report as JSON. Raises `VerificationError` naming each bound that does not hold, `EmulatorMissingError`
    without qemu.
    """
    unquantized, served = Model(float_file), Model(served_file)
    temperature = served.card.temperature
    pixels = np.stack(list(pixels_of([photo.path for photo in data.valid], served)))
    truth = np.array([photo.label for photo in data.valid], np.int64)
    tensorflow = _tensorflow_logits(keras_file, pixels)
    float_logits = _onnx_logits(unquantized, pixels, "float")
    int8_logits = _onnx_logits(served, pixels, "int8")
    spread = np.linspace(0, len(pixels) - 1, EMULATED_PHOTOS).astype(int)
    emulated = logits_on_haswell(served_file, pixels[spread])
    float_ms, int8_ms = _milliseconds_side_by_side([unquantized, served], pixels[:1])
    float_accuracy = top_accuracy(probabilities(float_logits, 1.0), truth)
    int8_accuracy = top_accuracy(probabilities(int8_logits, 1.0), truth)
    bounds = [
        Bound("photos compared", len(pixels), least=500),
        Bound(
            "TensorFlow and float: largest probability difference",
            _largest_difference(tensorflow, float_logits, 1.0),
            most=1e-4,
        ),
        Bound("TensorFlow and float: same top-1", _agreement(tensorflow, float_logits), least=1.0),
        Bound("float and int8: same top-1", _agreement(float_logits, int8_logits), least=0.98),
        Bound("float and int8: accuracy drop", float_accuracy - int8_accuracy, most=0.003),
        Bound("float and int8: size, int8 of float", served_file.stat().st_size / float_file.stat().st_size, most=0.4),
        Bound("native and emulated int8: photos compared", len(spread), least=20),
        Bound("native and emulated int8: same top-1", _agreement(int8_logits[spread], emulated), least=1.0),
        Bound(
            "native and emulated int8: largest probability difference",
            _largest_difference(int8_logits[spread], emulated, temperature),
            most=0.02,
        ),
    ]
    report: dict[str, Any] = {
        "bounds": [{**bound._asdict(), "holds": bound.holds} for bound in bounds],
        "accuracy": {"split": "valid", "float": round(float_accuracy, 4), "int8": round(int8_accuracy, 4)},
        "bytes": {"float": float_file.stat().st_size, "int8": served_file.stat().st_size},
        "milliseconds_one_thread": {"float": round(float_ms, 2), "int8": round(int8_ms, 2)},
        "times_faster": round(float_ms / int8_ms, 2),
    }
    report_file.parent.mkdir(parents=True, exist_ok=True)
    report_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    broken = [str(bound) for bound in bounds if not bound.holds]
    if broken:
        raise VerificationError("\n".join(broken))
    return bounds
