"""Run the ONNX model. No other module imports onnxruntime."""

import json
import logging
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..cloud.objects import ObjectAddress
from ..imaging.crop import InputRule
from .file import ModelError, ModelFile, read_model

__all__ = ["Model", "ModelCard", "ModelError", "Output"]

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Calibration(NamedTuple):
    """Calibrate the logits.

    `temperature` (> 0) divides them before the softmax. A confidence below `reject_below` (0..1) identifies no species.
    """

    temperature: float
    reject_below: float


class Closer(NamedTuple):
    """Describe the second, closer look at a photo: the middle `fraction` (0..1) of each side.

    A photo gets it if the largest logit exceeds the next by less than `margin`.
    """

    fraction: float
    margin: float


class ModelCard(NamedTuple):
    """Hold the metadata properties of the model file.

    `temperature` and `reject_below` are the calibration for one photo. `fused` has those for several photos of one
    plant, by their number. `accuracy` holds measured figures by name. Without `closer`, each photo gets one look.
    """

    name: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    input_rule: InputRule
    temperature: float
    reject_below: float
    training_data: str
    accuracy: dict[str, Any]
    fused: dict[int, Calibration]
    closer: Closer | None

    def calibration(self, photos: int) -> Calibration:
        """Return the calibration for so many photos of one plant; that for one photo if no other was measured."""
        return self.fused.get(photos, Calibration(self.temperature, self.reject_below))


class Output(NamedTuple):
    """Hold `logits` float32 [N, C], and `class_maps` float32 [N, h, w, C], or None if the model has none."""

    logits: NDArray[np.float32]
    class_maps: NDArray[np.float32] | None


def _read_card(properties: dict[str, str], sha256: str) -> ModelCard:
    """Read the card from a model's metadata. Raise `ModelError` with the property that breaks the contract."""

    def read(key: str, parse: Callable[[str], T], wanted: str, valid: Callable[[T], bool]) -> T:
        try:
            value = parse(properties[key])
            if valid(value):
                return value
        except (KeyError, TypeError, ValueError):
            pass
        raise ModelError(
            f"the metadata property {key} is {properties.get(key, 'missing')!r}, but should be {wanted}. "
            "Export the model with `python -m export`."
        )

    height, width = read(
        "input_size",
        json.loads,
        "[height, width]",
        lambda size: len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size),
    )
    resize: dict[str, Any] = {"fraction": 1.0} | read(
        "resize", json.loads, '{"mode": "crop" or "stretch", "fraction": above 0, up to 1}', _is_resize
    )
    return ModelCard(
        name=read("name", str, "a name", bool),
        version=read("version", str, "a version", bool),
        sha256=sha256,
        labels=tuple(read("labels", json.loads, "a JSON list of different names", _are_labels)),
        input_rule=InputRule(height, width, resize["mode"], resize["fraction"]),
        temperature=read("temperature", float, "a number above 0", _is_temperature),
        reject_below=read("reject_below", float, "a number from 0 to 1", _is_share),
        training_data=read("training_data", str, "a text", lambda _: True),
        accuracy=read("accuracy", json.loads, "a JSON object", lambda value: isinstance(value, dict)),
        fused=read(
            "fused",
            _parse_fused,
            'like {"2": {"temperature": 1.1, "reject_below": 0.5}}',
            lambda fused: all(
                _is_temperature(each.temperature) and _is_share(each.reject_below) for each in fused.values()
            ),
        )
        if "fused" in properties
        else {},
        closer=read(
            "closer",
            lambda text: Closer(**json.loads(text)),
            'like {"fraction": 0.75, "margin": 1.5}',
            lambda closer: 0 < closer.fraction < 1 and closer.margin > 0,
        )
        if "closer" in properties
        else None,
    )


def _parse_fused(text: str) -> dict[int, Calibration]:
    return {int(photos): Calibration(**calibration) for photos, calibration in dict(json.loads(text)).items()}


def _is_temperature(value: float) -> bool:
    return 0 < value < math.inf


def _is_share(value: float) -> bool:
    return 0 <= value <= 1


def _is_resize(rule: dict[str, Any]) -> bool:
    return rule["mode"] in ("crop", "stretch") and 0 < rule.get("fraction", 1.0) <= 1


def _are_labels(labels: Any) -> bool:
    names = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    return names and 0 < len(labels) == len(set(labels))


def _session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more do not survive the fork of functions-framework's workers
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def inferences_at_once() -> int:
    """Return how many inferences keep this process's share of the processors busy.

    More would only evict each other's data from the caches. functions-framework starts `WORKERS` processes.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors // int(os.environ.get("WORKERS") or 1))


class Model:
    """Run an image classifier, made once at start and shared by all threads.

    functions-framework loads the function in gunicorn's master and then forks. A session of one thread survives that.
    """

    def __init__(self, file: ModelFile) -> None:
        """Make a session of a file that was read.

        Raise `ModelError` if the file is damaged, is no ONNX model, or breaks the contract.
        """
        path, data, sha256 = file
        self._turns = threading.Semaphore(inferences_at_once())
        try:
            self._session = _session(data)
        except Exception as error:  # onnxruntime's errors share no class of their own
            raise ModelError(f"cannot load the model {path}: {error}") from error
        self.card = _read_card(self._session.get_modelmeta().custom_metadata_map, sha256)
        outputs = self._check(path)
        self._wanted = [name for name in ("logits", "class_maps") if name in outputs]
        if "class_maps" not in outputs:
            logger.info("the model %s has no class_maps, so heat maps are not available", path)

    @classmethod
    def load(cls, file: Path | ObjectAddress) -> "Model":
        """Load the model of a file or an object. Raise `ModelError` also if it is missing or unavailable."""
        return cls(read_model(file))

    def _check(self, path: str) -> list[str]:
        """Return the names of the outputs. Raise `ModelError` if an input or output breaks the contract."""
        card, inputs = self.card, self._session.get_inputs()
        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        if [image.name for image in inputs] != ["image"] or "logits" not in outputs:
            raise ModelError(f"the model {path} should have one input `image` and the output `logits`")
        size, wanted = inputs[0].shape, (card.input_rule.height, card.input_rule.width, 3)
        fits = len(size) == 4 and all(
            not isinstance(have, int) or have == want for have, want in zip(size[1:], wanted, strict=True)
        )
        if inputs[0].type != "tensor(uint8)" or not fits:
            raise ModelError(
                f"the input `image` of {path} is {inputs[0].type} {size}, but should be uint8 [N, *{wanted}]"
            )
        if outputs["logits"][-1] != len(card.labels):
            raise ModelError(f"the model {path} has {outputs['logits'][-1]} outputs, but {len(card.labels)} labels")
        return list(outputs)

    def run(self, pixels: NDArray[np.uint8]) -> Output:
        """Return the output for upright pixels, uint8 [N, H, W, 3] RGB. May be called from many threads."""
        with self._turns:
            logits, *maps = self._session.run(self._wanted, {"image": pixels})
        return Output(logits, maps[0] if maps else None)
