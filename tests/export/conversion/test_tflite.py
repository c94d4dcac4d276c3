"""Test that served TFLite files, float and full-integer, answer as TFLite's own interpreter does."""

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import flatbuffers
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

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


@pytest.mark.parametrize("content", [b"ros\xe9\nlily\ndaisy\n", None])
def test_unreadable_label_metadata_is_left_out(content: bytes | None, tmp_path: Path) -> None:
    file = converted(classifier(layers.Dense(3)), tmp_path / "m.tflite")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", content or b"rose\nlily\ndaisy\n")
    if content is None:
        file.write_bytes(file.read_bytes().replace(b"rose\n", b"rosa\n"))  # not what the checksum is of
    assert load_tflite(file).labels is None


def with_normalization(file: Path, mean: list[float], deviation: list[float]) -> Path:
    """Add metadata of the input's normalization to a TFLite file, by the numbers of metadata_schema.fbs."""
    builder = flatbuffers.Builder()

    def table(fields: int, **offsets: int) -> int:
        builder.StartObject(fields)
        for field, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(int(field.removeprefix("field")), offset, 0)
        return int(builder.EndObject())

    def vector(*tables: int) -> int:
        builder.StartVector(4, len(tables), 4)
        for offset in reversed(tables):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    means, deviations = (builder.CreateNumpyVector(np.array(values, np.float32)) for values in (mean, deviation))
    options = table(2, field0=means, field1=deviations)
    builder.StartObject(2)
    builder.PrependUint8Slot(0, 1, 0)
    builder.PrependUOffsetTRelativeSlot(1, options, 0)
    unit = int(builder.EndObject())
    tensor = table(7, field4=vector(unit))
    subgraph = table(7, field2=vector(tensor))
    builder.Finish(table(8, field3=vector(subgraph)), b"M001")
    model = flatbuffer_utils.read_model(str(file))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(builder.Output(), np.uint8)
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    flatbuffer_utils.write_model(model, str(file))
    return file


@pytest.mark.parametrize(("mean", "deviation"), [([127.5], [127.5]), ([120, 110, 100], [60, 50, 40])])
def test_normalization_in_the_metadata_needs_no_scale(
    mean: list[float], deviation: list[float], tmp_path: Path
) -> None:
    original = classifier(layers.Dense(3, activation="softmax"))
    model = load_tflite(with_normalization(converted(original, tmp_path / "m.tflite"), mean, deviation))
    assert model.expects == "raw"
    assert difference(model, "raw", tmp_path) < 1e-4
    pixels = drawn_pictures((24, 32), 6)
    normalized = (pixels.astype(np.float32) - np.array(mean)) / np.array(deviation)
    own = np.asarray(original(normalized.astype(np.float32), training=False))
    assert np.abs(model.confidences(pixels, "raw") - own).max() < 1e-4


def test_gelu_answers_as_tflite(tmp_path: Path) -> None:
    for approximate in (True, False):
        activation = layers.Activation(partial(keras.activations.gelu, approximate=approximate))
        original = network(layers.Conv2D(8, 3), activation, layers.GlobalAveragePooling2D(), layers.Dense(3))
        model = load_tflite(converted(original, tmp_path / "m.tflite"))
        assert difference(model, "-1..1", tmp_path) < 1e-4


def test_file_of_any_size_asks_for_it(tmp_path: Path) -> None:
    free = network(layers.Conv2D(8, 3), layers.GlobalAveragePooling2D(), layers.Dense(3), shape=(None, None, 3))
    file = converted(free, tmp_path / "m.tflite")
    with pytest.raises(TfliteError, match="--input-size 224x224"):
        load_tflite(file)
    model = load_tflite(file, (16, 20))
    assert model.size == (16, 20)
    assert difference(model, "0..1", tmp_path) < 1e-4
    fixed = converted(classifier(layers.Dense(3)), tmp_path / "fixed.tflite")
    with pytest.raises(TfliteError, match="takes images of 24x32 pixels: leave --input-size out"):
        load_tflite(fixed, (16, 20))


def test_integer_file_with_float_input_agrees(tmp_path: Path) -> None:
    model = load_tflite(converted(classifier(layers.Dense(3)), tmp_path / "m.tflite", tf.float32))
    assert (model.expects, model.tolerance) == (None, 0.02)
    assert difference(model, "-1..1", tmp_path) < model.tolerance


def test_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    file = converted(classifier(layers.Dense(3)), tmp_path / "m.tflite")
    content = bytearray(file.read_bytes())
    for spoiled in (content[:-300], content[:500], content[:-500] + bytes(255 - byte for byte in content[-500:-300])):
        file.write_bytes(spoiled)
        with pytest.raises(TfliteError, match=r"is damaged: .*Save or copy it again"):
            load_tflite(file)


def test_file_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    with pytest.raises(TfliteError, match="is damaged"):
        load_tflite(broken)
    segmenter = converted(network(layers.Conv2D(3, 3)), tmp_path / "m.tflite")
    with pytest.raises(ExportError, match=r"turns \[1, 24, 32, 3\] into .*classifier"):
        load_tflite(segmenter)
