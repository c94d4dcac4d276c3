"""Adapt a .tflite file, float or full-integer, to the model contract."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from onnx import compose, numpy_helper
from tensorflow.lite.tools.flatbuffer_utils import read_model
from tqdm import tqdm

from ..errors import ExportError, reason_of
from ..serving import probabilities
from .adapt import LUMINANCE, Activation, AdaptedModel
from .operations import HANDLERS, OPSET
from .scale import Scale, scaled
from .tflite_metadata import Normalization, labels_in, normalization_in

_PASSED = ("QuantizeLinear", "DequantizeLinear", "Identity", "Reshape", "Squeeze")
# TFLite's integer kernels round each layer's values to 8 bits in their own way; the scores have steps of 1/256.
INTEGER_TOLERANCE = 0.02


class TfliteError(ExportError):
    """Report a .tflite file that is no image classifier. The message says what to do."""


def is_tflite(file: Path) -> bool:
    """Return whether a file is a TFLite model, by its content."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(8)[4:] == b"TFL3"


@dataclass(frozen=True)
class TfliteModel:
    """Wrap a TFLite classifier in the interface of `AdaptedModel`."""

    size: tuple[int, int]
    classes: int
    activation: Activation
    expects: Scale | None
    note: str | None
    labels: tuple[str, ...] | None
    tolerance: float
    proto: onnx.ModelProto
    _normalization: Normalization | None
    _interpreter: Any
    _cut: str

    has_class_maps = False

    @property
    def _input(self) -> dict[str, Any]:
        return self._interpreter.get_input_details()[0]

    @property
    def _output(self) -> dict[str, Any]:
        return self._interpreter.get_output_details()[0]

    def to_onnx(self, scale: Scale) -> onnx.ModelProto:
        """Return the ONNX model from `image`, uint8 [N, H, W, 3], to `logits`."""
        body = onnx.ModelProto.FromString(self.proto.SerializeToString())
        _free_batch(body)
        outputs = int(self._output["shape"][-1])
        del body.graph.output[:]
        body.graph.output.append(onnx.helper.make_tensor_value_info(self._cut, onnx.TensorProto.FLOAT, ["N", outputs]))
        shape = (None, *self.size, 3)

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, name="image")], autograph=False)
        def front(image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"prepared": self._prepared(image, scale)}

        @tf.function(input_signature=[tf.TensorSpec((None, outputs), tf.float32, name="scores")], autograph=False)
        def back(scores: tf.Tensor) -> dict[str, tf.Tensor]:
            logits = tf.reshape(scores, (-1, outputs))
            if self.activation == "probabilities":
                logits = tf.math.log(tf.maximum(logits, 1e-30))
            return {"logits": tf.concat([tf.zeros_like(logits), logits], axis=-1) if outputs == 1 else logits}

        made = [
            tf2onnx.convert.from_function(part, input_signature=part.input_signature, opset=OPSET)[0]
            for part in (front, back)
        ]
        body.ir_version = made[0].ir_version
        joined = compose.merge_models(
            compose.add_prefix(made[0], "front/"), body, [("front/prepared", body.graph.input[0].name)]
        )
        joined = compose.merge_models(joined, compose.add_prefix(made[1], "back/"), [(self._cut, "back/scores")])
        return _renamed(joined, {"front/image": "image", "back/logits": "logits"})

    def _prepared(self, image: tf.Tensor, scale: Scale) -> tf.Tensor:
        """Return pixels, uint8 [N, H, W, 3], as the model takes them: quantized input takes the bytes themselves."""
        kind = self._input["dtype"]
        if kind == np.uint8:
            return tf.identity(image)
        if kind == np.int8:
            return tf.cast(tf.cast(image, tf.int32) - 128, tf.int8)
        pixels = scaled(tf.cast(image, tf.float32), scale)
        if self._normalization:
            pixels = (pixels - self._normalization.mean) / self._normalization.deviation
        if self._input["shape"][-1] == 1:
            pixels = tf.reduce_sum(pixels * LUMINANCE, axis=3, keepdims=True)
        return pixels

    def confidences(self, pixels: NDArray[np.uint8], scale: Scale, task: str = "TFLite") -> NDArray[np.float64]:
        """Return TFLite's own answer, [N, C], 0..1, to pixels, uint8 [N, H, W, 3]; `task` names the bar."""
        rows = []
        for image in tqdm(pixels, task, unit="photo", mininterval=1):
            rows.append(_run(self._interpreter, self._prepared(tf.constant(image[np.newaxis]), scale).numpy()))
        scores: NDArray[Any] = np.stack(rows).astype(np.float64)
        if self.activation == "none":
            return probabilities(np.concatenate([0 * scores, scores], 1) if scores.shape[1] == 1 else scores, 1.0)
        return np.concatenate([1 - scores, scores], axis=1) if scores.shape[1] == 1 else scores

    def confidences_of(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what `confidences` should give if the served model gives `logits` [N, C]."""
        if self.activation == "sigmoid" and self._output["shape"][-1] > 1:
            return 1 / (1 + np.exp(-logits.astype(np.float64)))
        return probabilities(logits, 1.0)


ImageModel = AdaptedModel | TfliteModel


def load_tflite(file: Path, size: tuple[int, int] | None = None) -> TfliteModel:
    """Load a .tflite file; `size` (height, width) fills in what it leaves open. Raise `TfliteError`."""
    try:
        content = read_model(str(file))  # it notices a damaged file, with which the interpreter crashes
        normalization = normalization_in(content)
    except Exception as error:  # the parts of a damaged file are anything
        raise TfliteError(f"{file} is damaged: {reason_of(error)}. Save or copy it again.") from error
    try:
        interpreter = _interpreter(file, size)
        proto, _ = tf2onnx.convert.from_tflite(str(file), opset=OPSET, custom_op_handlers=HANDLERS)
    except ExportError:
        raise
    except Exception as error:  # neither has a class of its own
        raise TfliteError(
            f"{file} cannot be read as a TFLite model: {reason_of(error)}. If it has custom operations or operations "
            "of TensorFlow (Flex), give the Keras model or SavedModel that it was converted from."
        ) from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise TfliteError(
            f"{file} has {len(inputs)} inputs and {len(outputs)} outputs, but an image classifier has one of each: the "
            "image in, the classes' scores out. A detector cannot be served."
        )
    shape, scores = inputs[0]["shape"], outputs[0]["shape"]
    if len(shape) != 4 or shape[-1] not in (1, 3) or len(scores) < 2 or any(side != 1 for side in scores[:-1]):
        raise TfliteError(
            f"{file} turns {list(map(int, shape))} into {list(map(int, scores))}, but an image classifier turns "
            "[1, height, width, 3] into [1, classes]"
        )
    types = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    if np.int16 in types:
        raise TfliteError(f"{file} computes in 16-bit integers, which ONNX cannot: convert it in float or 8 bits")
    quantized = inputs[0]["dtype"] in (np.uint8, np.int8)
    integer = bool(types & {np.uint8, np.int8})
    activation, cut = _activation(proto)
    if activation == "none":
        random = np.random.default_rng(1).integers(0, 256, (4, *shape[1:]))
        values = (random - (128 if inputs[0]["dtype"] == np.int8 else 0)).astype(inputs[0]["dtype"])
        answers = np.stack([_run(interpreter, value[np.newaxis]) for value in values])
        if answers.shape[1] > 1 and answers.min() >= 0 and np.allclose(answers.sum(axis=1), 1, atol=0.02):
            activation = "probabilities"
    return TfliteModel(
        size=(int(shape[1]), int(shape[2])),
        classes=max(int(scores[-1]), 2),
        activation=activation,
        expects="raw" if quantized or normalization else None,
        note="TFLite computes in integers, and rounds in its own way" if integer else None,
        labels=labels_in(file),
        tolerance=INTEGER_TOLERANCE if integer else AdaptedModel.tolerance,
        proto=proto,
        _normalization=normalization,
        _interpreter=interpreter,
        _cut=cut,
    )


def _interpreter(file: Path, size: tuple[int, int] | None) -> Any:
    """Return TFLite's interpreter for images of `size`, if the file leaves it open. Raise `TfliteError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notice that the interpreter has moved to another package
        interpreter = tf.lite.Interpreter(model_path=str(file))
    details = interpreter.get_input_details()
    shape = [int(side) for side in details[0]["shape_signature"]] if details else []
    if len(shape) == 4 and -1 in shape[1:3]:
        if size is None:
            raise TfliteError(f"{file} takes images of any size: say which it was trained on, as --input-size 224x224")
        interpreter.resize_tensor_input(details[0]["index"], (1, *size, shape[3]))
    elif size is not None:
        raise TfliteError(f"{file} takes images of {'x'.join(map(str, shape[1:3]))} pixels: leave --input-size out")
    interpreter.allocate_tensors()
    return interpreter


def _run(interpreter: Any, image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the scores [C] of one image as real numbers."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    details = interpreter.get_output_details()[0]
    scores = interpreter.get_tensor(details["index"]).reshape(-1).astype(np.float64)
    step, zero = details["quantization"]
    return (scores - zero) * step if step else scores


def _activation(model: onnx.ModelProto) -> tuple[Activation, str]:
    """Return the final activation, and the tensor before it: real numbers, not quantized ones."""
    makers = {name: node for node in model.graph.node for name in node.output}
    tensor = model.graph.output[0].name
    if (last := makers[tensor]).op_type == "QuantizeLinear":
        tensor = last.input[0]
    node = makers[tensor]
    while node.op_type in _PASSED and node.input[0] in makers:
        node = makers[node.input[0]]
    if node.op_type in ("Softmax", "Sigmoid"):
        return ("softmax" if node.op_type == "Softmax" else "sigmoid"), node.input[0]
    return "none", tensor


def _free_batch(model: onnx.ModelProto) -> None:
    """Let the model take any number of images. TFLite files are often made for one."""
    del model.graph.value_info[:]
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            shape = numpy_helper.to_array(constants[node.input[1]]).copy()
            if shape.size and shape[0] == 1:
                shape[0] = 0  # as many as come in
                name = f"{node.output[0]}__shape"
                model.graph.initializer.append(numpy_helper.from_array(shape, name))
                node.input[1] = name


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Give the model's input and output their names by the contract."""
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    return model
