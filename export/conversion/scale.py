"""Scale pixel values as a model takes them, and find that scale in the model itself."""

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf  # for the types alone: the commands list the scales without its slow import

Scale = Literal["raw", "0..1", "-1..1", "imagenet", "caffe"]
SCALES: tuple[Scale, ...] = get_args(Scale)
# What the command line takes: the scales, and names for those that a shell or argparse may misread.
SCALE_NAMES: dict[str, Scale] = {**{scale: scale for scale in SCALES}, "unit": "0..1", "symmetric": "-1..1"}
# Keras's preprocess_input of the mode "torch": the ImageNet statistics that PyTorch's models are trained with, too.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# Keras's preprocess_input of the mode "caffe", as of VGG and ResNet: blue, green, red, less the mean of ImageNet.
CAFFE_MEAN = (103.939, 116.779, 123.68)
# Values of this size, and no larger, are what networks are trained on.
_NORMALIZED = 20.0
_ARITHMETIC = ("Mul", "Sub", "Add", "AddV2", "RealDiv", "Div", "BiasAdd", "Cast", "Identity", "StopGradient")
# What moves values without changing them: preprocess_input reverses the channels, heads of several crops cut.
_LAYOUT = (
    *("Reshape", "Transpose", "ExpandDims", "Squeeze", "StridedSlice", "Slice", "Split", "Unpack", "Pack", "Concat"),
    *("ConcatV2", "ReverseV2", "GatherV2", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"),
)


def scaled(pixels: "tf.Tensor", scale: Scale) -> "tf.Tensor":
    """Return pixel values 0..255, float32 [N, H, W, 3], in another scale."""
    if scale == "0..1":
        return pixels / 255
    if scale == "-1..1":
        return pixels / 127.5 - 1
    if scale == "imagenet":
        return (pixels / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION
    if scale == "caffe":
        return pixels[..., ::-1] - CAFFE_MEAN
    return pixels


def _first_values(image: "tf.Tensor") -> list["tf.Tensor"]:
    """Return the input of the network proper: the image after the leading arithmetic with constants."""
    passed = {image.ref()}
    inner = set()
    for operation in image.graph.get_operations():
        if operation.type not in _ARITHMETIC + _LAYOUT or not any(
            tensor.ref() in passed for tensor in operation.inputs
        ):
            continue
        if all(tensor.ref() in passed or _is_constant(tensor) for tensor in operation.inputs):
            passed |= {tensor.ref() for tensor in operation.outputs}
            inner.add(operation)
    return [
        tensor
        for tensor in (reference.deref() for reference in passed)
        if any(user not in inner and user.type != "Shape" for user in tensor.consumers())
    ]


def _is_constant(tensor: "tf.Tensor") -> bool:
    """Return whether a tensor is a constant, or a size that is computed from the image's."""
    return tensor.dtype.is_integer or constant(tensor) is not None


def constant(tensor: "tf.Tensor") -> NDArray[Any] | None:
    """Return the value of a frozen graph's tensor that is the same for every input; None if it is not."""
    if tensor.op.type in ("Identity", "Reshape", "Squeeze"):  # as of a variable, and of the bias of a convolution
        value = constant(tensor.op.inputs[0])
        return value.reshape(tensor.shape) if value is not None and tensor.shape.is_fully_defined() else None
    from tensorflow import get_static_value

    return get_static_value(tensor)


def expected_scale(frozen: "tf.types.experimental.ConcreteFunction") -> Scale | None:
    """Return `raw` if the model begins by rescaling 0..255, `0..1` if by rescaling 0..1, and None otherwise.

    The result of the first arithmetic for a black and for a white picture decides. A model of TensorFlow Hub, for
    example, takes 0..1 and makes -1..1 of it. For a batch normalization that comes first, which learns any scale,
    return None.
    """
    from tensorflow import fill

    image = frozen.inputs[0]
    values = _first_values(image)
    if not values or any(tensor is image for tensor in values):
        return None
    rescale = frozen.prune(image, values)
    black, dim, white = (rescale(fill((1, *image.shape[1:]), level)) for level in (0.0, 1.0, 255.0))
    found = {_scale_of(*(shade.numpy() for shade in shades)) for shades in zip(black, dim, white, strict=True)}
    return found.pop() if len(found) == 1 else None


def _scale_of(black: NDArray[Any], dim: NDArray[Any], white: NDArray[Any]) -> Scale | None:
    """Return the scale of pixels for which arithmetic turns the values 0, 1 and 255 into these."""

    def normalized(dark: NDArray[Any], bright: NDArray[Any]) -> bool:
        return bool(max(np.abs(dark).max(), np.abs(bright).max()) <= _NORMALIZED)

    if np.allclose(black, 0) and np.allclose(white, 255):
        return None
    if normalized(black, white) or (np.allclose(white - black, 255, rtol=1e-3) and black.max() < -_NORMALIZED):
        return "raw"  # the latter takes a mean colour off, as VGG does
    return "0..1" if normalized(black, dim) else None
