"""Translate operations of TensorFlow that tf2onnx lacks or gets wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tf2onnx.onnx_opset.nn import Resize

OPSET = 17

# tf2onnx's graph and node, which have no types
Handler = Callable[[Any, Any, str, Any], None]
Operation = tuple[str, list[str], dict[str, Any]]  # type, inputs and attributes


def _replace(graph: Any, node: Any, *operations: Operation) -> None:
    """Replace a node by a chain of operations. Each takes the one before as "", the first the node's input."""
    value, output, shapes, dtypes = node.input[0], node.output, node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    for number, (operation, inputs, attributes) in enumerate(operations, 1):
        last = number == len(operations)
        made = graph.make_node(
            operation,
            [name or value for name in inputs],
            attributes,
            **({"name": node.name, "outputs": output, "shapes": shapes, "dtypes": dtypes} if last else {}),
        )
        value = made.output[0]


def _constant(graph: Any, name: str, value: NDArray[Any]) -> str:
    return str(graph.make_const(f"{name}__constant{len(graph.get_nodes())}", value).output[0])


def _erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Compute 1 - erf(x), as in the exact GELU."""
    one = _constant(graph, name, np.ones((), np.float32))
    _replace(graph, node, ("Erf", [""], {}), ("Sub", [one, ""], {}))


def _expm1(graph: Any, node: Any, name: str, _: Any) -> None:
    """Compute exp(x) - 1, as in CELU."""
    one = _constant(graph, name, np.ones((), np.float32))
    _replace(graph, node, ("Exp", [""], {}), ("Sub", ["", one], {}))


def _resize(graph: Any, node: Any, _name: str, _: Any) -> None:
    """Resize to a size. tf2onnx writes the ratio of known sizes, which can round to a pixel less."""
    image, shape = node.input[0], graph.get_shape(node.input[0])
    graph.set_shape(image, [-1, -1, -1, -1])
    Resize.version_11(graph, node)
    graph.set_shape(image, shape)


def _weights(node: Any, side: int, new_side: int, axis: int) -> NDArray[np.float32]:
    """Return the weights of the old pixels in each new one along an axis, as TensorFlow computes them."""
    inputs = {"images": np.eye(side, dtype=np.float32).reshape(1, side, 1, side), "size": [new_side, 1]}
    if node.type == "ScaleAndTranslate":  # a ratio that is computed in the graph is that of the sides
        given = [
            node.inputs[number].get_tensor_value() if node.inputs[number].is_const() else None for number in (2, 3)
        ]
        inputs["scale"] = np.array([given[0][axis] if given[0] else new_side / side, 1], np.float32)
        inputs["translation"] = np.array([given[1][axis] if given[1] else 0, 0], np.float32)
    kinds = {"align_corners": "i", "half_pixel_centers": "i", "antialias": "i", "kernel_type": "s"}
    options = {name: getattr(node.attr[name], kind) for name, kind in kinds.items() if name in node.attr}
    options = {name: bool(value) if isinstance(value, int) else value for name, value in options.items()}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        resized = session.run(getattr(tf.raw_ops, node.type)(**inputs, **options))
    return np.asarray(resized, np.float32).reshape(new_side, side)


def _sides(graph: Any, node: Any) -> tuple[tuple[int, int], ...] | None:
    """Return the old and the new side in pixels for each axis; None if the graph leaves one open."""
    shape = graph.get_shape(node.input[0])
    if not shape or -1 in shape[1:3] or not node.inputs[1].is_const():
        return None
    return tuple(zip(shape[1:3], map(int, node.inputs[1].get_tensor_value()), strict=True))


def _resize_nearest(graph: Any, node: Any, name: str, _: Any) -> None:
    """Take exactly the pixels that TensorFlow takes: near the middle between two, ONNX's rounding differs."""
    sides = _sides(graph, node)
    if sides is None or all(new % old == 0 for old, new in sides):
        _resize(graph, node, name, _)
        return
    rows, columns = (
        _constant(graph, f"{name}_{axis}", _weights(node, *side, axis).argmax(axis=1))
        for axis, side in enumerate(sides)
    )
    _replace(graph, node, ("Gather", ["", rows], {"axis": 1}), ("Gather", ["", columns], {"axis": 2}))


def _resize_by_matrices(graph: Any, node: Any, name: str, _: Any) -> None:
    """Resize by averaging areas or with antialiasing: a matrix for the rows and one for the columns."""
    sides = _sides(graph, node)
    if sides is None:
        return  # and the conversion ends with the name of the layer
    rows, columns = (_weights(node, *side, axis) for axis, side in enumerate(sides))
    _replace(
        graph,
        node,
        ("Transpose", [""], {"perm": [0, 3, 1, 2]}),
        ("MatMul", [_constant(graph, f"{name}_rows", rows), ""], {}),
        ("MatMul", ["", _constant(graph, f"{name}_columns", columns.T)], {}),
        ("Transpose", [""], {"perm": [0, 2, 3, 1]}),
    )


def _patches(graph: Any, node: Any, name: str, _: Any) -> None:
    """Cut patches by a convolution that moves each value to a channel of its own."""
    _, height, width, _ = node.get_attr_value("ksizes")
    _, rows, columns, channels = graph.get_shape(node.input[0])
    strides, rates = (node.get_attr_value(key)[1:3] for key in ("strides", "rates"))
    padded = [0, 0]
    if node.get_attr_value("padding") == b"SAME":
        sides = zip((rows, columns), (height, width), strides, rates, strict=True)
        padded = [max((-(-old // step) - 1) * step + (side - 1) * rate + 1 - old, 0) for old, side, step, rate in sides]
    values = height * width * channels
    kernel = np.eye(values, dtype=np.float32).reshape(values, height, width, channels).transpose(0, 3, 1, 2)
    pads = [*(total // 2 for total in padded), *(total - total // 2 for total in padded)]
    _replace(
        graph,
        node,
        ("Transpose", [""], {"perm": [0, 3, 1, 2]}),
        ("Conv", ["", _constant(graph, name, kernel)], {"strides": strides, "dilations": rates, "pads": pads}),
        ("Transpose", [""], {"perm": [0, 2, 3, 1]}),
    )


def _gelu(graph: Any, node: Any, name: str, _: Any) -> None:
    """Compute TFLite's GELU: x × Φ(x), with Φ by erf, or by tanh if it is approximate."""
    value = node.input[0]

    def number(key: str, of: float) -> str:
        return _constant(graph, f"{name}_{key}", np.array(of, np.float32))

    distribution: list[Operation] = [("Mul", [value, number("root", np.sqrt(0.5))], {}), ("Erf", [""], {})]
    if node.get_attr_value("approximate"):
        distribution = [
            ("Pow", [value, number("three", 3)], {}),
            ("Mul", ["", number("cube", 0.044715)], {}),
            ("Add", ["", value], {}),
            ("Mul", ["", number("tanh_root", np.sqrt(2 / np.pi))], {}),
            ("Tanh", [""], {}),
        ]
    halved: list[Operation] = [("Add", ["", number("one", 1)], {}), ("Mul", ["", number("half", 0.5)], {})]
    _replace(graph, node, *distribution, *halved, ("Mul", ["", value], {}))


HANDLERS: dict[str, tuple[Handler, list[Any]]] = {
    "Erfc": (_erfc, []),
    "Expm1": (_expm1, []),
    "ExtractImagePatches": (_patches, []),
    "TFL_GELU": (_gelu, []),
    "ResizeBilinear": (_resize, []),
    "ResizeNearestNeighbor": (_resize_nearest, []),
    "ResizeBicubic": (_resize, []),
    "ResizeArea": (_resize_by_matrices, []),
    "ScaleAndTranslate": (_resize_by_matrices, []),
}
