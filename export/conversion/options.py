"""Hold the command line's options for a custom model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .labels import Order
from .scale import Scale


@dataclass(frozen=True)
class SourceOptions:
    """Say which model to read, and what the model itself leaves open.

    `input_size` is (height, width) in pixels. `signature` and `output` choose among those of a SavedModel.
    """

    model: str
    mlflow_store: Path = Path("mlruns")
    input_size: tuple[int, int] | None = None
    scale: Scale | None = None
    signature: str | None = None
    output: str | None = None


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(SourceOptions):
    """Say what to convert, and what the served file states about itself."""

    out: str
    labels: Path | None = None
    label_order: Order | None = None
    data: Path | None = None
    resize: Literal["stretch", "crop"] = "stretch"
    name: str | None = None
    version: str | None = None
    threshold: float = 0.0


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions:
    """Say which float ONNX file to quantize, and with which photographs."""

    model: str
    out: str
    data: Path
    labels: Path | None = None


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(SourceOptions):
    """Say which served file to compare with the source model."""

    served: Path
    labels: Path | None = None
    data: Path | None = None
