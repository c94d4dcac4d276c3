"""Build a tiny ONNX model by the contract, each part of which can be made wrong."""

import json
from collections.abc import Sequence

# Field numbers and types are those of onnx.proto3 (ONNX 1.16), https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
FLOAT, UINT8, INT32 = 1, 2, 6
_INT, _INTS = 2, 7

METADATA = {
    "name": "tiny",
    "version": "1.2.3",
    "labels": json.dumps(["red", "green", "blue"]),
    "input_size": "[8, 6]",
    "resize": json.dumps({"mode": "crop", "fraction": 0.875}),
    "temperature": "1.5",
    "reject_below": "0.25",
    "training_data": "none",
    "accuracy": json.dumps({"top1": 0.5}),
}


def _varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    body = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _tensor(name: str, type_: int, shape: Sequence[int | str]) -> bytes:
    dimensions = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, type_) + _field(2, dimensions)))


def _node(operator: str, inputs: Sequence[str], output: str, attributes: bytes) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operator) + attributes


def _integer(name: str, value: int) -> bytes:
    return _field(5, _field(1, name) + _field(3, value) + _field(20, _INT))


def _integers(name: str, values: Sequence[int]) -> bytes:
    return _field(5, _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, _INTS))


def tiny_model(
    metadata: dict[str, str] = METADATA,
    image: str = "image",
    logits: str = "logits",
    input_type: int = UINT8,
    size: Sequence[int | str] = (8, 6),
    with_maps: bool = True,
) -> bytes:
    """Return the file of a model whose class maps are the image's channels, and whose logits are their means."""
    maps = "class_maps"
    nodes = [
        _node("Cast", [image], maps, _integer("to", FLOAT)),
        _node("ReduceMean", [maps], logits, _integers("axes", [1, 2]) + _integer("keepdims", 0)),
    ]
    outputs = [_tensor(logits, FLOAT, ["N", 3])] + [_tensor(maps, FLOAT, ["N", *size, 3])] * with_maps
    graph = (
        b"".join(_field(1, node) for node in nodes)
        + _field(2, "tiny")
        + _field(11, _tensor(image, input_type, ["N", *size, 3]))
        + b"".join(_field(12, output) for output in outputs)
    )
    properties = b"".join(_field(14, _field(1, key) + _field(2, value)) for key, value in metadata.items())
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)) + properties
