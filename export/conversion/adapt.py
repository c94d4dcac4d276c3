"""Adapt an image classifier to the model contract: uint8 pixels in, logits and, if possible, class maps out.

This works on the frozen TensorFlow graph, which is the same for every library and file format.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import ExportError, reason_of
from ..serving import probabilities
from .freeze import freeze
from .scale import Scale, constant, expected_scale, scaled
from .source_model import SourceModel

Activation = Literal["softmax", "sigmoid", "probabilities", "none"]
# ITU-R BT.601, as Pillow's convert("L") weighs the channels.
LUMINANCE = (0.299, 0.587, 0.114)
BATCH = 16


class AdaptError(ExportError):
    """Report a model that is no image classifier of a supported kind. The message says what to do."""


class _InputForm(NamedTuple):
    """Hold height and width in pixels, the number of channels, and whether they come before height and width."""

    height: int
    width: int
    channels: int
    channels_first: bool


def _input_form(source: SourceModel, size: tuple[int, int] | None) -> _InputForm:
    """Return the form of the input. `size` is for a model that leaves it open. Raise `AdaptError`."""
    shape = source.shape
    if len(shape) != 3 or not (source.dtype.is_floating or source.dtype.is_integer):
        raise AdaptError(
            f"the input of {source.name} is {source.dtype.name} [N, {', '.join(map(str, shape))}], but an image "
            "classifier takes numbers [N, height, width, channels]"
        )
    channels_first = shape[0] in (1, 3) and shape[2] not in (1, 3)
    channels, *sides = shape if channels_first else (shape[2], shape[0], shape[1])
    if channels not in (1, 3):
        raise AdaptError(f"the input of {source.name} has {channels} channels: 3 (RGB) or 1 (grey) can be served")
    if size is None and None in sides:
        raise AdaptError(
            f"{source.name} takes images of any size: say which it was trained on, as --input-size 224x224"
        )
    if size is not None and any(side not in (None, given) for side, given in zip(sides, size, strict=True)):
        raise AdaptError(f"{source.name} takes images of {sides[0]}x{sides[1]} pixels: leave --input-size out")
    height, width = size or sides
    return _InputForm(int(height or 0), int(width or 0), channels, channels_first)


def _scores(source: SourceModel, form: _InputForm) -> tf.types.experimental.PolymorphicFunction:
    """Return the model itself as a TensorFlow function, from float32 [N, H, W, channels] (or [N, channels, H, W])."""
    shape = (
        (form.channels, form.height, form.width) if form.channels_first else (form.height, form.width, form.channels)
    )

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32, name="image")], autograph=False)
    def scores(image: tf.Tensor) -> tf.Tensor:
        return tf.cast(source.call(tf.cast(image, source.dtype)), tf.float32)

    return scores


def _before(tensor: tf.Tensor, passed: Iterable[str] = ()) -> tf.Tensor:
    """Return the tensor that reaches `tensor` through operations that change no value, or of the types `passed`."""
    while tensor.op.type in ("Identity", "StopGradient", "Cast", *passed) and tensor.op.inputs:
        tensor = tensor.op.inputs[0]
    return tensor


class _LinearHead(NamedTuple):
    """Hold evidence [N, h, w, D] whose mean, times `kernel` [D, C], plus `bias` [C], is the logits; None is identity.

    With `channels_first` the evidence is [N, D, h, w].
    """

    evidence: tf.Tensor
    channels_first: bool
    kernel: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | None = None


def _averaged(tensor: tf.Tensor) -> _LinearHead | None:
    """Return the head that averages over height and width and gives `tensor`; None for any other."""
    operation = _before(tensor, passed=("Reshape", "Squeeze")).op
    if operation.type != "Mean" or operation.inputs[0].shape.rank != 4:
        return None
    reduced = constant(operation.inputs[1])
    axes = [] if reduced is None else sorted(int(axis) % 4 for axis in np.ravel(reduced))
    return _LinearHead(operation.inputs[0], axes == [2, 3]) if axes in ([1, 2], [2, 3]) else None


def _linear_head(logits: tf.Tensor) -> _LinearHead | None:
    """Return the average pooling, and the linear layer if any, that give the logits; None for any other head."""
    if (pooled := _averaged(logits)) is not None:
        return pooled
    operation, bias = _before(logits, passed=("Reshape", "Squeeze")).op, None
    if operation.type in ("BiasAdd", "AddV2", "Add"):
        bias = constant(operation.inputs[1])
        if bias is None:
            return None
        operation = _before(operation.inputs[0]).op
    plain_product = operation.type == "MatMul" and not any(map(operation.get_attr, ("transpose_a", "transpose_b")))
    if not plain_product and operation.type != "Conv2D":
        return None
    pooled, kernel = _averaged(operation.inputs[0]), constant(operation.inputs[1])
    if pooled is None or kernel is None or kernel.size != kernel.shape[-2] * kernel.shape[-1]:
        return None
    classes = kernel.shape[-1]
    bias = np.zeros(classes, np.float32) if bias is None else bias.reshape(-1)
    return pooled._replace(kernel=kernel.reshape(-1, classes), bias=bias)


@dataclass(frozen=True)
class AdaptedModel:
    """Wrap a source model by the contract: export `serving_function`, compare it with the source's `confidences`.

    `size` is (height, width) in pixels, `classes` the number of labels that it wants (2 for one output), `activation`
    what ends the model and is left out of the served graph, `expects` the scale of its input if it shows that. `note`
    says how the served computation had to differ from the source's.
    """

    size: tuple[int, int]
    classes: int
    activation: Activation
    expects: Scale | None
    note: str | None
    labels: tuple[str, ...] | None
    _form: _InputForm
    _outputs: int
    _scores: Callable[[tf.Tensor], tf.Tensor]
    _frozen: tf.types.experimental.ConcreteFunction
    _logits: tf.Tensor
    _head: _LinearHead | None

    tolerance: ClassVar[float] = 1e-4  # the largest difference of a probability from the source's

    @property
    def has_class_maps(self) -> bool:
        """Return whether the served model has the output `class_maps`."""
        return self._head is not None

    def serving_function(self, scale: Scale) -> tf.types.experimental.PolymorphicFunction:
        """Return what is served: from `image`, uint8 [N, H, W, 3], to `logits` [N, C] and `class_maps` [N, h, w, C].

        A linear last layer is applied before the average pooling: the mean of a class's map is its logit, so that the
        map shows exactly where the evidence lies (B. Zhou et al., "Learning Deep Features for Discriminative
        Localization", CVPR 2016). Without such a layer there are no `class_maps`.
        """
        head = self._head
        computed = self._frozen.prune(self._frozen.inputs[0], self._logits if head is None else head.evidence)

        @tf.function(input_signature=[tf.TensorSpec((None, *self.size, 3), tf.uint8, name="image")], autograph=False)
        def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
            outcome = computed(self._prepared(image, scale))
            if head is None:
                return {"logits": self._by_label(tf.reshape(outcome, (-1, self._outputs)))}
            if head.channels_first:
                outcome = tf.transpose(outcome, (0, 2, 3, 1))
            if head.kernel is not None:
                outcome = tf.nn.conv2d(outcome, head.kernel[None, None], 1, "VALID") + head.bias
            class_maps = self._by_label(outcome)
            return {"logits": tf.reduce_mean(class_maps, axis=(1, 2)), "class_maps": class_maps}

        return serve

    def _prepared(self, image: tf.Tensor, scale: Scale) -> tf.Tensor:
        """Return pixels, uint8 [N, H, W, 3], as the model takes them."""
        pixels = scaled(tf.cast(image, tf.float32), scale)
        if self._form.channels == 1:
            pixels = tf.reduce_sum(pixels * LUMINANCE, axis=3, keepdims=True)
        return tf.transpose(pixels, (0, 3, 1, 2)) if self._form.channels_first else pixels

    def _by_label(self, logits: tf.Tensor) -> tf.Tensor:
        """Return a logit for each label, on the last axis. One output is the second label's; the first gets 0."""
        if self.activation == "probabilities":
            logits = tf.math.log(tf.maximum(logits, 1e-30))
        return tf.concat([tf.zeros_like(logits), logits], axis=-1) if self._outputs == 1 else logits

    def confidences(self, pixels: NDArray[np.uint8], scale: Scale, task: str = "TensorFlow") -> NDArray[np.float64]:
        """Return the source model's own answer, [N, C], 0..1, to pixels, uint8 [N, H, W, 3]; `task` names the bar.

        Nothing of the served graph takes part. If the source ends in logits, they go through a softmax, as served.
        """
        starts = tqdm(range(0, len(pixels), BATCH), task, unit="batch", mininterval=1)
        batches = (self._prepared(tf.constant(pixels[start : start + BATCH]), scale) for start in starts)
        scores = np.concatenate([self._scores(batch).numpy() for batch in batches]).reshape(len(pixels), -1)
        scores = scores.astype(np.float64)
        if self.activation == "none":
            return probabilities(np.concatenate([0 * scores, scores], axis=1) if self._outputs == 1 else scores, 1.0)
        return np.concatenate([1 - scores, scores], axis=1) if self._outputs == 1 else scores

    def confidences_of(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what `confidences` should give if the served model gives `logits` [N, C]."""
        if self.activation == "sigmoid" and self._outputs > 1:  # each stands for itself
            return 1 / (1 + np.exp(-logits.astype(np.float64)))
        return probabilities(logits, 1.0)


def adapt(source: SourceModel, size: tuple[int, int] | None = None) -> AdaptedModel:
    """Adapt `source`. Give `size` (height, width) only if the model leaves it open.

    Raise `AdaptError` for a model that cannot be served.
    """
    form = _input_form(source, size)
    model = freeze(_scores(source, form), source.name)
    frozen = model.graph
    try:
        answer = model.answers(tf.random.stateless_uniform((4, *frozen.inputs[0].shape[1:]), (1, 2), 0, 255)).numpy()
    except tf.errors.OpError as error:
        raise AdaptError(
            f"TensorFlow cannot run {source.name} on this processor: {reason_of(error)}.\nA channels-first model needs "
            "data_format='channels_last'."
        ) from error
    output = frozen.outputs[0]
    if output.shape.rank is None or output.shape.rank < 2 or any(side != 1 for side in output.shape[1:-1]):
        raise AdaptError(f"the output of {source.name} is {output.shape}, but a classifier's is [N, classes]")
    last = _before(output, passed=("Reshape", "Squeeze")).op
    activation: Activation = "none"
    if last.type in ("Softmax", "Sigmoid"):
        activation, output = ("softmax" if last.type == "Softmax" else "sigmoid"), last.inputs[0]
    if activation == "softmax" and answer.shape[-1] == 1:
        raise AdaptError(
            f"{source.name} ends in a softmax over one output, which is 1 for every image. Train it with one output "
            "for each class, or with a sigmoid."
        )
    shares = answer.shape[-1] > 1 and answer.min() >= 0 and np.allclose(answer.sum(axis=-1), 1, atol=1e-3)
    if activation == "none" and shares:
        activation = "probabilities"
    return AdaptedModel(
        size=(form.height, form.width),
        classes=max(answer.shape[-1], 2),
        activation=activation,
        expects=source.scale or ("raw" if source.dtype.is_integer else expected_scale(frozen)),
        _form=form,
        _outputs=answer.shape[-1],
        note=model.note,
        labels=source.labels,
        _scores=model.answers,
        _frozen=frozen,
        _logits=output,
        _head=None if activation == "probabilities" else _linear_head(output),
    )
