"""Test that a Keras model becomes a file by the model contract, with the same answers."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from export.conversion.adapt import adapt
from export.conversion.convert import convert
from export.conversion.metadata import Metadata, Resize, read_metadata
from export.conversion.quantize import quantize
from export.conversion.source_model import load_source
from export.serving import pixels_of, probabilities
from export.training.backbone import build_classifier
from export.training.dataset import Dataset
from export.training.imagenet_weights import load_imagenet_weights
from flowers.model.session import Model


class Converted:
    """Hold a network of pretrained features and a new last layer, as Keras, float and int8 files."""

    def __init__(self, folder: Path, data: Dataset) -> None:
        self.keras_file, self.float_file = folder / "discs.keras", folder / "float.onnx"
        self.int8_file = folder / "int8.onnx"
        keras.utils.set_random_seed(1)
        network = build_classifier(3)
        load_imagenet_weights(network)
        network.save(self.keras_file)
        self.adapted = adapt(load_source(self.keras_file), (96, 96))
        convert(
            self.adapted,
            "raw",
            self.float_file,
            Metadata("discs", "0.1", data.labels, (96, 96), Resize("crop", 0.9), "drawn discs"),
        )
        self.pixels = np.stack(list(pixels_of([photo.path for photo in data.valid], Model.load(self.float_file))))
        quantize(self.float_file, self.int8_file, [photo.path for photo in data.train])


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, data: Dataset) -> Converted:
    return Converted(tmp_path_factory.mktemp("converted"), data)


def test_float_onnx_answers_as_tensorflow(converted: Converted) -> None:
    expected = converted.adapted.serving_function("raw")(converted.pixels)
    output = Model.load(converted.float_file).run(converted.pixels)
    assert np.abs(output.logits - expected["logits"].numpy()).max() < 1e-4
    assert output.class_maps is not None
    assert np.abs(output.class_maps - expected["class_maps"].numpy()).max() < 1e-3


def test_serving_function_answers_as_the_network(converted: Converted) -> None:
    network = keras.saving.load_model(converted.keras_file)
    served = converted.adapted.serving_function("raw")(converted.pixels)["logits"].numpy()
    assert np.abs(served - np.asarray(network(converted.pixels.astype(np.float32), training=False))).max() < 1e-4


@pytest.mark.parametrize("kind", ["float_file", "int8_file"])
def test_files_follow_the_model_contract(converted: Converted, kind: str) -> None:
    path: Path = getattr(converted, kind)
    graph = onnx.load(path).graph
    assert [(entry.name, entry.type.tensor_type.elem_type) for entry in graph.input] == [
        ("image", onnx.TensorProto.UINT8)
    ]
    assert {entry.name for entry in graph.output} == {"logits", "class_maps"}
    card = Model.load(path).card
    assert (card.name, card.version, card.labels) == ("discs", "0.1", ("red disc", "blue disc", "yellow disc"))
    assert (card.input_rule.height, card.input_rule.mode, card.input_rule.fraction) == (96, "crop", 0.9)


@pytest.mark.parametrize("kind", ["float_file", "int8_file"])
def test_class_map_has_the_logit_as_mean(converted: Converted, kind: str) -> None:
    output = Model.load(getattr(converted, kind)).run(converted.pixels)
    assert output.class_maps is not None
    assert np.abs(output.class_maps.mean(axis=(1, 2)) - output.logits).max() < 1e-4


def test_int8_is_small_and_agrees_with_float(converted: Converted) -> None:
    assert converted.int8_file.stat().st_size < converted.float_file.stat().st_size * 0.4
    one, other = (
        probabilities(Model.load(path).run(converted.pixels).logits, 1.0)
        for path in (converted.float_file, converted.int8_file)
    )
    assert np.abs(one - other).max() < 0.1
    nodes = onnx.load(converted.int8_file).graph.node
    quantized = [node.op_type == "QLinearConv" for node in nodes if node.op_type.endswith("Conv")]
    assert quantized == [False] * 3 + [True] * 46 + [False]  # the last is the classifier


def test_served_file_is_fused_and_takes_bytes(converted: Converted) -> None:
    nodes = onnx.load(converted.int8_file).graph.node
    assert {node.op_type for node in nodes} <= {
        *("DequantizeLinear", "Transpose", "Conv", "FusedConv", "QuantizeLinear", "QLinearConv", "QLinearAdd"),
        *("GlobalAveragePool", "Squeeze"),
    }
    (first,) = [node for node in nodes if "image" in node.input]
    assert first.op_type in {"DequantizeLinear", "Transpose"}
    assert not [node for node in nodes if node.domain == "com.microsoft.nchwc"]  # what suits one processor only


def test_int8_weights_keep_to_seven_bits(converted: Converted) -> None:
    model = onnx.load(converted.int8_file)
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.data_type == 3]
    pointwise = [weight for weight in weights if weight.ndim == 4 and weight.shape[1] > 1]
    depthwise = [weight for weight in weights if weight.ndim == 4 and weight.shape[1] == 1]
    assert (len(pointwise), len(depthwise)) == (31, 15)
    assert max(int(np.abs(weight.astype(int)).max()) for weight in pointwise) <= 64
    assert max(int(np.abs(weight.astype(int)).max()) for weight in depthwise) == 127


def test_metadata_survives_both_steps(converted: Converted) -> None:
    assert read_metadata(onnx.load(converted.float_file)) == read_metadata(onnx.load(converted.int8_file))
