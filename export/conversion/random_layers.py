"""Remove the layers that draw random numbers in inference."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from ..errors import ExportError
from .graph import Function, Graph, image_of, node_of, reduced

_RANDOM = re.compile(r"Random|Multinomial|Shuffle|TruncatedNormal")


class RandomLayerError(ExportError):
    """Report random numbers that are not drawn by a removable layer. The message says what to do."""


def without_random_layers(graph: Graph, function: Function, name: str) -> Graph:
    """Return the graph with every random layer replaced by its input; the same object if there is none.

    Keras 3 exports augmentation layers as if in training. A layer is the smallest name scope that has one image going
    in and one of the same shape coming out. Raise `RandomLayerError` for a layer that is not of this kind.
    """
    while drawing := list(_draws(graph.node, _random_functions(graph))):
        scope = drawing[0].name
        while "/" in scope and not (ends := _ends(graph, scope := scope.rpartition("/")[0], function)):
            pass
        if "/" not in drawing[0].name or not ends:
            raise RandomLayerError(
                f"{name} draws random numbers in inference, in {drawing[0].name}. Leave that layer out, or export the "
                "model for inference: archive = keras.export.ExportArchive(); archive.track(model); "
                "archive.add_endpoint('serve', lambda images: model(images, training=False), "
                "[tf.TensorSpec(model.input_shape)]); archive.write_out('folder')"
            )
        entering, leaving = ends
        bypassed = tf.compat.v1.GraphDef.FromString(graph.SerializeToString())
        for node in bypassed.node:
            if not node.name.startswith(f"{scope}/"):
                node.input[:] = [entering if tensor in leaving else tensor for tensor in node.input]
        graph = reduced(bypassed, function)
    return graph


def _random_functions(graph: Graph) -> set[str]:
    """Return the names of the library's functions that draw random numbers, themselves or in what they call."""
    found: set[str] = set()
    while True:
        more = {
            called.signature.name for called in graph.library.function if any(_draws(called.node_def, found))
        } - found
        if not more:
            return found
        found |= more


def _draws(nodes: Iterable[Any], random_functions: set[str]) -> Iterator[Any]:
    """Yield the nodes that draw random numbers."""
    for node in nodes:
        called = {value.func.name for value in node.attr.values()} | {
            function.name for value in node.attr.values() for function in value.list.func
        }
        if (_RANDOM.search(node.op) and not node.op.startswith("StatelessRandomGet")) or called & random_functions:
            yield node


def _ends(graph: Graph, scope: str, function: Function) -> tuple[str, set[str]] | None:
    """Return the one image that enters a name scope, and the one that leaves it; None if it is no layer."""
    from_image = {image_of(function).op.name}
    inside = {node.name for node in graph.node if node.name.startswith(f"{scope}/")}
    known = 0
    while known < len(from_image):  # the nodes need not be in order
        known = len(from_image)
        from_image |= {node.name for node in graph.node if any(node_of(tensor) in from_image for tensor in node.input)}
    entering = {
        tensor
        for node in graph.node
        if node.name in inside
        for tensor in node.input
        if node_of(tensor) not in inside and node_of(tensor) in from_image
    }
    leaving = {
        tensor for node in graph.node if node.name not in inside for tensor in node.input if node_of(tensor) in inside
    }
    if len(entering) != 1 or len(leaving) != 1:
        return None
    with tf.Graph().as_default() as shapes:
        tf.import_graph_def(graph, name="")
        before, after = (
            shapes.get_tensor_by_name(tensor if ":" in tensor else f"{tensor}:0") for tensor in (*entering, *leaving)
        )
        same = before.dtype == after.dtype and before.shape.rank == 4 and before.shape.is_compatible_with(after.shape)
    return (entering.pop(), leaving) if same else None
