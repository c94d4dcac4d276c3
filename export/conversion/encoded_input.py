"""Cut a graph that takes encoded images after its decoder, so that it takes pixels.

The function decodes and resizes photos itself. The graph's own resize, to a known size, then changes nothing, and its
scaling stays.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from ..errors import ExportError
from .graph import Function, Graph, inlined, node_of

_DECODERS = ("DecodeJpeg", "DecodeImage", "DecodePng", "DecodeBmp", "DecodeAndCropJpeg")
_RESIZERS = ("ResizeBilinear", "ResizeBicubic", "ResizeArea", "ResizeNearestNeighbor")
_NETWORK = ("Conv2D", "DepthwiseConv2dNative", "MatMul", "FusedBatchNormV3")


class EncodedInputError(ExportError):
    """Report a graph whose decoder cannot be cut off. The message says what to save instead."""


class Decoded(NamedTuple):
    """Hold the model from the pixels on, uint8 [N, height, width, 3], and their size."""

    call: Callable[[tf.Tensor], tf.Tensor]
    size: tuple[int, int]


class _Part(NamedTuple):
    """Hold the part of a graph that prepares one image: `pixels` is decoded, `prepared` goes into the network."""

    graph: Graph
    pixels: str
    prepared: str


def from_pixels(function: Function, output: str, name: str) -> Decoded:
    """Cut `function`, whose tensor `output` has the scores, after its decoder. Raise `EncodedInputError`."""
    graph = inlined(function)
    part, batch = _parts(graph, name)
    size, prepare = _preparation(part, name)
    traced = tf.function(prepare).get_concrete_function(tf.TensorSpec((*size, 3), tf.uint8))
    shape = traced.outputs[0].shape[-3:]

    def compute(images: tf.Tensor) -> tf.Tensor:
        prepared = tf.vectorized_map(prepare, images, fallback_to_while_loop=False)
        prepared = tf.reshape(prepared, (-1, *shape))
        owner = tf.compat.v1.get_default_graph()
        network = _between(graph, batch, output, name)
        present = {node.name for node in network.node}
        given = {
            inner.name: owner.capture(outer) for outer, inner in function.graph.captures if inner.op.name in present
        }
        return tf.import_graph_def(network, given | {batch: prepared}, [output], name="")[0]

    wrapped = tf.compat.v1.wrap_function(compute, [tf.TensorSpec((None, *size, 3), tf.uint8)])
    wrapped.graph.variables = function.graph.variables
    return Decoded(wrapped, size)


def _no_way(name: str) -> EncodedInputError:
    return EncodedInputError(
        f"{name} takes encoded images and decodes them in a way that cannot be cut. Save a signature that takes the "
        "pixels, [N, height, width, 3], beside it, and choose it with --signature."
    )


def _parts(graph: Graph, name: str) -> tuple[_Part, str]:
    """Return the part for one image, and the tensor of the graph that holds all images, [N, h, w, 3]."""
    if any(node.op in _DECODERS for node in graph.node):
        pixels = next(f"{node.name}:0" for node in graph.node if node.op in _DECODERS)
        for node in _after(graph.node, node_of(pixels)):
            if node.op == "TensorArrayWriteV3":  # a loop over the images, of TensorFlow 1
                gathered = next((f"{other.name}:0" for other in graph.node if other.op == "TensorArrayGatherV3"), "")
                if gathered:
                    return _Part(graph, pixels, node.input[2]), gathered
        return _unbatched(graph, pixels, name)
    for body in graph.library.function:  # a loop over the images: tf.map_fn
        if not any(node.op in _DECODERS for node in body.node_def):
            continue
        inner = function_def_to_graph(body).as_graph_def()
        pixels = next(f"{node.name}:0" for node in inner.node if node.op in _DECODERS)
        stored = next((node for node in _after(inner.node, node_of(pixels)) if node.op == "TensorListSetItem"), None)
        loop = next((node for node in graph.node if _runs(node, body.signature.name)), None)
        if stored is None or loop is None:
            break
        stacked = next((node for node in _after(graph.node, loop.name) if node.op == "TensorListStack"), None)
        if stacked is not None:
            return _Part(inner, pixels, stored.input[2]), f"{stacked.name}:0"
    raise _no_way(name)


def _runs(node: Any, body: str) -> bool:
    """Return whether a node is a loop with this body."""
    return "body" in node.attr and node.attr["body"].func.name == body


def _after(nodes: Iterable[Any], start: str) -> list[Any]:
    """Return the nodes that depend on one, nearest first."""
    nodes, reached = list(nodes), {start}
    found: list[Any] = []
    while True:
        further = [
            node for node in nodes if node.name not in reached and any(node_of(name) in reached for name in node.input)
        ]
        if not further:
            return found
        found += further
        reached |= {node.name for node in further}


def _unbatched(graph: Graph, pixels: str, name: str) -> tuple[_Part, str]:
    """Cut a graph of a single image before the first layer of the network."""
    by_name = {node.name: node for node in graph.node}
    following = _after(graph.node, node_of(pixels))
    reached = {node_of(pixels), *(node.name for node in following)}
    for node in following:
        if node.op in _NETWORK and node_of(node.input[0]) in reached:
            batch = _full(node.input[0])
            while by_name[node_of(batch)].op in ("Identity", "EnsureShape"):
                batch = _full(by_name[node_of(batch)].input[0])
            return _Part(graph, pixels, batch), batch
    raise _no_way(name)


def _preparation(part: _Part, name: str) -> tuple[tuple[int, int], Callable[[tf.Tensor], tf.Tensor]]:
    """Return the size that the graph resizes to, and its function of pixels of that size, uint8 [h, w, 3]."""
    graph = tf.compat.v1.GraphDef.FromString(part.graph.SerializeToString())
    size = None
    with tf.Graph().as_default() as shapes:
        tf.import_graph_def(graph, name="")
        for node in _after(graph.node, node_of(part.pixels)):
            if node.op in _RESIZERS:
                known = tf.get_static_value(shapes.get_tensor_by_name(_full(node.input[1])))
                size = None if known is None else (int(known[0]), int(known[1]))
                break
    if size is None:
        raise EncodedInputError(f"{name} decodes images and does not resize them to a fixed size. {_no_way(name)}")
    for node in graph.node:
        kept = [tensor for tensor in node.input if not tensor.startswith("^")]
        node.input[:] = kept
        if node.op == "Enter":  # what a loop of TensorFlow 1 takes from outside
            node.op = "Identity"
            for attribute in ("frame_name", "is_constant", "parallel_iterations"):
                if attribute in node.attr:
                    del node.attr[attribute]
        if node.op in _RESIZERS:
            source = node.attr["T"].type
            target = source if node.op == "ResizeNearestNeighbor" else tf.float32.as_datatype_enum
            node.op = "Cast"
            node.input[:] = kept[:1]
            node.attr.clear()
            node.attr["SrcT"].type, node.attr["DstT"].type = source, target

    def prepare(pixels: tf.Tensor) -> tf.Tensor:
        steps = _between(graph, part.pixels, part.prepared, name)
        return tf.import_graph_def(steps, {part.pixels: pixels}, [_full(part.prepared)], name="")[0]

    return size, prepare


def _between(graph: Graph, start: str, end: str, name: str) -> Graph:
    """Return the nodes that compute the tensor `end` from the tensor `start`. Raise `EncodedInputError`."""
    by_name = {node.name: node for node in graph.node}
    wanted, needed = [node_of(end)], {node_of(start)}
    while wanted:
        node = wanted.pop()
        if node not in needed:
            needed.add(node)
            wanted += [node_of(tensor) for tensor in by_name[node].input]
    needed.remove(node_of(start))
    if any(by_name[node].op in _DECODERS or _reads_text(by_name[node]) for node in needed):
        raise _no_way(name)
    between = tf.compat.v1.GraphDef(library=graph.library, versions=graph.versions)
    between.node.extend(by_name[node] for node in needed)
    for node in between.node:
        if node.op == "EnsureShape":  # a graph of one image states that there is one
            node.op = "Identity"
            del node.attr["shape"]
    return between


def _reads_text(node: Any) -> bool:
    return node.op == "Placeholder" and node.attr["dtype"].type == tf.string.as_datatype_enum


def _full(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"
