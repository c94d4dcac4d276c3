"""Static int8: activations as U8, weights as S8 per channel, in QDQ form, calibrated on training photographs."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from .contract import read_metadata, save, write_metadata
from .serving import Model, pixels_of

CALIBRATION_PHOTOS = 500


class _Photographs(CalibrationDataReader):
    """Hands the quantizer one photograph at a time, as the function would decode it."""

    def __init__(self, photos: Sequence[Path], model: Path) -> None:
        bar = tqdm(photos, "calibrate", unit="photo", mininterval=1)
        self._pixels: Iterator[NDArray[np.uint8]] = pixels_of(bar, Model(model))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        pixels = next(self._pixels, None)
        return None if pixels is None else {"image": pixels[np.newaxis]}


def float_nodes(graph: onnx.GraphProto) -> list[str]:
    """The nodes that stay in float: all after the last activation, that is the classifier and its average.

    They are 2 % of the work, and their rounding would go straight into the logits.
    """
    nodes = list(graph.node)
    last = max(index for index, node in enumerate(nodes) if node.op_type == "Clip")
    return [node.name for node in nodes[last + 1 :]]


def quantize(float_model: Path, out: Path, photos: Sequence[Path]) -> None:
    """Writes the int8 form of `float_model` to `out`, calibrated on an even spread of some 500 of `photos`.

    `reduce_range` keeps weights to 7 bits: on processors without VNNI, U8 × S8 products of 8 bits saturate in 16.
    """
    metadata = read_metadata(onnx.load(float_model))
    spread = photos[:: max(1, round(len(photos) / CALIBRATION_PHOTOS))]
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(str(float_model), str(prepared), skip_symbolic_shape=True)
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
            nodes_to_exclude=float_nodes(onnx.load(prepared).graph),
        )
        model = onnx.load(quantized)
    write_metadata(model, metadata)
    save(model, out)
