"""An adapted TensorFlow model as an ONNX file by the model contract."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx
import tf2onnx

from .adapt import AdaptedModel
from .metadata import Metadata, save, write_metadata
from .scale import Scale

OPSET = 17


def convert(model: AdaptedModel, scale: Scale, out: Path, metadata: Metadata) -> None:
    """Writes the float ONNX model of `model`, whose pixels are of `scale`, to `out`."""
    # An optimization that fails is left out, with a traceback as a mere warning; the result is verified anyway.
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    serve = model.serving_function(scale)
    proto, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature, opset=OPSET)
    _make_reproducible(proto)
    write_metadata(proto, metadata)
    save(proto, out)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs inside them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _make_reproducible(model: onnx.ModelProto) -> None:
    """Names what tf2onnx numbers as its sets happen to lie, so that a model always gives the same bytes.

    Nodes and what they compute are numbered anew in their order, constants in the order of their first use.
    """
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for node in _nodes(graph):
        base = re.sub(r"__\d+$", "", node.name)
        counts[base] += 1
        node.name = f"{base}__{counts[base]}"
        names |= {name: f"{node.name}:{number}" for number, name in enumerate(node.output) if name and name not in kept}
    constants = {constant.name: constant for constant in graph.initializer}
    used = dict.fromkeys(name for node in _nodes(graph) for name in node.input if name in constants)
    names |= {name: f"constant__{number}" for number, name in enumerate(used, 1)}
    for node in _nodes(graph):
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    ordered = [onnx.TensorProto.FromString(constants[name].SerializeToString()) for name in used]
    for constant in ordered:
        constant.name = names[constant.name]
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    graph.doc_string = ""
