"""Load SavedModels and frozen graphs: find the function to call, its input, and its output."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..errors import ExportError, reason_of
from .encoded_input import from_pixels
from .graph import Function, inlined, node_of
from .scale import Scale

_PICTURES = [
    tf.io.encode_png(np.full((32, 32, 3), shade, np.uint8)).numpy()  # a black and a grey one
    for shade in (0, 128)
]


class SavedModelError(ExportError):
    """Report a SavedModel or frozen graph that is no image classifier, or leaves a choice open."""


class Computation(NamedTuple):
    """Hold what `SourceModel` needs: the call, its input, and the scale and labels if the graph shows them."""

    call: Callable[[tf.Tensor], tf.Tensor]
    shape: tuple[int | None, ...]
    dtype: tf.DType
    scale: Scale | None = None
    labels: tuple[str, ...] | None = None


def from_saved_model(folder: Path, signature: str | None, output: str | None) -> Computation:
    """Load the model in a folder. `signature` and `output` choose if it has several. Raise `SavedModelError`."""
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow's errors share no class of their own
        raise SavedModelError(
            f"{folder} is no SavedModel that TensorFlow can load: {reason_of(error)}. Copy the whole folder again, "
            "with its variables/ and assets/."
        ) from error
    signatures = dict(loaded.signatures)
    function = _chosen_signature(signatures, signature, folder) if signatures else _callable(loaded, folder)
    arguments, options = function.structured_input_signature
    # An option's name is as the model's author wrote it; TensorFlow changes it in the graph.
    inputs = {name: spec for name, spec in options.items() if isinstance(spec, tf.TensorSpec)}
    inputs |= {spec.name: spec for spec in tf.nest.flatten(arguments) if isinstance(spec, tf.TensorSpec)}
    results = function.structured_outputs
    # TensorFlow orders the outputs of a signature by their names.
    outputs = dict(zip(sorted(results) if isinstance(results, dict) else [""], function.outputs, strict=False))
    if len(tf.nest.flatten(results)) != len(outputs):
        raise SavedModelError(f"{folder} has outputs without names: save it with a signature")
    chosen = choose_output({name: tensor.shape for name, tensor in outputs.items() if _scores(tensor)}, output, folder)
    image = _chosen_input(function, inputs, outputs[chosen], folder)

    def run(value: tf.Tensor, _owner: Any = loaded) -> Any:  # what a traced function computes is owned by `loaded`
        if not options:
            return function(value)
        return function(**{name: value if spec is image else _filler(spec) for name, spec in inputs.items()})

    labels = _labels(run, image, results, outputs[chosen])
    if image.dtype == tf.string:
        decoded = from_pixels(function, outputs[chosen].name, str(folder))

        def call_decoded(images: tf.Tensor, _owner: Any = loaded) -> tf.Tensor:
            return decoded.call(images)

        return Computation(call_decoded, (*decoded.size, 3), tf.uint8, "raw", labels)

    def call(images: tf.Tensor) -> tf.Tensor:
        scores = run(images)
        return scores[chosen] if isinstance(results, dict) else tf.nest.flatten(scores)[0]

    if image.shape.rank is None:
        raise SavedModelError(f"{folder} does not state the shape of its input: save it with an input signature")
    return Computation(call, tuple(image.shape[1:]), image.dtype, None, labels)


def from_frozen_graph(file: Path, output: str | None) -> Computation:
    """Load the frozen graph of TensorFlow 1 in a file. Raise `SavedModelError`."""
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(file.read_bytes())
        with tf.Graph().as_default() as shapes:
            tf.import_graph_def(graph, name="")
    except Exception as error:  # protobuf's and TensorFlow's share no class
        raise SavedModelError(f"{file} is no frozen graph of TensorFlow: {reason_of(error)}") from error
    used = {node_of(name) for node in graph.node for name in node.input}
    last = [shapes.get_operation_by_name(node.name) for node in graph.node if node.name not in used]
    found = {operation.name: operation.outputs[0] for operation in last if operation.outputs}
    scores = {name: tensor.shape for name, tensor in found.items() if _scores(tensor)}
    if output is not None and output in {node.name for node in graph.node}:
        scores[output] = shapes.get_operation_by_name(output).outputs[0].shape
    chosen = choose_output(scores, output, file)
    images = [operation.outputs[0] for operation in shapes.get_operations() if operation.type == "Placeholder"]
    images = [tensor for tensor in images if tensor.shape.rank == 4 or tensor.dtype == tf.string]
    if len(images) != 1:
        raise SavedModelError(
            f"{file} has {len(images)} inputs of images ({', '.join(tensor.op.name for tensor in images) or 'none'}), "
            "but an image classifier has one. Freeze the graph with one placeholder for the images."
        )
    [image] = images

    def compute(value: tf.Tensor) -> tf.Tensor:
        return tf.import_graph_def(graph, {image.name: value}, [f"{chosen}:0"], name="")[0]

    function = tf.compat.v1.wrap_function(compute, [tf.TensorSpec(image.shape, image.dtype)])
    if image.dtype == tf.string:
        decoded = from_pixels(function, function.outputs[0].name, str(file))
        return Computation(decoded.call, (*decoded.size, 3), tf.uint8, "raw")
    return Computation(function, tuple(image.shape[1:]), image.dtype)


def choose_output(outputs: Mapping[str, Any], wanted: str | None, path: Path) -> str:
    """Return the name of the output that has the scores. Raise `SavedModelError` if that is open."""
    if not outputs:
        raise SavedModelError(
            f"{path} has no output of scores, real numbers [N, classes]. Save the model with its scores as an output: "
            "what comes before an argmax or a decoding of labels."
        )
    if wanted is None and len(outputs) == 1:
        return next(iter(outputs))
    if wanted in outputs:
        return str(wanted)
    listed = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
    if wanted is not None:
        raise SavedModelError(f"{path} has no output {wanted!r} of scores. It has: {listed}")
    raise SavedModelError(
        f"{path} has {len(outputs)} outputs ({listed}), but an image classifier has one. "
        "Choose the one that has the classes' scores with --output NAME."
    )


def _scores(tensor: tf.Tensor) -> bool:
    return bool(tensor.dtype.is_floating) and tensor.shape.rank not in (0, 1)


def _takes_image(function: Function) -> bool:
    specs = [spec for spec in tf.nest.flatten(function.structured_input_signature) if isinstance(spec, tf.TensorSpec)]
    return any(spec.dtype != tf.string and spec.shape.rank in (4, None) for spec in specs)


def _chosen_signature(signatures: Mapping[str, Function], wanted: str | None, folder: Path) -> Function:
    """Return the wanted signature, else the one that takes pixels, else the default one."""
    if wanted in signatures:
        return signatures[str(wanted)]
    pixels = [name for name, function in signatures.items() if _takes_image(function)]
    if wanted is None:
        if "serving_default" in signatures and ("serving_default" in pixels or len(pixels) != 1):
            return signatures["serving_default"]
        if len(pixels) == 1 or len(signatures) == 1:
            return signatures[(pixels or list(signatures))[0]]
    raise SavedModelError(
        f"{folder} has the signatures {', '.join(sorted(signatures))}. Choose the one that takes the image with "
        "--signature NAME."
    )


def _callable(loaded: Any, folder: Path) -> Function:
    """Return the inference function of a SavedModel that can be called, as those of TensorFlow Hub."""
    traced = getattr(loaded.__call__, "concrete_functions", []) if callable(loaded) else []
    for function in traced:
        values = tf.nest.flatten(function.structured_input_signature)
        if True not in [value for value in values if isinstance(value, bool)]:
            return function
    raise SavedModelError(
        f"{folder} has no signature and cannot be called. Save it as a SavedModel with a signature, with "
        "model.export('folder') (Keras 3) or model.save('folder') (Keras 2)."
    )


def _filler(spec: tf.TensorSpec) -> tf.Tensor:
    """Return a value for an input that the scores do not depend on."""
    shape = [side or 1 for side in spec.shape]
    return tf.fill(shape, "") if spec.dtype == tf.string else tf.zeros(shape, spec.dtype)


def _chosen_input(
    function: Function, inputs: Mapping[str, tf.TensorSpec], scores: tf.Tensor, folder: Path
) -> tf.TensorSpec:
    """Return the input that the scores depend on. Raise `SavedModelError` if there are several."""
    if len(inputs) > 1:
        graph = inlined(function)
        by_name = {node.name: node for node in graph.node}
        wanted, needed = [scores.op.name], set()
        while wanted:
            name = wanted.pop()
            if name not in needed:
                needed.add(name)
                wanted += [node_of(tensor) for tensor in by_name[name].input if not tensor.startswith("^")]
        inputs = {name: spec for name, spec in inputs.items() if spec.name in needed}
    if len(inputs) != 1:
        raise SavedModelError(
            f"{folder} has {len(inputs)} inputs ({', '.join(inputs) or 'none'}), but an image classifier has one. "
            "Save a model that keeps only one: the image in, the classes' scores out."
        )
    return next(iter(inputs.values()))


def _labels(
    run: Callable[[tf.Tensor], Any], image: tf.TensorSpec, results: Any, scores: tf.Tensor
) -> tuple[str, ...] | None:
    """Return the labels that a signature answers with, if their order is the same for every picture."""
    texts = [name for name, spec in results.items() if spec.dtype == tf.string] if isinstance(results, dict) else []
    if not texts:
        return None
    if image.dtype == tf.string:
        pictures: Sequence[Any] = [tf.constant([picture]) for picture in _PICTURES]
    else:
        shape = [side or 32 for side in (*image.shape,)]
        shape[0] = 1
        pictures = [tf.cast(tf.fill(shape, shade), image.dtype) for shade in (0, 128)]
    for encode in (lambda value: value, tf.io.encode_base64):
        try:
            answers = [run(encode(picture)) for picture in pictures]
        except (tf.errors.OpError, ValueError):
            continue
        for name in texts:
            first, second = (np.ravel(answer[name].numpy()) for answer in answers)
            if len(first) == scores.shape[-1] and np.array_equal(first, second):
                return tuple(text.decode() for text in first)
        return None
    return None
