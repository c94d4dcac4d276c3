"""Convert an adapted TensorFlow model to an ONNX file by the model contract."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx
import tf2onnx

from ..errors import ExportError, reason_of
from .metadata import Metadata, save, write_metadata
from .operations import HANDLERS, OPSET
from .scale import Scale
from .tflite_model import ImageModel, TfliteModel

WAY_OUT = "Replace the layer by others that compute the same, or leave it out if it only serves training."
# What to do about operations that are no layer's own doing.
_WAYS_OUT = {
    "ImageProjectiveTransform": "It turns, shifts or zooms images. If that only serves training, leave the layer out: "
    "keras.Model(next_layer.input, model.output). If not, do it before the model.",
    "PyFunc": "It is Python code, which no file of a model holds. Write it with TensorFlow's operations.",
    r"FFT|Complex|\b(Real|Imag)\b": "ONNX has no complex numbers. Do such a Fourier transform before the model.",
    "LookupTable": "It looks up texts or numbers in a table. Let the model end in its scores, and give --labels.",
}


class ConversionError(ExportError):
    """Report a layer that has no counterpart in ONNX. The message names it and says what to do."""


class _FailedNode(logging.Handler):
    """Note the first node that tf2onnx failed to convert: it logs that, and goes on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.where = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the operation and layer of a record that names a node."""
        if not self.where and record.msg.startswith("Failed to convert node") and isinstance(record.args, tuple):
            node, _, summary = map(str, record.args)
            operation = re.search(r"OP=(\w+)", summary)
            self.where = f", {operation.group(1) if operation else ''} in layer {layer_of(node)}"


def convert(model: ImageModel, scale: Scale, out: Path, metadata: Metadata) -> None:
    """Write the float ONNX model of `model`, whose pixels are of `scale`, to `out`. Raise `ConversionError`."""
    failed = _FailedNode()
    log = logging.getLogger("tf2onnx")
    log.handlers, log.propagate = [failed], False  # what it warns of is seen when the result is verified
    try:
        proto = _converted(model, scale)
        _require_known(proto)
        _make_reproducible(proto)
        write_metadata(proto, metadata)
        save(proto, out)
    except (ExportError, OSError):
        raise
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = reason_of(error)
        where = failed.where or named_in(reason)
        raise ConversionError(
            f"{metadata.name} became an invalid ONNX model{where}: {reason}. {_way_out(where)}"
        ) from error
    except Exception as error:  # tf2onnx's errors share no class of their own
        raise ConversionError(
            f"tf2onnx cannot convert {metadata.name}{failed.where}: {reason_of(error)}. {_way_out(failed.where)}"
        ) from error


def _converted(model: ImageModel, scale: Scale) -> onnx.ModelProto:
    """Return what tf2onnx makes of a model."""
    if isinstance(model, TfliteModel):
        _require_known(model.proto)
        return model.to_onnx(scale)
    serve = model.serving_function(scale)
    proto, _ = tf2onnx.convert.from_function(
        serve, input_signature=serve.input_signature, opset=OPSET, custom_op_handlers=HANDLERS
    )
    return proto


def _way_out(text: str) -> str:
    """Return what to do about the operations that a text names."""
    own = [way for operation, way in _WAYS_OUT.items() if re.search(operation, text)]
    return " ".join(own) or WAY_OUT


def layer_of(node: str) -> str:
    """Return the path of the Keras layer that a node of the graph belongs to."""
    path = re.sub(r"__\d+$", "", node).split("/")
    scopes = [part for part in path[:-1] if not part.startswith(("PartitionedCall", "StatefulPartitionedCall"))]
    return "/".join(scopes) or path[-1]


def named_in(message: str) -> str:
    """Return ", in layer …" if an error of ONNX or onnxruntime names a node."""
    found = re.search(r"[Nn]ame: ?'?([^\s)']+)", message)
    return f", in layer {layer_of(found.group(1))}" if found else ""


def _require_known(model: onnx.ModelProto) -> None:
    """Raise `ConversionError` for the nodes that tf2onnx left as they were, since ONNX has no such operation."""
    unknown = {
        layer_of(node.name): node.op_type
        for node in _nodes(model.graph)
        if not node.domain and not onnx.defs.has(node.op_type, OPSET)
    }
    if unknown:
        listed = ", ".join(f"{operation} in layer {layer}" for layer, operation in unknown.items())
        raise ConversionError(f"ONNX has no operation for {listed}. {_way_out(listed)}")


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs inside them."""
    for node in graph.node:
        yield node
        for inner in _branches(node):
            yield from _nodes(inner)


def _branches(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs inside a node, as the body of a loop."""
    for attribute in node.attribute:
        yield from (inner for inner in (attribute.g, *attribute.graphs) if inner.node)


def _make_reproducible(model: onnx.ModelProto) -> None:
    """Rename what tf2onnx numbers in random order, so that a model always gives the same bytes.

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
        for value in (value for inner in _branches(node) for value in inner.output):
            value.name = names.get(value.name, value.name)
    ordered = [onnx.TensorProto.FromString(constants[name].SerializeToString()) for name in used]
    for constant in ordered:
        constant.name = names[constant.name]
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    graph.doc_string = ""
