"""The scale of pixel values that a model takes, and how to see it in the model itself."""

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
_RESCALING = ("Mul", "Sub", "Add", "AddV2", "RealDiv", "Div", "Identity", "Cast", "BiasAdd")


def scaled(pixels: "tf.Tensor", scale: Scale) -> "tf.Tensor":
    """Pixel values 0..255, float32 [N, H, W, 3], in another scale."""
    if scale == "0..1":
        return pixels / 255
    if scale == "-1..1":
        return pixels / 127.5 - 1
    if scale == "imagenet":
        return (pixels / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION
    if scale == "caffe":
        return pixels[..., ::-1] - CAFFE_MEAN
    return pixels


def _first_values(image: "tf.Tensor") -> "tf.Tensor":
    """The model's input after the arithmetic with constants that comes first, as of a Rescaling layer."""
    while True:
        users = [user for user in image.consumers() if user.type != "Shape"]
        if len(users) != 1 or users[0].type not in _RESCALING:
            return image
        others = [tensor for tensor in users[0].inputs if tensor is not image]
        if any(constant(tensor) is None for tensor in others):
            return image
        image = users[0].outputs[0]


def constant(tensor: "tf.Tensor") -> NDArray[Any] | None:
    """The value of a tensor of a frozen graph that is the same for every input; None where it is not."""
    if tensor.op.type in ("Identity", "Reshape", "Squeeze"):  # as of a variable, and of the bias of a convolution
        value = constant(tensor.op.inputs[0])
        return value.reshape(tensor.shape) if value is not None and tensor.shape.is_fully_defined() else None
    from tensorflow import get_static_value

    return get_static_value(tensor)


def expected_scale(frozen: "tf.types.experimental.ConcreteFunction") -> Scale | None:
    """`raw` where the model begins with rescaling 0..255, `0..1` where with rescaling that; None where it does neither.

    What the first arithmetic makes of a black and of a white picture tells; a model of TensorFlow Hub, for example,
    takes 0..1 and makes -1..1 of it. A batch normalization that comes first has learnt any scale: None.
    """
    from tensorflow import fill

    image = frozen.inputs[0]
    values = _first_values(image)
    if values is image:
        return None
    rescale = frozen.prune(image, values)
    black, dim, white = (rescale(fill((1, *image.shape[1:]), level)).numpy() for level in (0.0, 1.0, 255.0))

    def normalized(dark: NDArray[np.float32], bright: NDArray[np.float32]) -> bool:
        return bool(max(np.abs(dark).max(), np.abs(bright).max()) <= _NORMALIZED)

    if np.allclose(black, 0) and np.allclose(white, 255):
        return None
    if normalized(black, white) or (np.allclose(white - black, 255, rtol=1e-3) and black.max() < -_NORMALIZED):
        return "raw"  # the latter takes a mean colour off, as VGG does
    return "0..1" if normalized(black, dim) else None
