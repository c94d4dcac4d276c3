"""Read and rewrite TensorFlow graphs."""

from typing import Any

import tensorflow as tf
from tensorflow.python.grappler import tf_optimizer

Graph = Any  # tf.compat.v1.GraphDef, which has no types
Function = Any  # tf.types.experimental.ConcreteFunction

_KEEPS_FROM_INLINING = ("_XlaMustCompile", "_noinline", "api_implements")


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
    return renamed(tf_optimizer.OptimizeGraph(config, meta), "_inlined")


def renamed(graph: Graph, ending: str) -> Graph:
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
    """Return the name of the node that a tensor, or a control input, comes from."""
    return tensor.removeprefix("^").partition(":")[0]


def reduced(graph: Graph, function: Function) -> Graph:
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


def image_of(function: Function) -> tf.Tensor:
    """Return the input that is no variable or constant from outside."""
    captured = {inner.name for _, inner in function.graph.captures}
    [image] = [tensor for tensor in function.inputs if tensor.name not in captured]
    return image
