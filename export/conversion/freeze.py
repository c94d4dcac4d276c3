"""Freeze a TensorFlow function to one flat graph of float32 constants, as it computes in inference.

Functions are inlined, also those that Keras compiles with XLA. The state of random seeds and random layers are removed.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ..errors import ExportError, reason_of
from .graph import Function, Graph, image_of, inlined, node_of, reduced, renamed
from .random_layers import without_random_layers

_FLOATS = (tf.float16, tf.bfloat16, tf.float64)


class FreezeError(ExportError):
    """Report a function that cannot be frozen. The message names the layer and says what to do."""


@dataclass(frozen=True)
class Frozen:
    """Hold the graph of constants, and a function that answers as the model does in inference.

    `answers` is the model itself, unless the graph had to differ from it: `note` says how.
    """

    graph: Function
    answers: Any
    note: str | None = None


def freeze(model: Any, name: str) -> Frozen:
    """Freeze `model`, a `tf.function` of one image. Raise `FreezeError` and `RandomLayerError`."""
    try:
        function = model.get_concrete_function()
        flat = reduced(inlined(function), function)
        without_random = without_random_layers(flat, function, name)
        frozen = convert_variables_to_constants_v2(_rebuilt(without_random, function), lower_control_flow=False)
        constants = frozen.graph.as_graph_def()
        types = {dtype for dtype in _types(constants) if dtype in _FLOATS}
        if types:
            frozen = _from_graph(_in_float32(constants), frozen)
    except ExportError:
        raise
    except Exception as error:  # TensorFlow's and a layer's errors share no class of their own
        raise FreezeError(
            f"TensorFlow cannot make a graph of constants of {name}: {reason_of(error)}.\nA layer whose state "
            "changes in inference does that: export the model without it. A channels-first model that this processor "
            "cannot run needs data_format='channels_last'."
        ) from error
    notes = []
    if without_random is not flat:
        notes.append("random layers that run in inference are left out")
    if types & {tf.float16, tf.bfloat16}:
        notes.append("half precision is computed in float32")
    if not notes:
        return Frozen(frozen, model)
    return Frozen(frozen, lambda image: frozen(image)[0], " and ".join(notes))


def _rebuilt(graph: Graph, function: Function) -> Function:
    """Return a function of one image that computes `graph` with the variables of `function`."""
    image = image_of(function)

    def compute(value: tf.Tensor) -> list[tf.Tensor]:
        owner = tf.compat.v1.get_default_graph()
        given = {inner.name: owner.capture(outer) for outer, inner in function.graph.captures}
        present = {node.name for node in graph.node}
        inputs = {name: tensor for name, tensor in (given | {image.name: value}).items() if node_of(name) in present}
        return list(tf.import_graph_def(graph, inputs, [tensor.name for tensor in function.outputs], name=""))

    rebuilt = tf.compat.v1.wrap_function(compute, [tf.TensorSpec(image.shape, image.dtype, "pixels")])
    rebuilt.graph.variables = function.graph.variables
    return rebuilt


def _from_graph(graph: Graph, function: Function) -> Function:
    """Return a function with the inputs and outputs of `function` that computes `graph`, which has no variables."""
    image = function.inputs[0]

    def compute(value: tf.Tensor) -> list[tf.Tensor]:
        return list(
            tf.import_graph_def(graph, {image.name: value}, [tensor.name for tensor in function.outputs], name="")
        )

    return tf.compat.v1.wrap_function(compute, [tf.TensorSpec(image.shape, image.dtype, "pixels")])


def _types(graph: Graph) -> set[tf.DType]:
    nodes = (*graph.node, *(node for called in graph.library.function for node in called.node_def))
    return {
        tf.as_dtype(number)
        for node in nodes
        for value in node.attr.values()
        for number in (value.type, *value.list.type)
        if number
    }


def _in_float32(graph: Graph) -> Graph:
    """Return the graph with numbers of half or double precision as float32."""
    halves = {dtype.as_datatype_enum for dtype in _FLOATS}
    single = tf.float32.as_datatype_enum
    changed = tf.compat.v1.GraphDef.FromString(graph.SerializeToString())
    for called in changed.library.function:
        for argument in (*called.signature.input_arg, *called.signature.output_arg):
            if argument.type in halves:
                argument.type = single
    for node in (*changed.node, *(node for called in changed.library.function for node in called.node_def)):
        for value in node.attr.values():
            if value.type in halves:
                value.type = single
            if value.list.type:  # an empty assignment would still turn the value into a list
                value.list.type[:] = [single if number in halves else number for number in value.list.type]
            if value.HasField("tensor") and value.tensor.dtype in halves:
                array = tf.make_ndarray(value.tensor).astype("float32")
                value.tensor.CopyFrom(tf.make_tensor_proto(array, tf.float32))
    return renamed(changed, "_in_float32")
