"""Test the session of a model file: metadata, answers from threads and forks, and errors."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from flowers.imaging.crop import InputRule
from flowers.model.session import Model, ModelError
from flowers.settings import BUNDLED_MODEL
from tests.support.paths import ROOT
from tests.support.pictures import Pixels
from tests.support.tiny_model import FLOAT, INT32, METADATA, tiny_model


def load(folder: Path, data: bytes) -> Model:
    """Return the model of a file's bytes."""
    file = folder / "model.onnx"
    file.write_bytes(data)
    return Model.load(file)


def with_metadata(**changes: str) -> dict[str, str]:
    """Return the tiny model's metadata with some values changed."""
    return {**METADATA, **changes}


@pytest.fixture(scope="module")
def bundled() -> Model:
    """Return the bundled model."""
    return Model.load(BUNDLED_MODEL)


@pytest.fixture(scope="module")
def noise(bundled: Model) -> Pixels:
    """Return eight random images for the bundled model."""
    rule = bundled.card.input_rule
    return np.random.default_rng(5).integers(0, 256, (8, rule.height, rule.width, 3), np.uint8)


def test_custom_model_has_its_metadata(tmp_path: Path) -> None:
    data = tiny_model()
    card = load(tmp_path, data).card
    assert (card.name, card.version, card.training_data) == ("tiny", "1.2.3", "none")
    assert card.labels == ("red", "green", "blue")
    assert card.input_rule == InputRule(height=8, width=6, mode="crop", fraction=0.875)
    assert (card.temperature, card.reject_below, card.accuracy) == (1.5, 0.25, {"top1": 0.5})
    assert card.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [(8, 6), ("H", "W"), ("", "")], ids=["fixed-size", "any-size", "unnamed-size"])
def test_custom_model_answers(tmp_path: Path, size: tuple[int | str, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 6, 3), np.uint8)
    logits, maps = load(tmp_path, tiny_model(size=size)).run(pixels)
    assert logits == pytest.approx(pixels.mean(axis=(1, 2)), rel=1e-5)
    assert maps is not None
    assert (maps == pixels).all()


def test_model_without_maps_answers(tmp_path: Path) -> None:
    logits, maps = load(tmp_path, tiny_model(with_maps=False)).run(np.full((1, 8, 6, 3), 7, np.uint8))
    assert logits.tolist() == [[7, 7, 7]]
    assert maps is None


def test_stretched_image_needs_no_fraction(tmp_path: Path) -> None:
    rule = load(tmp_path, tiny_model(with_metadata(resize='{"mode": "stretch"}'))).card.input_rule
    assert rule == InputRule(8, 6, "stretch", 1.0)


@pytest.mark.parametrize("name", ["missing.onnx", "."])
def test_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        Model.load(tmp_path / name)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"This is no model.\n", id="text"),
        pytest.param(BUNDLED_MODEL.read_bytes()[: BUNDLED_MODEL.stat().st_size // 2], id="half-a-model"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(100), id="keras-weights"),
    ],
)
def test_file_that_is_no_onnx_model_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match=r"cannot load the model .*model\.onnx"):
        load(tmp_path, data)


@pytest.mark.parametrize("key", METADATA)
def test_missing_metadata_is_named(tmp_path: Path, key: str) -> None:
    rest = {name: value for name, value in METADATA.items() if name != key}
    with pytest.raises(ModelError, match=key):
        load(tmp_path, tiny_model(rest))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", "red, green, blue"),
        ("labels", "3"),
        ("labels", "[]"),
        ("labels", '"abc"'),
        ("labels", "[1, 2, 3]"),
        ("labels", '["red", "green", "red"]'),
        ("input_size", "224"),
        ("input_size", "[8, 6, 3]"),
        ("input_size", "[0, 6]"),
        ("input_size", "[8, -6]"),
        ("input_size", "[8.5, 6]"),
        ("input_size", '["8", "6"]'),
        ("resize", "crop"),
        ("resize", '["crop"]'),
        ("resize", '{"fraction": 1}'),
        ("resize", '{"mode": "squeeze"}'),
        ("resize", '{"mode": "crop", "fraction": 0}'),
        ("resize", '{"mode": "crop", "fraction": 1.5}'),
        ("resize", '{"mode": "crop", "fraction": "all"}'),
        ("temperature", "warm"),
        ("temperature", "0"),
        ("temperature", "-1"),
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("reject_below", "never"),
        ("reject_below", "-0.1"),
        ("reject_below", "1.1"),
        ("reject_below", "nan"),
        ("accuracy", "high"),
        ("accuracy", "[]"),
    ],
)
def test_metadata_outside_contract_is_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ModelError, match="metadata"):
        load(tmp_path, tiny_model(with_metadata(**{key: value})))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(tiny_model(image="input_1"), "input `image`", id="input-of-another-name"),
        pytest.param(tiny_model(logits="scores"), "output `logits`", id="no-logits"),
        pytest.param(tiny_model(with_metadata(labels='["red", "green"]')), "3 outputs, but 2 labels", id="few-labels"),
        pytest.param(
            tiny_model(with_metadata(labels=json.dumps(list("abcd")))), "3 outputs, but 4 labels", id="many-labels"
        ),
        pytest.param(tiny_model(input_type=FLOAT), "uint8", id="float-pixels"),
        pytest.param(tiny_model(input_type=INT32), "uint8", id="wide-pixels"),
        pytest.param(tiny_model(with_metadata(input_size="[6, 8]")), "input", id="size-unlike-the-metadatas"),
        pytest.param(tiny_model(size=(8, 6, 1)), "input", id="too-many-dimensions"),
    ],
)
def test_graph_outside_contract_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(tmp_path, data)


@pytest.mark.bundled_model
def test_bundled_model_keeps_the_contract(bundled: Model) -> None:
    card = bundled.card
    assert len(card.labels) == len(set(card.labels))
    assert (card.input_rule.height, card.input_rule.width) == (224, 224)
    assert card.sha256 == hashlib.sha256(BUNDLED_MODEL.read_bytes()).hexdigest()


@pytest.mark.bundled_model
def test_logits_are_the_means_of_the_class_maps(bundled: Model, noise: Pixels) -> None:
    logits, maps = bundled.run(noise[:2])
    assert maps is not None
    assert logits.dtype == maps.dtype == np.float32
    classes = len(bundled.card.labels)
    assert maps.shape == (2, *maps.shape[1:3], classes)
    assert logits.shape == (2, classes)
    assert maps.mean(axis=(1, 2)) == pytest.approx(logits, abs=1e-3 * float(np.abs(maps).max()))


def test_image_in_batch_gets_same_answer(bundled: Model, noise: Pixels) -> None:
    together = bundled.run(noise[:3]).logits
    alone = [bundled.run(noise[index : index + 1]).logits[0] for index in range(3)]
    assert together == pytest.approx(np.array(alone), abs=1e-4)


def test_concurrent_threads_get_same_answers(bundled: Model, noise: Pixels) -> None:
    alone = [bundled.run(image[np.newaxis]).logits for image in noise]

    def run(thread: int) -> bool:
        order = [(thread + step) % len(noise) for step in range(20)]
        return all((bundled.run(noise[index][np.newaxis]).logits == alone[index]).all() for index in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))


# Loads the model, uses it, forks as gunicorn does, and uses it in two children, which end as told.
FORK = """
import os, sys
import numpy as np
from pathlib import Path
from flowers.model.session import Model

leave = {"at-once": os._exit, "orderly": sys.exit}[sys.argv[2]]
model = Model.load(Path(sys.argv[1]))
rule = model.card.input_rule
pixels = np.random.default_rng(5).integers(0, 256, (1, rule.height, rule.width, 3), np.uint8)
expected = model.run(pixels).logits
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        leave(0 if np.array_equal(model.run(pixels).logits, expected) else 3)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(codes, np.array_equal(model.run(pixels).logits, expected), flush=True)
os._exit(0)
"""


def exit_codes_of_children(leave: str) -> str:
    """Return the output of the script above, or "hangs" if there is none in time."""
    command = [sys.executable, "-c", FORK, str(BUNDLED_MODEL), leave]
    run = subprocess.Popen(command, cwd=ROOT / "function", stdout=subprocess.PIPE, start_new_session=True, text=True)
    try:
        return run.communicate(timeout=20)[0].strip()
    except subprocess.TimeoutExpired:
        return "hangs"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # the children that hang are of its group
        run.communicate()


def test_model_loaded_before_fork_answers_in_child() -> None:
    assert exit_codes_of_children("at-once") == "[0, 0] True"


def test_child_forked_after_loading_exits() -> None:
    assert exit_codes_of_children("orderly") == "[0, 0] True"
