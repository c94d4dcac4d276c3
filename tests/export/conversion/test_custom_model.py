"""Test the commands for a custom model: what they ask, measure, refuse, deliver and serve."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from functions_framework import create_app
from google.cloud import storage
from keras import layers
from PIL import Image

from export import __main__ as commands
from export.conversion import acceptance
from export.conversion.deliver import deliver
from export.serving import Model, ObjectAddress
from export.validation import verify
from export.validation.emulated import EMULATOR
from tests.support.emulated_cloud import EmulatedStorage

FUNCTION = Path(__file__).parents[3] / "function"
# Ids whose order as numbers (3, 21, 100) and as texts (100, 21, 3) differ; the names are of the species catalogue.
COLOURS = {"3": (200, 40, 60), "21": (60, 60, 210), "100": (230, 210, 60)}
LABELS = {"3": "canterbury bells", "21": "fire lily", "100": "no such flower"}
SIZE = 48


def _disc(colour: tuple[int, int, int], random: np.random.Generator) -> Image.Image:
    pixels = random.integers(0, 90, (60, 70, 3), dtype=np.uint8)
    y, x = np.mgrid[0:60, 0:70]
    pixels[(x - random.integers(25, 45)) ** 2 + (y - random.integers(22, 38)) ** 2 < 18**2] = colour
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide class folders of coloured discs, 180 each, of which 36 are for measuring."""
    root, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(9)
    for number, colour in COLOURS.items():
        (root / number).mkdir()
        for index in range(180):
            _disc(colour, random).save(root / number / f"{index:03}.jpg")
    (root / "others").mkdir()
    _disc((0, 0, 0), random).save(root / "others" / "stray.jpg")
    return root


def _classifier(photos: Path, order: list[str]) -> keras.Model:
    """Return a network on raw pixels, its last layer fitted by least squares, its outputs in this order of folders."""
    keras.utils.set_random_seed(2)
    image = keras.Input((SIZE, SIZE, 3))
    features = image
    for filters in (24, 48, 96):
        features = layers.Conv2D(filters, 3, strides=2, activation="relu")(features)
    features = layers.GlobalAveragePooling2D()(features)
    backbone = keras.Model(image, features)
    files = [(file, order.index(name)) for name in order for file in sorted((photos / name).glob("*.jpg"))[::4]]
    pixels = np.stack([np.asarray(Image.open(file).resize((SIZE, SIZE)), np.float32) for file, _ in files])
    seen = np.asarray(backbone(pixels))
    targets = np.eye(3)[[label for _, label in files]] * 12 - 6
    fitted, *_ = np.linalg.lstsq(np.hstack([seen, np.ones((len(seen), 1))]), targets, rcond=None)
    last = layers.Dense(3, activation="softmax")
    model = keras.Model(image, last(features))
    last.set_weights([fitted[:-1], fitted[-1]])
    return model


class Own:
    """Hold a team's folder: `model.keras`, whose outputs are in the order of ids as numbers, and its labels."""

    def __init__(self, folder: Path, photos: Path) -> None:
        self.folder, self.photos = folder, photos
        self.labels = folder / "labels.json"
        self.labels.write_text(json.dumps(LABELS))
        self.model = folder / "model.keras"
        _classifier(photos, ["3", "21", "100"]).save(self.model)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Own:
    return Own(tmp_path_factory.mktemp("own"), photos)


Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `python -m export …` and return what it printed; an error is a `SystemExit` with its message."""
    monkeypatch.setattr(commands, "BUILD", tmp_path / "build")

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["export", *map(str, words)])
        commands.main()
        return capsys.readouterr().out

    return run


needs_emulator = pytest.mark.skipif(
    shutil.which(EMULATOR) is None, reason=f"needs {EMULATOR}: apt-get install qemu-user"
)


@needs_emulator
def test_photographs_decide_scale_order_and_int8(own: Own, run: Run, tmp_path: Path) -> None:
    words = ("--model", own.model, "--labels", own.labels, "--data", own.photos)
    printed = run(
        "convert", *words, "--name", "discs", "--version", "7", "--threshold", "0.5", "--out", f"{tmp_path}/model/"
    )
    assert "--scale raw --label-order numeric: 100.0 %" in printed
    assert "labels: 3, 2 of them in the species catalogue" in printed
    assert "ends in a softmax" in printed
    assert f"serve it: MODEL_PATH={tmp_path}/model/flowers.onnx make serve" in printed
    page = (tmp_path / "build" / "discs-7" / "photographs.html").read_text()
    assert "100.0 % of 108 photographs" in page
    assert page.count("data:image/jpeg;base64,") == 24
    assert "<td>fire lily" in page
    file = tmp_path / "model" / "flowers.onnx"
    report = json.loads((tmp_path / "build" / "discs-7" / "verification.json").read_text())
    assert report["served"] == "int8", report["why"]
    assert len(report["bounds"]) == 9
    assert all(bound["holds"] for bound in report["bounds"])
    model = Model.load(file)
    assert model.card.labels == tuple(LABELS.values())
    assert (model.card.name, model.card.version, model.card.reject_below) == ("discs", "7", 0.5)
    assert model.card.accuracy == {"split": "valid", "photos": 108, "top1": 1.0}
    assert model.card.input_rule.mode == "stretch"
    assert model.run(np.zeros((1, SIZE, SIZE, 3), np.uint8)).class_maps is not None

    assert "ok   TensorFlow and int8: same top-1" in run("verify", *words, "--scale", "raw", "--served", file)
    again = tmp_path / "again.onnx"
    quantized = run("quantize", "--model", tmp_path / "build" / "discs-7" / "float.onnx", *words[2:], "--out", again)
    assert "served in int8" in quantized
    assert again.read_bytes() == file.read_bytes()


def test_repeated_conversion_gives_the_same_bytes(own: Own, tmp_path: Path) -> None:
    program = """
import pathlib, sys
from export.conversion import adapt, convert, metadata, source_model
model = adapt.adapt(source_model.load_source(sys.argv[1]))
described = metadata.Metadata("own", "1", ("a", "b", "c"), model.size, metadata.Resize("stretch"), "discs")
convert.convert(model, "raw", pathlib.Path(sys.argv[2]), described)
"""
    files = [tmp_path / f"{seed}.onnx" for seed in (1, 2)]
    for seed, file in enumerate(files):
        command = [sys.executable, "-c", program, str(own.model), str(file)]
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(FUNCTION)}
        subprocess.run(command, cwd=FUNCTION.parent, env=environment, capture_output=True, check=True, timeout=120)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_int8_that_breaks_a_bound_is_not_delivered(
    own: Own, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(_: Path, out: Path, __: object) -> None:
        """Write a bad int8 file: the float file itself, which is no smaller."""
        shutil.copy(own_model_float(tmp_path), out)

    def own_model_float(folder: Path) -> Path:
        return next((folder / "build").glob("*/float.onnx"))

    monkeypatch.setattr(acceptance, "quantize", spoil)
    monkeypatch.setattr(verify, "logits_on_haswell", lambda file, pixels: Model.load(file).run(pixels).logits)
    printed = run(
        "convert", "--model", own.model, "--labels", own.labels, "--data", own.photos, "--out", tmp_path / "m.onnx"
    )
    assert "served in float" in printed
    report = json.loads(next((tmp_path / "build").glob("*/verification.json")).read_text())
    assert report["served"] == "float"
    assert "FAIL float and int8: size, int8 of float" in report["why"]
    assert Model.load(tmp_path / "m.onnx").card.accuracy["top1"] == 1.0


def test_model_without_photographs_stays_float(own: Own, run: Run, tmp_path: Path) -> None:
    options = ("--scale", "raw", "--label-order", "numeric", "--resize", "crop")
    printed = run("convert", "--model", own.model, "--labels", own.labels, *options, "--out", tmp_path / "m.onnx")
    assert "served in float: there are no photographs (--data)" in printed
    assert "no photo is rejected" in printed
    card = Model.load(tmp_path / "m.onnx").card
    assert (card.name, len(card.version), card.input_rule.mode) == ("model", 8, "crop")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(("--label-order", "numeric"), r"Say it with --scale \(raw, 0\.\.1", id="scale"),
        pytest.param(("--scale", "raw"), "--label-order text.*--label-order numeric", id="order"),
    ],
)
def test_unknown_scale_is_asked_never_guessed(
    own: Own, run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        run("convert", "--model", own.model, "--labels", own.labels, *options, "--out", tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            ("--scale", "imagenet"), "--scale imagenet.* does not fit the model: give --scale raw", id="scale"
        ),
        pytest.param(
            ("--label-order", "text"), "text does not fit the model: give .*--label-order numeric", id="order"
        ),
    ],
)
def test_given_scale_is_checked_by_photographs(
    own: Own, run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    words = ("--model", own.model, "--labels", own.labels, "--data", own.photos, "--out", tmp_path / "m.onnx")
    with pytest.raises(SystemExit, match=message):
        run("convert", *words, *options)
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "missing --out"),
        (("--out", "m.onnx"), "missing --labels"),
        (("--out", "gs://No_Bucket"), r"should be gs://bucket/folder/"),
        (("--out", "model.keras/m.onnx"), "give a folder, a file that ends in .onnx"),
        (("--out", "folder.onnx"), "give a folder, a file that ends in .onnx"),
        (("--out", "m.onnx", "--labels", "short.json"), "2 labels, but the model tells 3 classes apart"),
        (("--out", "m.onnx", "--labels", "labels.json", "--scale", "raw", "--name", "a\nb"), "--name"),
        (("--out", "m.onnx", "--labels", "labels.json", "--data", "nowhere"), "no folders of photographs"),
    ],
)
def test_options_that_do_not_fit_write_nothing(
    own: Own, run: Run, options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.folder)
    Path("short.json").write_text('["rose", "lily"]')
    Path("folder.onnx").mkdir(exist_ok=True)
    with pytest.raises(SystemExit, match=message):
        run("convert", "--model", "model.keras", "--label-order", "numeric", *options)
    assert not Path("m.onnx").exists()


def test_file_that_cannot_be_written_is_named(own: Own, run: Run, tmp_path: Path) -> None:
    (tmp_path / "build").touch()
    words = ("--labels", own.labels, "--scale", "raw", "--label-order", "numeric", "--out", tmp_path / "m.onnx")
    with pytest.raises(SystemExit, match=r"Not a directory: .*build.*check that .* the disk has room"):
        run("convert", "--model", own.model, *words)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("keras_model (1).keras", "keras_model-1"),
        ("clasificación.keras", "clasificacion"),
        (f"{'x' * 120}.keras", "x" * 100),
        ("花.keras", "model"),
    ],
)
def test_file_name_becomes_a_valid_name(own: Own, run: Run, tmp_path: Path, file: str, name: str) -> None:
    shutil.copy(own.model, tmp_path / file)
    words = ("--labels", own.labels, "--scale", "raw", "--label-order", "numeric", "--out", tmp_path / "m.onnx")
    run("convert", "--model", tmp_path / file, *words)
    assert Model.load(tmp_path / "m.onnx").card.name == name


@pytest.mark.parametrize("threshold", ["1.5", "-0.1", "nan", "half"])
def test_threshold_outside_0_to_1_is_refused(own: Own, run: Run, threshold: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("convert", "--model", own.model, "--threshold", threshold)


def test_verify_of_another_model_fails(own: Own, run: Run, tmp_path: Path) -> None:
    words = ("--scale", "raw", "--label-order", "numeric")
    run("convert", "--model", own.model, "--labels", own.labels, *words, "--out", tmp_path / "m.onnx")
    assert "ok   TensorFlow and float" in run(
        "verify", "--model", own.model, "--scale", "raw", "--served", tmp_path / "m.onnx"
    )
    with pytest.raises(SystemExit, match="FAIL TensorFlow and float: largest probability difference"):
        run("verify", "--model", own.model, "--scale", "0..1", "--served", tmp_path / "m.onnx")


def test_delivered_object_is_served_never_replaced(
    own: Own, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("convert", "--model", own.model, "--labels", own.labels, "--scale", "raw", "--label-order", "numeric")
    with EmulatedStorage():
        with storage.Client() as client:
            bucket = client.create_bucket("models")
            out = "gs://models/models/discs/3/"
            assert f"wrote {out}flowers.onnx" in run(*words, "--version", "3", "--out", out)
            [blob] = bucket.list_blobs()
        address = ObjectAddress("models", "models/discs/3/flowers.onnx")
        model = Model.load(address)
        assert blob.metadata == {"sha256": model.card.sha256}
        with pytest.raises(SystemExit, match="holds another model already"):
            run(*words, "--version", "4", "--out", out)
        assert deliver(tmp_path / "build" / "model-3" / "float.onnx", address) == address.uri  # again: nothing changes
        with pytest.raises(SystemExit, match="Bucket absent not found"):
            run(*words, "--out", "gs://absent/m.onnx")

        monkeypatch.setenv("MODEL_PATH", f"{out}flowers.onnx")
        app = create_app("classify_http", str(FUNCTION / "main.py"), "http")  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    _disc(COLOURS["21"], np.random.default_rng(1)).save(file, "PNG")
    with app.test_client() as client:
        health = client.get("/health").get_json()
        result = client.post("/", data=file.getvalue()).get_json()
        species = client.get("/species").get_json()["species"]
    assert health["model"] == {"name": "model", "version": "3", "sha256": model.card.sha256}
    assert result["model"] == health["model"]
    assert result["species"]["label"] == "fire lily"
    assert [entry["scientific_name"] is None for entry in species] == [False, False, True]
    assert species[2]["names"] == {"en": "no such flower", "es": "no such flower"}
