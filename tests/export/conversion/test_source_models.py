"""Test custom models in every form: the facts found in them, and served answers equal to TensorFlow's own."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers
from numpy.typing import NDArray

from export.conversion.adapt import adapt
from export.conversion.scale import Scale
from export.conversion.source_model import load_source
from export.errors import ExportError
from export.serving import probabilities
from export.validation.verify import drawn_pictures
from tests.support.models import network, saved, served
from tests.support.original_team import build, save_all

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")

# As mlflow-skinny 3.17.2 writes it; MLflow itself is too large to install for a test.
MLMODEL = {
    "tensorflow": "flavors:\n  tensorflow:\n    code: null\n    data: data\n    keras_version: 3.15.1\n"
    "    model_type: keras\n    save_format: tf\n",
    "keras": "flavors:\n  keras:\n    data: data\n    keras_backend: tensorflow\n    keras_version: 3.15.1\n"
    "    save_exported_model: false\n  python_function:\n    loader_module: mlflow.keras\n",
    "sklearn": "flavors:\n  sklearn:\n    pickled_model: model.pkl\n",
}


def mlflow_folder(folder: Path, flavour: str, keras_file: Path) -> Path:
    """Return an MLflow model of a Keras file."""
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL[flavour])
    shutil.copy(keras_file, folder / "data" / "model.keras")
    return folder


class Team:
    """Hold the original team's network, small and untrained, in each form, and Keras 2's own answers."""

    def __init__(self, folder: Path) -> None:
        tf_keras.utils.set_random_seed(3)
        network = build(tf_keras, 18, size=32, filters=2, width=16)
        self.files = save_all(network, folder)
        self.files["mlflow_tensorflow"] = mlflow_folder(folder / "ml-tf", "tensorflow", self.files["keras"])
        self.files["mlflow_keras"] = mlflow_folder(folder / "ml-k", "keras", self.files["keras"])

        class Hub(tf.Module):
            """Make a network callable without signatures, as the models of TensorFlow Hub."""

            def __init__(self) -> None:
                self.network = network

            @tf.function
            def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
                return self.network(images, training=training)

        hub = Hub()
        for training in (True, False):
            hub.__call__.get_concrete_function(tf.TensorSpec((None, 32, 32, 3)), training=training)
        self.files["hub"] = folder / "hub"
        tf.saved_model.save(hub, str(self.files["hub"]))
        self.pixels = drawn_pictures((32, 32), 24)
        self.answers = np.asarray(network(self.pixels.astype(np.float32), training=False))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    return Team(tmp_path_factory.mktemp("team"))


FORMS = ("h5", "keras2", "saved_model", "keras", "exported", "mlflow_tensorflow", "mlflow_keras", "hub")


@pytest.mark.parametrize("form", FORMS)
def test_original_teams_network_answers_in_every_form(team: Team, form: str, tmp_path: Path) -> None:
    model = adapt(load_source(team.files[form]))
    assert (model.size, model.classes, model.activation) == ((32, 32), 18, "softmax")
    assert model.expects is None
    output = served(model, tmp_path).run(team.pixels)
    assert np.abs(probabilities(output.logits, 1.0) - team.answers).max() < 1e-4
    assert np.ptp(team.answers, axis=0).max() > 0.05  # the pictures are told apart
    assert output.class_maps is None  # flattened, so that no pixel's share can be told


def test_registered_model_in_a_moved_store_is_found(team: Team, tmp_path: Path) -> None:
    store = tmp_path / "copied" / "mlruns"
    mlflow_folder(store / "0" / "models" / "m-1" / "artifacts", "tensorflow", team.files["keras"])
    (store / "models" / "team" / "version-2").mkdir(parents=True)
    (store / "models" / "team" / "meta.yaml").write_text("name: team\n")
    (store / "models" / "team" / "version-2" / "meta.yaml").write_text(
        "name: team\nsource: models:/m-1\nstorage_location: file:///gone/mlruns/0/models/m-1/artifacts\nversion: 2\n"
    )
    for version in ("2", "latest"):
        source = load_source(f"models:/team/{version}", store)
        assert (source.name, source.version, source.shape) == ("team", "2", (32, 32, 3))
    with pytest.raises(ExportError, match=r"one of the versions in .*: 2"):
        load_source("models:/team/1", store)
    with pytest.raises(ExportError, match=r"no registered model 'roses' \(it has: team\)"):
        load_source("models:/roses/1", store)


Case = tuple[Callable[[], Any], Scale, str, bool]
CASES: dict[str, Case] = {
    "pooled-softmax": (
        lambda: network(layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")),
        "0..1",
        "softmax",
        True,
    ),
    "softmax-layer": (
        lambda: network(layers.Conv2D(4, 3), layers.GlobalMaxPooling2D(), layers.Dense(3), layers.Softmax()),
        "-1..1",
        "softmax",
        False,
    ),
    "convolutional-head": (
        lambda: network(layers.Conv2D(3, 3), layers.GlobalAveragePooling2D(), layers.Activation("softmax")),
        "imagenet",
        "softmax",
        True,
    ),
    "pooled-then-convolution": (
        lambda: network(
            layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1), layers.Flatten()
        ),
        "0..1",
        "none",
        True,
    ),
    "probabilities-after-another-layer": (
        lambda: network(
            layers.Conv2D(3, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax"), layers.Rescaling(1.0)
        ),
        "0..1",
        "probabilities",
        False,
    ),
    "sigmoids": (
        lambda: network(layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, "sigmoid")),
        "0..1",
        "sigmoid",
        True,
    ),
    "one-sigmoid": (
        lambda: network(layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid")),
        "0..1",
        "sigmoid",
        True,
    ),
    "channels-first": (
        lambda: network(
            layers.Conv2D(4, 3, data_format="channels_first"),
            layers.GlobalAveragePooling2D(data_format="channels_first"),
            layers.Dense(3, "softmax"),
            shape=(3, 24, 32),
        ),
        "0..1",
        "softmax",
        True,
    ),
    "grey": (
        lambda: network(
            layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax"), shape=(24, 32, 1)
        ),
        "0..1",
        "softmax",
        True,
    ),
}


def inputs_of(pixels: NDArray[np.uint8], scale: Scale, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the pixels as a user of the network would prepare them."""
    images: Any = pixels.astype(np.float32)
    if scale == "imagenet":
        images = keras.applications.imagenet_utils.preprocess_input(images, mode="torch")
    elif scale == "-1..1":
        images = keras.applications.imagenet_utils.preprocess_input(images, mode="tf")
    elif scale == "0..1":
        images = images / 255
    if shape[-1] == 1:
        images = tf.image.rgb_to_grayscale(images).numpy()
    return images.transpose(0, 3, 1, 2) if shape[0] == 3 else images


@pytest.mark.parametrize("case", CASES)
def test_network_of_any_kind_answers_as_its_source(case: str, tmp_path: Path) -> None:
    make, scale, activation, has_maps = CASES[case]
    original = make()
    model = adapt(load_source(saved(original, tmp_path)))
    assert (model.size, model.activation, model.has_class_maps) == ((24, 32), activation, has_maps)
    pixels = drawn_pictures((24, 32))
    own = np.asarray(original(inputs_of(pixels, scale, original.input_shape[1:]), training=False))
    output = served(model, tmp_path, scale).run(pixels)
    answers: NDArray[Any]
    if case == "sigmoids":
        answers = 1 / (1 + np.exp(-output.logits))
    elif case == "one-sigmoid":
        answers = probabilities(output.logits, 1.0)[:, 1:]
    elif activation == "none":
        answers = output.logits
    else:
        answers = probabilities(output.logits, 1.0)
    assert answers.shape == own.shape
    assert np.abs(answers - own).max() < (2e-4 if case == "grey" else 1e-4)  # TensorFlow rounds the weights of grey
    assert (output.class_maps is not None) is has_maps
    if output.class_maps is not None:
        assert np.abs(output.class_maps.mean(axis=(1, 2)) - output.logits).max() < 1e-4
        assert np.ptp(output.class_maps, axis=(1, 2)).max() > 0.01
    assert np.abs(model.confidences(pixels, scale) - model.confidences_of(output.logits)).max() < 1e-4


def test_keras_application_needs_no_scale(tmp_path: Path) -> None:
    original = keras.applications.MobileNetV3Small(
        input_shape=(64, 96, 3), weights=None, classes=5, minimalistic=True, include_preprocessing=True
    )
    model = adapt(load_source(saved(original, tmp_path)))
    assert (model.size, model.classes, model.activation, model.expects) == ((64, 96), 5, "softmax", "raw")
    pixels = drawn_pictures((64, 96), 6)
    own = np.asarray(original(pixels.astype(np.float32), training=False))
    assert np.abs(probabilities(served(model, tmp_path).run(pixels).logits, 1.0) - own).max() < 1e-4


def _prepared(mode: str) -> Callable[[Any], Any]:
    return lambda image: keras.applications.imagenet_utils.preprocess_input(image, mode=mode)


def _nested(*inner: Any) -> Any:
    return keras.Sequential([keras.Input((8, 8, 3)), *inner])


def _crops(image: Any) -> Any:
    """Return the sum of a layer's outputs for two crops, each rescaled."""
    scale, look = layers.Rescaling(1 / 127.5, -1), layers.Conv2D(4, 3)
    return look(scale(image[:, :6, :6])) + look(scale(image[:, 2:, 2:]))


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(layers.Rescaling(1 / 255), "raw", id="0..255-to-0..1"),
        pytest.param(layers.Rescaling(1 / 127.5, -1), "raw", id="0..255-to--1..1"),
        pytest.param(layers.Normalization(mean=[120, 110, 100], variance=[3000, 3100, 3200]), "raw", id="statistics"),
        pytest.param(layers.Rescaling(1, [-124, -117, -104]), "raw", id="mean-taken-off"),
        pytest.param(layers.Rescaling(2, -1), "0..1", id="0..1-to--1..1"),
        pytest.param(layers.Normalization(mean=[0.5, 0.4, 0.4], variance=[0.05, 0.05, 0.05]), "0..1", id="of-0..1"),
        pytest.param(layers.Rescaling(1.0), None, id="nothing-done"),
        pytest.param(layers.BatchNormalization(), None, id="learnt"),
        pytest.param(layers.RandomFlip(), None, id="augmented"),
        pytest.param(_prepared("caffe"), "raw", id="preprocess_input-caffe"),
        pytest.param(_prepared("torch"), "raw", id="preprocess_input-torch"),
        pytest.param(_prepared("tf"), "raw", id="preprocess_input-tf"),
        pytest.param(_nested(layers.Resizing(6, 6), layers.Rescaling(1 / 255)), "raw", id="resized-first"),
        pytest.param(_crops, "raw", id="several-crops"),
    ],
)
def test_rescaling_inside_the_model_is_seen(first: Any, expected: Scale | None, tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(first(image))))
    assert adapt(load_source(saved(model, tmp_path))).expects == expected


class _Custom(layers.Layer):  # type: ignore[misc,unused-ignore]
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs


def _with_operations() -> Any:
    """Return a network with operations that have the names of layers, beside those layers, in a network in it."""
    image, seen = keras.Input((8, 8, 3)), keras.Input((8, 8, 4))
    added = layers.Add()([seen, layers.Activation("relu")(seen + 3.0) * 0.5]) * seen
    inner = keras.Model(seen, layers.GlobalAveragePooling2D()(keras.ops.maximum(added, 0.1)))
    return keras.Model(image, layers.Dense(3)(inner(layers.Conv2D(4, 3, padding="same")(image)) - 1.0))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_with_operations, id="operations"),
        pytest.param(lambda: keras.applications.MobileNetV3Small((32, 32, 3), weights=None, classes=3), id="mobilenet"),
        pytest.param(lambda: keras.applications.ConvNeXtTiny((32, 32, 3), weights=None, classes=3), id="convnext"),
        pytest.param(
            lambda: tf_keras.applications.ConvNeXtTiny(input_shape=(32, 32, 3), weights=None, classes=3), id="keras-2"
        ),
    ],
)
def test_h5_file_of_classes_that_keras_misses_is_loaded(make: Callable[[], Any], tmp_path: Path) -> None:
    original = make()
    original.save(tmp_path / "m.h5")
    pixels = drawn_pictures(original.input_shape[1:3], 3).astype(np.float32)
    answers = np.asarray(load_source(tmp_path / "m.h5").call(pixels))
    assert np.abs(answers - np.asarray(original(pixels, training=False))).max() < 1e-6


def test_custom_layer_converts_as_advised(tmp_path: Path) -> None:
    model = network(_Custom(), layers.Flatten(), layers.Dense(3, "softmax"))
    with pytest.raises(ExportError, match=r"_Custom[^§]*model\.export\('folder'\)"):
        load_source(saved(model, tmp_path))
    model.export(tmp_path / "folder", verbose=False)
    assert adapt(load_source(tmp_path / "folder")).classes == 3


def two_inputs() -> Any:
    """Return a network of an image and of numbers."""
    image, numbers = keras.Input((8, 8, 3)), keras.Input((4,))
    joined = layers.Concatenate()([layers.Flatten()(image), numbers])
    return keras.Model([image, numbers], layers.Dense(2)(joined))


def two_outputs() -> Any:
    """Return a network of two answers."""
    image = keras.Input((8, 8, 3))
    flat = layers.Flatten()(image)
    return keras.Model(image, [layers.Dense(2)(flat), layers.Dense(3)(flat)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(two_inputs, "has 2 inputs .*Save a model that keeps only one", id="two-inputs"),
        pytest.param(two_outputs, r"has 2 outputs .*--output NAME", id="two-outputs"),
        pytest.param(lambda: network(layers.Flatten(), layers.Dense(2), shape=(8, 8, 4)), "4 channels", id="channels"),
        pytest.param(lambda: network(layers.Dense(2), shape=(8,)), "takes numbers", id="no-image"),
        pytest.param(lambda: network(layers.Conv2D(3, 3), shape=(8, 8, 3)), "a classifier's is", id="segmentation"),
        pytest.param(
            lambda: network(layers.Flatten(), layers.Dense(1, activation="softmax")),
            "softmax over one output",
            id="one-softmax",
            marks=pytest.mark.filterwarnings("ignore:You are using a softmax over axis"),
        ),
        pytest.param(
            lambda: network(layers.GlobalMaxPooling2D(), layers.Dense(2), shape=(None, None, 3)),
            "--input-size 224x224",
            id="any-size",
        ),
    ],
)
def test_model_that_is_no_classifier_is_refused(make: Callable[[], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        adapt(load_source(saved(make(), tmp_path)))


def test_size_option_is_for_open_sizes_only(tmp_path: Path) -> None:
    free = network(layers.GlobalMaxPooling2D(), layers.Dense(2), shape=(None, None, 3))
    assert adapt(load_source(saved(free, tmp_path)), (16, 20)).size == (16, 20)
    fixed = network(layers.GlobalMaxPooling2D(), layers.Dense(2), shape=(8, 8, 3))
    with pytest.raises(ExportError, match="takes images of 8x8 pixels: leave --input-size out"):
        adapt(load_source(saved(fixed, tmp_path)), (16, 20))


def _weights_only(folder: Path) -> Path:
    file = folder / "model.weights.h5"
    network(layers.Flatten(), layers.Dense(2)).save_weights(file)
    return file


def _foreign(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _misnamed(folder: Path) -> Path:
    with h5py.File(folder / "model.bin", "w") as file:
        file.attrs["model_config"] = "{}"
    return folder / "model.bin"


def _rezipped(name: str, content: bytes | None) -> Callable[[Path], Path]:
    """Return what saves a .keras file with another part in it, or without that part."""

    def make(folder: Path) -> Path:
        file = saved(network(layers.Flatten(), layers.Dense(2)), folder)
        with zipfile.ZipFile(file) as archive:
            parts = {part: archive.read(part) for part in archive.namelist()}
        del parts[name]
        with zipfile.ZipFile(file, "w") as archive:
            for part, text in {**parts, **({} if content is None else {name: content})}.items():
                archive.writestr(part, text)
        return file

    return make


def _damaged(folder: Path) -> Path:
    file = saved(network(layers.Flatten(), layers.Dense(2)), folder)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    return file


def _truncated(folder: Path) -> Path:
    file = saved(network(layers.Flatten(), layers.Dense(2)), folder)
    file.write_bytes(file.read_bytes()[:-300])
    return file


def _without_weights(folder: Path) -> Path:
    network(layers.Flatten(), layers.Dense(2)).save(folder / "m.h5")
    with h5py.File(folder / "m.h5", "a") as file:
        del file["model_weights"]
    return folder / "m.h5"


def _archive(folder: Path) -> Path:
    file = saved(network(layers.Flatten(), layers.Dense(2)), folder)
    with zipfile.ZipFile(folder / "converted_keras.zip", "w") as archive:
        archive.write(file, "keras_model.keras")
    return folder / "converted_keras.zip"


def _in_subfolder(folder: Path) -> Path:
    (folder / "1").mkdir()
    (folder / "1" / "saved_model.pb").touch()
    return folder


def _in_empty_saved_model(folder: Path) -> Path:
    (folder / "saved_model.pb").touch()
    return folder / "saved_model.pb"


def _web_model(folder: Path) -> Path:
    (folder / "model.json").touch()
    return folder


def _sklearn(folder: Path) -> Path:
    (folder / "MLmodel").write_text(MLMODEL["sklearn"])
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda folder: folder / "no.keras", "missing. Accepted are", id="missing"),
        pytest.param(lambda folder: folder, "Accepted are a .keras file", id="empty-folder"),
        pytest.param(_foreign("model.pt", b"PK\x05\x06" + bytes(18)), "is no Keras model.*Accepted", id="another-zip"),
        pytest.param(_weights_only, "weights without their network", id="weights-only"),
        pytest.param(_rezipped("metadata.json", b"[]"), "no Keras model, or damaged", id="other-metadata"),
        pytest.param(_rezipped("config.json", None), "is damaged: .*config.json", id="no-config"),
        pytest.param(_rezipped("config.json", b"{}"), "has a part that Keras cannot rebuild", id="empty-config"),
        pytest.param(_rezipped("model.weights.h5", b""), "is damaged: .*Save or copy it again", id="empty-weights"),
        pytest.param(_damaged, "is damaged: .*Save or copy it again", id="damaged"),
        pytest.param(_truncated, "Its end is missing: copy it again", id="truncated"),
        pytest.param(_without_weights, "is damaged: .*model_weights", id="no-weights"),
        pytest.param(_archive, "It is an archive: unpack it", id="archive"),
        pytest.param(_in_subfolder, "It holds the SavedModel .*1: give one of these folders", id="subfolder"),
        pytest.param(_in_empty_saved_model, "no SavedModel that TensorFlow can load.*Copy the whole", id="empty-pb"),
        pytest.param(_web_model, "It is a model of TensorFlow.js", id="tensorflow-js"),
        pytest.param(_foreign("model.ckpt.index", b""), "It is a checkpoint", id="checkpoint"),
        pytest.param(_misnamed, "rename it so that it ends in .h5", id="misnamed"),
        pytest.param(_sklearn, "flavours sklearn; needed is tensorflow or keras", id="other-mlflow-flavour"),
    ],
)
def test_other_file_is_refused_with_accepted_kinds(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        load_source(make(tmp_path))
