"""Test models whose graph is not what they compute in inference: random layers, half precision, state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers

from export.conversion.adapt import adapt
from export.conversion.random_layers import RandomLayerError
from export.conversion.source_model import load_source
from export.validation.verify import drawn_pictures
from tests.support.models import difference, network

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")


def head() -> tuple[Any, ...]:
    """Return the last layers of a classifier."""
    return layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")


def save(model: Any, form: str, folder: Path) -> Path:
    """Save a Keras 3 model in a form."""
    file = folder / {"keras": "m.keras", "h5": "m.h5", "exported": "m"}[form]
    if form == "exported":
        model.export(file, verbose=False)
    else:
        model.save(file)
    return file


AUGMENTATIONS: dict[str, Callable[[], list[Any]]] = {
    "flip-rotate-zoom": lambda: [layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomZoom(0.2)],
    "colours": lambda: [layers.RandomContrast(0.3), layers.RandomBrightness(0.2), layers.RandomHue(0.2)],
    "nested": lambda: [keras.Sequential([layers.RandomTranslation(0.1, 0.1), layers.GaussianNoise(0.5)])],
    "mixed": lambda: [layers.MixUp(), layers.RandomErasing()],
}


@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, "exported") for name in AUGMENTATIONS), ("colours", "keras"), ("flip-rotate-zoom", "h5")],
)
def test_augmentation_in_any_form_vanishes(name: str, form: str, tmp_path: Path) -> None:
    original = network(*AUGMENTATIONS[name](), *head())
    model = adapt(load_source(save(original, form, tmp_path)))
    pixels = drawn_pictures((24, 32), 6)
    own = np.asarray(original(pixels.astype(np.float32) / 255, training=False))
    assert np.abs(model.confidences(pixels, "0..1") - own).max() < 1e-5
    assert difference(model, "0..1", tmp_path) < 1e-5


@pytest.mark.parametrize("form", ["saved_model", "h5"])
def test_augmentation_of_keras_2_vanishes(form: str, tmp_path: Path) -> None:
    kinds = tf_keras.layers
    image = tf_keras.Input((24, 32, 3))
    seen = kinds.Conv2D(4, 3)(kinds.RandomRotation(0.1)(kinds.RandomFlip()(image)))
    original = tf_keras.Model(image, kinds.Dense(3, "softmax")(kinds.GlobalAveragePooling2D()(seen)))
    file = tmp_path / ("m.h5" if form == "h5" else "m")
    original.save(file)
    pixels = drawn_pictures((24, 32), 6)
    model = adapt(load_source(file))
    own = np.asarray(original(pixels.astype(np.float32), training=False))
    assert np.abs(model.confidences(pixels, "raw") - own).max() < 1e-5


def test_lambda_converts_as_the_message_advises(tmp_path: Path) -> None:
    original = network(layers.RandomFlip(), layers.Lambda(lambda image: image / 127.5 - 1), *head())
    model = adapt(load_source(save(original, "exported", tmp_path)))
    assert model.expects == "raw"
    assert model.note is not None
    assert difference(model, "raw", tmp_path) < 1e-5


def test_random_layer_of_another_size_names_the_way_out(tmp_path: Path) -> None:
    original = network(layers.RandomCrop(20, 20), *head())
    with pytest.raises(RandomLayerError, match=r"random_crop[^§]*keras\.export\.ExportArchive"):
        adapt(load_source(save(original, "exported", tmp_path)))
    archive = keras.export.ExportArchive()
    archive.track(original)
    archive.add_endpoint("serve", lambda images: original(images, training=False), [tf.TensorSpec((None, 24, 32, 3))])
    archive.write_out(tmp_path / "again", verbose=False)
    assert difference(adapt(load_source(tmp_path / "again")), "0..1", tmp_path) < 1e-5


@pytest.mark.parametrize(
    ("policy", "form"),
    [
        ("mixed_float16", "keras"),
        ("mixed_float16", "h5"),
        ("mixed_float16", "exported"),
        ("mixed_bfloat16", "keras"),
        ("float16", "exported"),
        ("float64", "keras"),
    ],
)
def test_precision_of_any_policy_is_served_in_float32(policy: str, form: str, tmp_path: Path) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        original = network(layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Conv2D(8, 3, groups=2), *head())
    finally:
        keras.config.set_dtype_policy("float32")
    model = adapt(load_source(save(original, form, tmp_path)))
    assert difference(model, "0..1", tmp_path) < 1e-5
    pixels = drawn_pictures((24, 32), 6)
    own = np.asarray(original(pixels.astype(np.float32) / 255, training=False)).astype(np.float64)
    # Half precision itself has three decimal digits (float16), or two (bfloat16).
    assert np.abs(model.confidences(pixels, "0..1") - own).max() < (0.05 if "b" in policy else 0.005)
    assert (model.note is None) == (policy == "float64")
