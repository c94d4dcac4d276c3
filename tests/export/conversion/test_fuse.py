"""Test that arithmetic on pixels becomes one node if, and only if, that gives exactly the same numbers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.conversion.fuse import fold_normalization, fuse

PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)


def network(*steps: tuple[str, float | list[float]]) -> onnx.ModelProto:
    """Return a network that takes pixels as floats through each step (an operation and its constant), transposed."""
    nodes = [helper.make_node("Cast", ["image"], ["x0"], to=TensorProto.FLOAT)]
    constants = []
    for number, (operation, constant) in enumerate(steps):
        constants.append(numpy_helper.from_array(np.array(constant, np.float32), f"c{number}"))
        nodes.append(helper.make_node(operation, [f"x{number}", f"c{number}"], [f"x{number + 1}"]))
    nodes.append(helper.make_node("Transpose", [f"x{len(steps)}"], ["out"], perm=[0, 3, 1, 2]))
    graph = helper.make_graph(
        nodes,
        "normalized",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 16, 16, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3, 16, 16])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answer(model: onnx.ModelProto) -> NDArray[np.float32]:
    """Return the network's output for every pixel value."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(["out"], {"image": PIXELS})[0]
    return found


@pytest.mark.parametrize(
    "steps",
    [
        [("Mul", 1 / 128), ("Add", -127 / 128)],
        [("Sub", 127.0), ("Mul", 1 / 128)],
        [("Sub", 128.0), ("Div", 128.0)],
        [("Mul", 1 / 255)],
        [],
    ],
)
def test_arithmetic_of_one_scale_becomes_one_node(
    steps: list[tuple[str, float | list[float]]],
) -> None:
    model = network(*steps)
    before = answer(model)
    assert fold_normalization(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "Transpose"]
    assert np.array_equal(before, answer(model))


@pytest.mark.parametrize(
    "steps",
    [
        [("Div", 127.5), ("Sub", 1.0)],  # its zero point would be 127.5
        [("Mul", -1.0)],
        [("Add", 1.0)],
    ],
)
def test_other_arithmetic_is_unchanged(steps: list[tuple[str, float | list[float]]]) -> None:
    model = network(*steps)
    before = model.SerializeToString()
    assert not fold_normalization(model.graph)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("step", [("Sub", [103.5, 116.0, 123.0]), ("Pow", 2.0)])
def test_arithmetic_beyond_one_scale_is_kept(step: tuple[str, float | list[float]]) -> None:
    model = network(("Mul", 1 / 255), step)
    before = answer(model)
    assert fold_normalization(model.graph)
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", step[0], "Transpose"]
    assert np.array_equal(before, answer(model))


def test_pixels_read_by_two_nodes_are_unchanged() -> None:
    model = network(("Mul", 1 / 255))
    model.graph.node.append(helper.make_node("Shape", ["image"], ["size"]))
    assert not fold_normalization(model.graph)


def test_fused_network_answers_the_same() -> None:
    model = network(("Mul", 1 / 128), ("Add", -127 / 128), ("Add", 0.0))
    fused = fuse(model)
    assert len(fused.graph.node) <= len(model.graph.node)
    assert np.array_equal(answer(model), answer(fused))
