"""Test that layers which tf2onnx alone cannot convert answer as in TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from export.conversion.adapt import adapt
from export.conversion.convert import ConversionError, layer_of
from export.conversion.source_model import load_source
from tests.support.models import difference, network, saved, served


def resizing(interpolation: str, old: int = 320, new: int = 299) -> Any:
    """Return a network that resizes its images first."""
    layer = layers.Resizing(new, new, interpolation=interpolation)
    return network(layer, layers.Conv2D(4, 3, strides=4), *head(), shape=(old, old, 3))


def head() -> tuple[Any, ...]:
    """Return the last layers of a classifier."""
    return layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")


MODELS: dict[str, Callable[[], Any]] = {
    "gelu": lambda: network(layers.Conv2D(8, 3, activation="gelu"), *head()),
    "celu": lambda: network(layers.Conv2D(8, 3, activation="celu"), *head()),
    "grouped": lambda: network(layers.Conv2D(8, 3), layers.Conv2D(8, 3, groups=4), *head()),
    "depthwise-wide": lambda: network(layers.DepthwiseConv2D(3, depth_multiplier=2), *head()),
    "bilinear": lambda: resizing("bilinear"),
    "bicubic": lambda: resizing("bicubic"),
    "nearest": lambda: resizing("nearest"),
    "area": lambda: resizing("area"),
    "lanczos3": lambda: resizing("lanczos3", 64, 50),
    "nearest-224-180": lambda: resizing("nearest", 224, 180),
    "gru": lambda: network(layers.Reshape((24, 96)), layers.Bidirectional(layers.GRU(4)), *head()[1:]),
    "convolutional-lstm": lambda: network(layers.Reshape((4, 6, 32, 3)), layers.ConvLSTM2D(3, 3), *head()),
    "padded": lambda: network(layers.Resizing(20, 20, pad_to_aspect_ratio=True), *head()),
    "upsampled": lambda: network(layers.Conv2D(4, 3), layers.UpSampling2D(2, interpolation="bilinear"), *head()),
}


@pytest.mark.parametrize("name", MODELS)
def test_layer_beyond_tf2onnx_answers_as_in_tensorflow(name: str, tmp_path: Path) -> None:
    model = adapt(load_source(saved(MODELS[name](), tmp_path)))
    assert difference(model, "0..1", tmp_path) < 1e-5


def test_unknown_operation_names_the_layer(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3))
    spectrum = keras.ops.fft2((image[..., 0], image[..., 1]))[0]
    model = keras.Model(image, layers.Dense(3, "softmax")(layers.Flatten()(spectrum)))
    with pytest.raises(ConversionError, match=r"ONNX has no operation for \w+ in layer \S+\. Replace the layer"):
        served(adapt(load_source(saved(model, tmp_path))), tmp_path, "0..1")


@pytest.mark.parametrize(
    ("node", "layer"),
    [
        ("StatefulPartitionedCall/PartitionedCall/net/block1_gelu/Gelu/Erfc__1", "net/block1_gelu/Gelu"),
        ("Erfc", "Erfc"),
    ],
)
def test_layer_of_a_node_leaves_out_calls(node: str, layer: str) -> None:
    assert layer_of(node) == layer
