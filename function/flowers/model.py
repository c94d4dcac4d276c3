"""The ONNX model: the one module that imports onnxruntime."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .decode import InputRule


class ModelError(Exception):
    """A model file that cannot be served; the message says what is missing or wrong."""


@dataclass(frozen=True)
class ModelCard:
    """What the model file says of itself in its metadata properties.

    `temperature` (> 0) divides the logits before the softmax; below `reject_below` (0..1) of confidence a photo shows
    none of the species; `accuracy` holds measured figures by name; `sha256` is the file's.
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


class Output(NamedTuple):
    """`logits` float32 [N, C], and `class_maps` float32 [N, h, w, C] or None where the model has none."""

    logits: NDArray[np.float32]
    class_maps: NDArray[np.float32] | None


def _read_card(properties: dict[str, str], sha256: str) -> ModelCard:
    try:
        resize = json.loads(properties["resize"])
        height, width = json.loads(properties["input_size"])
        card = ModelCard(
            name=properties["name"],
            version=properties["version"],
            sha256=sha256,
            labels=tuple(json.loads(properties["labels"])),
            input_rule=InputRule(height, width, resize["mode"], resize.get("fraction", 1.0)),
            temperature=float(properties["temperature"]),
            reject_below=float(properties["reject_below"]),
            training_data=properties["training_data"],
            accuracy=json.loads(properties["accuracy"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the model's metadata is not by the contract: {error!r}. Export it with `python -m export`."
        ) from error
    if not card.labels or card.temperature <= 0 or card.input_rule.mode not in ("crop", "stretch"):
        raise ModelError("the model's metadata has no labels, a temperature that is not positive, or an unknown resize")
    return card


def _session(data: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads burn a core for a second after each call.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


class Model:
    """An image classifier, made once at start and shared by all threads.

    functions-framework loads the function in gunicorn's master and then forks. A session of one thread survives that;
    the pool of a session with more does not, so that one is made again in the child.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Loads the file. Raises `ModelError` when it is missing, no ONNX model, or not by the contract."""
        try:
            data = path.read_bytes()
            self._session = _session(data, threads)
        except Exception as error:  # onnxruntime's errors share no class of their own
            raise ModelError(f"cannot load the model {path}: {error}") from error
        self.card = _read_card(self._session.get_modelmeta().custom_metadata_map, hashlib.sha256(data).hexdigest())
        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        if [image.name for image in self._session.get_inputs()] != ["image"] or "logits" not in outputs:
            raise ModelError(f"the model {path} should have the input `image` and the output `logits`")
        if outputs["logits"][-1] != len(self.card.labels):
            raise ModelError(
                f"the model {path} has {outputs['logits'][-1]} outputs, but {len(self.card.labels)} labels"
            )
        self._wanted = [name for name in ("logits", "class_maps") if name in outputs]
        if threads > 1:

            def make_again() -> None:
                self._session = _session(data, threads)

            os.register_at_fork(after_in_child=make_again)

    def run(self, pixels: NDArray[np.uint8]) -> Output:
        """Logits and class maps of upright pixels, uint8 [N, H, W, 3] RGB. Safe to call from many threads."""
        logits, *maps = self._session.run(self._wanted, {"image": pixels})
        return Output(logits, maps[0] if maps else None)
