"""Test the closer look that a model may ask for if the first one is unsure."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flowers.classifier import look
from flowers.imaging.crop import middle
from flowers.model.session import Model, ModelError
from tests.support.tiny_model import METADATA, tiny_model


def model(folder: Path, closer: str | None) -> Model:
    """Load the tiny model, whose logits are the means of red, green and blue, with a property `closer`."""
    properties = METADATA if closer is None else METADATA | {"closer": closer}
    (folder / "tiny.onnx").write_bytes(tiny_model(properties))
    return Model.load(folder / "tiny.onnx")


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """Return a blue picture with a red middle."""
    image = np.zeros((8, 6, 3), np.uint8)
    image[..., 2] = 100
    image[2:6, 1:5] = (160, 0, 0)
    return image


def test_unsure_photo_gets_a_closer_look(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    unsure = model(tmp_path, json.dumps({"fraction": 0.5, "margin": 50}))
    first, second = (unsure.run(view[np.newaxis]).logits for view in (pixels, middle(pixels, 0.5)))
    assert first[0].argmax() == 2
    assert np.allclose(look(unsure, pixels).logits, (first + second) / 2)
    assert look(unsure, pixels).logits[0].argmax() == 0


@pytest.mark.parametrize("closer", [None, json.dumps({"fraction": 0.5, "margin": 0.01})])
def test_sure_photo_gets_one_look(tmp_path: Path, pixels: NDArray[np.uint8], closer: str | None) -> None:
    sure = model(tmp_path, closer)
    assert np.array_equal(look(sure, pixels).logits, sure.run(pixels[np.newaxis]).logits)


def test_heat_map_stays_that_of_the_first_look(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    unsure = model(tmp_path, json.dumps({"fraction": 0.5, "margin": 50}))
    maps = look(unsure, pixels).class_maps
    assert maps is not None
    assert np.array_equal(maps[0], pixels)


@pytest.mark.parametrize(
    "closer",
    [
        "{}",
        "[]",
        "0.5",
        '{"fraction": 0, "margin": 1}',
        '{"fraction": 1, "margin": 1}',
        '{"fraction": 0.5, "margin": 0}',
    ],
)
def test_invalid_closer_look_is_refused(tmp_path: Path, closer: str) -> None:
    with pytest.raises(ModelError, match="metadata property closer"):
        model(tmp_path, closer)


def test_middle_keeps_the_size_and_enlarges() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[2:6, 2:6] = 255
    assert middle(image, 0.5).shape == (8, 8, 3)
    assert middle(image, 0.5).min() > 128  # bicubic resampling takes a little of what lies around
