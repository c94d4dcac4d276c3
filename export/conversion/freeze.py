"""Freeze a TensorFlow function to one flat graph of float32 constants, as it computes in inference.

Functions are inlined, also those that Keras compiles with XLA. The state of random seeds and random layers are removed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer

from ..errors import ExportError, reason_of

Graph = Any  # tf.compat.v1.GraphDef, which has no types
Function = Any  # tf.types.experimental.ConcreteFunction

_KEEPS_FROM_INLINING = ("_XlaMustCompile", "_noinline", "api_implements")
_RANDOM = re.compile(r"Random|Multinomial|Shuffle|TruncatedNormal")
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
    """Freeze `model`, a `tf.function` of one image. Raise `FreezeError`."""
    try:
        function = model.get_concrete_function()
        flat = _reduced(inlined(function), function)
        without_random = _without_random_layers(flat, function, name)
        frozen = convert_variables_to_constants_v2(_rebuilt(without_random, function), lower_control_flow=False)
        constants = frozen.graph.as_graph_def()
        types = {dtype for dtype in _types(constants) if dtype in _FLOATS}
        if types:
            frozen = _from_graph(_in_float32(constants), frozen)
    except FreezeError:
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


def inlined(function: Function) -> Graph:
    """Return the function's graph with all calls of functions inlined."""
    graph = function.graph.as_graph_def(add_shapes=True)
    nodes = (*graph.node, *(node for called in graph.library.function for node in called.node_def))
    for owner in (*graph.library.function, *nodes):
        for attribute in _KEEPS_FROM_INLINING:
            if attribute in owner.attr:
                del owner.attr[attribute]
    for node in nodes:
        if "_lower_using_switch_merge" in node.attr:  # else loops become operations that ONNX has no match for
            node.attr["_lower_using_switch_merge"].b = False
    meta = tf.compat.v1.MetaGraphDef(graph_def=graph)
    meta.collection_def["train_op"].node_list.value.extend(
        tensor.name for tensor in (*function.inputs, *function.outputs)
    )
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1  # small graphs as well
    config.graph_options.rewrite_options.optimizers.append("function")
    return _renamed(tf_optimizer.OptimizeGraph(config, meta), "_inlined")


def _renamed(graph: Graph, ending: str) -> Graph:
    """Return the graph with other names for its functions: TensorFlow refuses two functions of one name."""
    names = {called.signature.name for called in graph.library.function}
    for called in graph.library.function:
        called.signature.name += ending
    for node in (*graph.node, *(node for called in graph.library.function for node in called.node_def)):
        node.op += ending if node.op in names else ""
        for value in node.attr.values():
            for function in (value.func, *value.list.func) if value.HasField("func") or value.list.func else ():
                function.name += ending if function.name in names else ""
    return graph


def node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _reduced(graph: Graph, function: Function) -> Graph:
    """Drop every node that the outputs do not read, such as the update of a seed."""
    if not any(node.op == "Enter" for node in graph.node):  # a loop of TensorFlow 1 is held together by such inputs
        for node in graph.node:
            data = [name for name in node.input if not name.startswith("^")]
            del node.input[:]
            node.input.extend(data)
    by_name = {node.name: node for node in graph.node}
    needed: set[str] = set()
    wanted = [tensor.op.name for tensor in (*function.outputs, *function.inputs) if tensor.op.name in by_name]
    while wanted:
        name = wanted.pop()
        if name not in needed:
            needed.add(name)
            wanted += [node_of(tensor) for tensor in by_name[name].input]
    reduced = tf.compat.v1.GraphDef(library=graph.library, versions=graph.versions)
    reduced.node.extend(node for node in graph.node if node.name in needed)
    for node in reduced.node:
        if "_class" in node.attr:  # the device of a node that may be gone
            del node.attr["_class"]
    return reduced


def _image_of(function: Function) -> tf.Tensor:
    """Return the input that is no variable or constant from outside."""
    captured = {inner.name for _, inner in function.graph.captures}
    [image] = [tensor for tensor in function.inputs if tensor.name not in captured]
    return image


def _rebuilt(graph: Graph, function: Function) -> Function:
    """Return a function of one image that computes `graph` with the variables of `function`."""
    image = _image_of(function)

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


def _without_random_layers(graph: Graph, function: Function, name: str) -> Graph:
    """Return the graph with every random layer replaced by its input; the same object if there is none.

    Keras 3 exports augmentation layers as if in training. A layer is the smallest name scope that has one image going
    in and one of the same shape coming out. Raise `FreezeError` for a layer that is not of this kind.
    """
    while drawing := list(_draws(graph.node, _random_functions(graph))):
        scope = drawing[0].name
        while "/" in scope and not (ends := _ends(graph, scope := scope.rpartition("/")[0], function)):
            pass
        if "/" not in drawing[0].name or not ends:
            raise FreezeError(
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
        graph = _reduced(bypassed, function)
    return graph


def _ends(graph: Graph, scope: str, function: Function) -> tuple[str, set[str]] | None:
    """Return the one image that enters a name scope, and the one that leaves it; None if it is no layer."""
    from_image = {_image_of(function).op.name}
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
    return _renamed(changed, "_in_float32")
