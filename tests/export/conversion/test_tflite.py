"""Test that served TFLite files, float and full-integer, answer as TFLite's own interpreter does."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from export.conversion.scale import Scale
from export.conversion.tflite_model import TfliteError, is_tflite, load_tflite
from export.errors import ExportError
from export.validation.verify import drawn_pictures
from tests.support.models import difference, network

pytestmark = [
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),
]


def classifier(*head: Any) -> Any:
    """Return a small network on values -1..1."""
    return network(
        layers.Conv2D(8, 3, strides=2, activation="relu"),
        layers.DepthwiseConv2D(3),
        layers.GlobalAveragePooling2D(),
        *head,
    )


def converted(model: Any, file: Path, integer: Any = None) -> Path:
    """Convert a Keras model to TFLite; `integer` is the type of input and output of a full-integer file."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if integer:

        def samples() -> Iterator[list[Any]]:
            for picture in drawn_pictures((24, 32), 20):
                yield [picture[np.newaxis].astype(np.float32) / 127.5 - 1]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = integer
    file.write_bytes(converter.convert())
    return file


@pytest.mark.parametrize(
    ("head", "activation", "classes"),
    [
        ((layers.Dense(3, activation="softmax"),), "softmax", 3),
        ((layers.Dense(3),), "none", 3),
        ((layers.Dense(1, activation="sigmoid"),), "sigmoid", 2),
    ],
)
def test_float_file_answers_as_tflite(head: Any, activation: str, classes: int, tmp_path: Path) -> None:
    file = converted(classifier(*head), tmp_path / "m.tflite")
    assert is_tflite(file)
    model = load_tflite(file)
    assert (model.size, model.activation, model.classes, model.expects) == ((24, 32), activation, classes, None)
    scales: tuple[Scale, ...] = ("-1..1", "0..1")
    assert max(difference(model, scale, tmp_path) for scale in scales) < 1e-4


@pytest.mark.parametrize("integer", [tf.uint8, tf.int8])
def test_full_integer_file_answers_as_tflite(integer: Any, tmp_path: Path) -> None:
    original = classifier(layers.Dense(3, activation="softmax"))
    model = load_tflite(converted(original, tmp_path / "m.tflite", integer))
    assert (model.activation, model.expects) == ("softmax", "raw")
    assert difference(model, "raw", tmp_path) < model.tolerance
    pixels = drawn_pictures((24, 32), 6)
    own = np.asarray(original(pixels.astype(np.float32) / 127.5 - 1, training=False))
    assert np.abs(model.confidences(pixels, "raw") - own).max() < 0.05


def test_labels_are_read_from_the_metadata(tmp_path: Path) -> None:
    file = converted(classifier(layers.Dense(3, activation="softmax")), tmp_path / "m.tflite")
    assert load_tflite(file).labels is None
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "rose\nfire lily\ndaisy\n")
    assert load_tflite(file).labels == ("rose", "fire lily", "daisy")


def test_file_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    with pytest.raises(TfliteError, match="cannot be read"):
        load_tflite(broken)
    segmenter = converted(network(layers.Conv2D(3, 3)), tmp_path / "m.tflite")
    with pytest.raises(ExportError, match=r"turns \[1, 24, 32, 3\] into .*classifier"):
        load_tflite(segmenter)
