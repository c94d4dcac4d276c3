"""Read and write the metadata properties of the model contract in an ONNX file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import onnx


@dataclass(frozen=True)
class Resize:
    """Define how photos are resized: from the middle `fraction` (0..1] (`crop`), or from all of it (`stretch`)."""

    mode: Literal["crop", "stretch"]
    fraction: float = 1.0


@dataclass(frozen=True)
class Metadata:
    """Hold the contract's properties; see `flowers.model.session.ModelCard`. `input_size` is height, width (pixels)."""

    name: str
    version: str
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    resize: Resize
    training_data: str
    temperature: float = 1.0
    reject_below: float = 0.0
    accuracy: dict[str, Any] = field(default_factory=dict)
    fused: dict[str, dict[str, float]] = field(default_factory=dict)
    closer: dict[str, float] | None = None


def write_metadata(model: onnx.ModelProto, metadata: Metadata) -> None:
    """Replace the model's metadata properties: strings as they are, everything else as JSON."""
    properties = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in asdict(metadata).items()
        if value is not None
    }
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, properties)


def read_metadata(model: onnx.ModelProto) -> Metadata:
    """Return the properties that `write_metadata` wrote. Raise `KeyError` or `TypeError` if one is missing."""
    texts = {entry.key: entry.value for entry in model.metadata_props}
    values = {
        key: texts[key] if key in ("name", "version", "training_data") else json.loads(texts[key])
        for key in Metadata.__dataclass_fields__.keys() & texts.keys()
    }
    values |= {
        "labels": tuple(values["labels"]),
        "input_size": tuple(values["input_size"]),
        "resize": Resize(**values["resize"]),
    }
    return Metadata(**values)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Check the model against ONNX's rules and write it, whole or not at all."""
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    onnx.save(model, partial)
    partial.replace(path)
