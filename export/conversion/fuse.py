"""Do work once at the export, instead of at every start or for every photo."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

_ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


Floats = NDArray[np.float32]


def _apply(node: onnx.NodeProto, values: Floats, constants: dict[str, NDArray[Any]]) -> Floats | None:
    """Return a node's result for `values`; None if it is not arithmetic with one number."""
    if node.op_type == "Cast":
        return values
    others = [constants.get(name) for name in node.input]
    if node.op_type not in _ARITHMETIC or [other is None for other in others].count(True) != 1:
        return None
    if any(other is not None and other.size != 1 for other in others):
        return None
    left, right = (values if other is None else other.reshape(()) for other in others)
    return _ARITHMETIC[node.op_type](left, right)


def fold_normalization(graph: onnx.GraphProto) -> bool:
    """Replace the arithmetic on the input's pixels by one `DequantizeLinear`, if that gives exactly the same numbers.

    (x - z) × s is what that node computes of bytes in one pass; a `Cast`, a `Mul` and an `Add` take three, in float.
    Return whether it was done.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values: Floats = np.arange(256, dtype=np.float32)
    name, replaced = graph.input[0].name, []
    while len(users := [node for node in graph.node if name in node.input]) == 1:
        computed = _apply(users[0], values, constants)
        if computed is None:
            break
        values, name = computed, users[0].output[0]
        replaced.append(users[0])
    scale = np.float32((values[255] - values[0]) / 255)
    zero = np.round(-values[0] / scale) if scale > 0 else np.float32(-1)
    if not replaced or not 0 <= zero <= 255:
        return False
    if not np.array_equal((np.arange(256, dtype=np.float32) - zero) * scale, values):
        return False
    parameters = {"pixel_scale": np.array(scale), "pixel_zero_point": np.array(zero, np.uint8)}
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in parameters.items())
    for node in replaced:
        graph.node.remove(node)
    graph.node.insert(
        0, onnx.helper.make_node("DequantizeLinear", [graph.input[0].name, *parameters], [name], "normalize")
    )
    return True


def fuse(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model as onnxruntime fuses it for any processor. The rest is fused at the start, for the processor."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of what it takes out
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with tempfile.TemporaryDirectory() as folder:
        fused = Path(folder) / "fused.onnx"
        options.optimized_model_filepath = str(fused)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(fused)
