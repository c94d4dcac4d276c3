"""Test that layers which tf2onnx alone cannot convert answer as in TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers

from export.conversion.adapt import adapt
from export.conversion.convert import ConversionError, layer_of
from export.conversion.operations import HANDLERS
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


def computing(compute: Callable[[tf.Tensor], tf.Tensor], folder: Path) -> Path:
    """Save a SavedModel of scores [N, 3] that are the means of what is computed of images."""

    @tf.function(input_signature=[tf.TensorSpec((None, 24, 32, 3), tf.float32, "image")])
    def scores(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.nn.softmax(tf.reduce_mean(compute(image), axis=(1, 2))[:, :3] * 9)}

    tf.saved_model.save(tf.Module(), str(folder / "m"), signatures=scores)
    return folder / "m"


COMPUTED: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "patches": lambda image: tf.image.extract_patches(image[:, :9], [1, 3, 2, 1], [1, 4, 3, 1], [1, 2, 1, 1], "SAME"),
    "loop": lambda image: tf.while_loop(lambda count, _: count < 3, lambda count, x: (count + 1, x * x), [0, image])[1],
    "cropped": lambda image: tf.image.crop_and_resize(
        image, tf.tile([[0.1, 0.2, 0.9, 0.7]], [tf.shape(image)[0], 1]), tf.range(tf.shape(image)[0]), (20, 20)
    ),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_translated_operation_answers_as_tensorflow(name: str, tmp_path: Path) -> None:
    model = adapt(load_source(computing(COMPUTED[name], tmp_path)))
    assert difference(model, "0..1", tmp_path) < 1e-5


def _turned(image: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image,
        transforms=[[0.9, 0.1, 0, -0.1, 0.9, 0, 0, 0]],
        output_shape=[24, 32],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        pytest.param(_turned, "ImageProjectiveTransformV3 .*turns, shifts or zooms", id="projective-transform"),
        pytest.param(
            lambda image: tf.ensure_shape(tf.numpy_function(lambda x: x, [image], tf.float32), (None, 24, 32, 3)),
            "PyFunc .*Write it with TensorFlow's operations",
            id="python",
        ),
        pytest.param(lambda image: tf.math.lgamma(image + 1), "Lgamma .*Replace the layer", id="other"),
    ],
)
def test_operation_without_counterpart_has_a_way_out(
    compute: Callable[[tf.Tensor], tf.Tensor], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match=f"ONNX has no operation for {message}"):
        served(adapt(load_source(computing(compute, tmp_path))), tmp_path, "0..1")


def test_tf2onnx_failure_names_operation_and_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setitem(HANDLERS, "MaxPool", (fail, []))
    model = adapt(load_source(saved(network(layers.MaxPooling2D(name="halve"), *head()), tmp_path)))
    with pytest.raises(ConversionError, match=r"invalid ONNX model, MaxPool in layer \S*halve\S*: .*Replace the layer"):
        served(model, tmp_path, "0..1")


def test_unknown_operation_names_the_layer(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3))
    spectrum = keras.ops.fft2((image[..., 0], image[..., 1]))[0]
    model = keras.Model(image, layers.Dense(3, "softmax")(layers.Flatten()(spectrum)))
    with pytest.raises(
        ConversionError, match=r"ONNX has no operation for \w+ in layer \S+\. ONNX has no complex numbers"
    ):
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
