"""Test models that cannot be saved again: encoded input, several signatures or outputs, frozen graphs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from export.conversion.adapt import adapt
from export.conversion.source_model import load_source
from export.errors import ExportError
from export.validation.verify import drawn_pictures
from tests.support.models import difference, network

SIZE = (24, 32)
LABELS = ("rose", "fire lily", "daisy")


def classifier() -> Any:
    """Return a small network on values -1..1."""
    return network(layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax"))


class Served(tf.Module):  # type: ignore[misc,unused-ignore]
    """Put a network behind signatures that take encoded images, as in AutoML and TensorFlow Serving."""

    def __init__(self) -> None:
        self.network = classifier()

    def one(self, data: tf.Tensor) -> tf.Tensor:
        """Decode, resize and scale one image."""
        pixels = tf.io.decode_jpeg(data, channels=3)
        return tf.image.resize(tf.cast(pixels, tf.float32), SIZE) / 127.5 - 1

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes"), tf.TensorSpec([None], tf.string, "key")]
    )
    def automl(self, image_bytes: tf.Tensor, key: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer as AutoML's exported models do."""
        images = tf.map_fn(self.one, image_bytes, fn_output_signature=tf.float32)
        scores = self.network(tf.ensure_shape(images, (None, *SIZE, 3)), training=False)
        return {"scores": scores, "labels": tf.tile([list(LABELS)], [tf.shape(scores)[0], 1]), "key": key}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "b64")])
    def base64(self, b64: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer to base64, as in a JSON request."""
        images = tf.map_fn(lambda text: self.one(tf.io.decode_base64(text)), b64, fn_output_signature=tf.float32)
        return {"scores": self.network(tf.ensure_shape(images, (None, *SIZE, 3)), training=False)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "data")])
    def single(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer to one encoded image."""
        pixels = tf.image.decode_image(data, channels=3, expand_animations=False)
        images = tf.image.resize(pixels[tf.newaxis], SIZE) / 127.5 - 1
        return {"scores": self.network(tf.ensure_shape(images, (1, *SIZE, 3)), training=False)}

    @tf.function(input_signature=[tf.TensorSpec((None, *SIZE, 3), tf.float32, "image")])
    def pixels(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer to scaled pixels, with features beside the scores."""
        scores = self.network(image, training=False)
        return {"scores": scores, "features": scores[:, :2] * 2}


@pytest.fixture(scope="module")
def module() -> Served:
    return Served()


def saved(module: Served, folder: Path, **signatures: Any) -> Path:
    """Save the module with these signatures."""
    tf.saved_model.save(module, str(folder / "model"), signatures=signatures)
    return folder / "model"


def own_answers(module: Served, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the network's own output for pixels of its size."""
    answers: NDArray[np.float32] = np.asarray(module.network(pixels.astype(np.float32) / 127.5 - 1, training=False))
    return answers


@pytest.mark.parametrize("signature", ["automl", "base64", "single"])
def test_encoded_input_is_cut_after_the_decoder(module: Served, signature: str, tmp_path: Path) -> None:
    model = adapt(load_source(saved(module, tmp_path, serving_default=getattr(module, signature))))
    assert (model.size, model.classes, model.expects) == (SIZE, 3, "raw")
    assert model.labels == (LABELS if signature == "automl" else None)
    pixels = drawn_pictures(SIZE, 5)
    assert np.abs(model.confidences(pixels, "raw") - own_answers(module, pixels)).max() < 1e-5
    assert difference(model, "raw", tmp_path) < 1e-5


def test_signature_of_pixels_is_preferred(module: Served, tmp_path: Path) -> None:
    folder = saved(module, tmp_path, serving_default=module.base64, floats=module.pixels)
    with pytest.raises(ExportError, match=r"2 outputs .*--output NAME"):
        load_source(folder)
    model = adapt(load_source(folder, output="scores"))
    pixels = drawn_pictures(SIZE, 5)
    assert np.abs(model.confidences(pixels, "-1..1") - own_answers(module, pixels)).max() < 1e-5
    assert adapt(load_source(folder, signature="serving_default")).expects == "raw"
    with pytest.raises(ExportError, match=r"signatures floats, serving_default.*--signature"):
        load_source(folder, signature="other")
    with pytest.raises(ExportError, match=r"no output 'logits' of scores. It has: features"):
        load_source(folder, output="logits")


@pytest.mark.parametrize("name", ["Photo", "photo-RGB"])
def test_input_of_any_name_is_fed(name: str, tmp_path: Path) -> None:
    image = keras.Input((*SIZE, 3), name=name)
    keras.Model({name: image}, layers.Dense(3)(layers.Flatten()(image))).export(tmp_path / "m", verbose=False)
    assert difference(adapt(load_source(tmp_path / "m")), "0..1", tmp_path) < 1e-5


def test_class_number_without_scores_is_refused(module: Served, tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, *SIZE, 3), tf.float32, "image")])
    def number(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"number": tf.argmax(module.network(image, training=False), axis=-1)}

    with pytest.raises(ExportError, match=r"no output of scores.*before an argmax"):
        load_source(saved(module, tmp_path, serving_default=number))


def test_outputs_of_a_keras_model_are_chosen(tmp_path: Path) -> None:
    image = keras.Input((*SIZE, 3))
    flat = layers.Flatten()(image)
    outputs = {"kind": layers.Dense(3, name="kind")(flat), "age": layers.Dense(5, name="age")(flat)}
    keras.Model(image, list(outputs.values())).save(tmp_path / "m.keras")
    assert adapt(load_source(tmp_path / "m.keras", output="age")).classes == 5
    with pytest.raises(ExportError, match=r"2 outputs \(kind .*, age .*--output"):
        load_source(tmp_path / "m.keras")


def _frozen(folder: Path, preprocess: Callable[[Any], Any]) -> Path:
    """Save a frozen graph of TensorFlow 1."""
    random = np.random.default_rng(3)
    with tf.Graph().as_default() as graph:
        image = preprocess(tf.compat.v1)
        features = tf.nn.relu(tf.nn.conv2d(image, random.normal(0, 0.3, (3, 3, 3, 6)).astype("float32"), 2, "SAME"))
        pooled = tf.reduce_mean(features, axis=(1, 2))
        tf.nn.softmax(tf.matmul(pooled, random.normal(0, 1, (6, 3)).astype("float32")), name="scores")
    file = folder / "graph.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file


def test_frozen_graph_of_pixels_is_served(tmp_path: Path) -> None:
    file = _frozen(tmp_path, lambda v1: v1.placeholder(tf.float32, (None, *SIZE, 3), "images"))
    model = adapt(load_source(file))
    assert (model.size, model.classes, model.activation, model.has_class_maps) == (SIZE, 3, "softmax", True)
    assert difference(model, "-1..1", tmp_path) < 1e-5


def test_tensorflow_1_loop_over_images_is_cut(tmp_path: Path) -> None:
    def decoded(v1: Any) -> Any:
        v1.disable_control_flow_v2()
        data = v1.placeholder(tf.string, [None], "image_bytes")

        def one(item: Any) -> Any:
            image = v1.image.decode_jpeg(item, channels=3)
            return v1.image.resize_images(v1.image.convert_image_dtype(image, tf.float32), SIZE) * 2 - 1

        images = v1.map_fn(one, data, dtype=tf.float32)
        v1.enable_control_flow_v2()
        return tf.ensure_shape(images, (None, *SIZE, 3))

    model = adapt(load_source(_frozen(tmp_path, decoded)))
    assert (model.size, model.expects) == (SIZE, "raw")
    plain = adapt(load_source(_frozen(tmp_path, lambda v1: v1.placeholder(tf.float32, (None, *SIZE, 3)))))
    pixels = drawn_pictures(SIZE, 5)
    assert np.abs(model.confidences(pixels, "raw") - plain.confidences(pixels, "-1..1")).max() < 1e-5
    assert difference(model, "raw", tmp_path) < 1e-5


def test_file_that_is_no_frozen_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pb").write_bytes(b"no graph")
    with pytest.raises(ExportError, match="is no frozen graph of TensorFlow"):
        load_source(tmp_path / "m.pb")
