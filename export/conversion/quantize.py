"""Quantize to static int8: activations U8, weights S8 per channel, calibrated on training photographs."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from ..serving import Model, pixels_of
from .fuse import fold_normalization, fuse
from .metadata import read_metadata, save, write_metadata

CALIBRATION_PHOTOS = 500
ACTIVATIONS = (
    "Clip",
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Elu",
    "Selu",
    "Gelu",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Erf",
)


class _Photographs(CalibrationDataReader):
    """Give the quantizer one photograph at a time, decoded as by the function."""

    def __init__(self, photos: Sequence[Path], model: Path) -> None:
        bar = tqdm(photos, "calibrate", unit="photo", mininterval=1)
        self._pixels: Iterator[NDArray[np.uint8]] = pixels_of(bar, Model.load(model))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        pixels = next(self._pixels, None)
        return None if pixels is None else {"image": pixels[np.newaxis]}


def float_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the nodes that stay in float: up to a sixteenth of the convolutions, and all after the last activation.

    Rounding in the first layers passes through all others, and rounding in the classifier goes straight into the
    logits. Both are a small part of the work; of the bundled model an eighth was no more accurate, and none was less.
    """
    nodes = list(graph.node)
    convolutions = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    first = convolutions[max(1, len(convolutions) // 16) - 1] if convolutions else -1
    last = max((index for index, node in enumerate(nodes) if node.op_type in ACTIVATIONS), default=-1)
    return [node.name for node in nodes[: first + 1] + nodes[last + 1 :]]


def depthwise_weights(graph: onnx.GraphProto, but: list[str]) -> list[str]:
    """Return the weights of the depthwise convolutions, except those of the nodes named in `but`."""
    return [
        node.input[1]
        for node in graph.node
        if node.op_type == "Conv"
        and node.name not in but
        and any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    ]


def quantize(float_model: Path, out: Path, photos: Sequence[Path]) -> None:
    """Write the int8 form of `float_model` to `out`, calibrated on an even spread of some 500 of `photos`, and fused.

    `reduce_range` keeps weights to 7 bits: without VNNI, sums of two U8 × S8 products saturate in 16 bits. Depthwise
    convolutions, whose kernels add in 32 bits, keep 8; `verify` proves both on a processor without VNNI.
    """
    metadata = read_metadata(onnx.load(float_model))
    spread = photos[:: max(1, round(len(photos) / CALIBRATION_PHOTOS))]
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(str(float_model), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        unquantized = float_nodes(graph)
        eight_bits = [{"axis": 0, "quant_type": QuantType.QInt8, "symmetric": True, "reduce_range": False}]
        quantize_static(
            str(prepared),
            str(quantized),
            _Photographs(spread, float_model),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=unquantized,
            extra_options={
                "TensorQuantOverrides": dict.fromkeys(depthwise_weights(graph, but=unquantized), eight_bits)
            },
        )
        model = onnx.load(quantized)
    fold_normalization(model.graph)
    model = fuse(model)
    write_metadata(model, metadata)
    save(model, out)
