"""Test the evaluation of a model that answers with the mean of each colour, on photographs of plain colours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from export.conversion.metadata import Metadata, Resize, write_metadata
from export.training.dataset import load_dataset
from export.validation.evaluate import evaluate
from flowers.model.session import Model
from tests.support.tiny_model import tiny_model

COLOURS = {"001": (230, 60, 60), "002": (60, 230, 60), "003": (60, 60, 230)}


def draw(file: Path, colour: tuple[int, int, int], number: int) -> None:
    """Write a photograph of one colour, a little lighter or darker for each number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shade = np.random.default_rng(number).integers(-20, 20)
    Image.new("RGB", (24, 24), tuple(int(value) for value in np.array(colour) + shade)).save(file)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Evaluate on two collections; of the second, the source `unseen` is never trained on and labels blue as red."""
    root = tmp_path_factory.mktemp("evaluation")
    for home, prefix in (("home", "image"), ("away", "web")):
        for folder, colour in COLOURS.items():
            for number in range(30):
                part = "train" if number < 26 else "valid"
                draw(root / home / part / folder / f"{prefix}_{number:03}.jpg", colour, number)
        for number in range(26):
            draw(root / "away" / "train" / "other" / "scenes" / f"web_{number:03}.jpg", (120, 120, 120), number)
        (root / home / "classes.json").write_text(json.dumps({"001": "red", "002": "green", "003": "blue"}))
    for number in range(4):
        draw(root / "away" / "valid" / "001" / f"unseen_{number:03}.jpg", COLOURS["003" if number else "001"], number)
        draw(root / "away" / "valid" / "other" / "scenes" / f"web_{number:03}.jpg", (120, 120, 120), number)
        draw(root / "negatives" / "textures" / f"{number}.jpg", (90, 90, 90), number)
    model = onnx.load_from_string(tiny_model())
    write_metadata(model, Metadata("tiny", "1", ("red", "green", "blue"), (8, 6), Resize("crop", 0.9), "colours"))
    onnx.save(model, root / "tiny.onnx")
    negatives = sorted((root / "negatives" / "textures").iterdir())
    result = evaluate(root / "tiny.onnx", load_dataset([root / "home", root / "away"]), negatives, root / "report.json")
    assert result == json.loads((root / "report.json").read_text())
    card = Model.load(root / "tiny.onnx").card
    assert (card.temperature, card.reject_below) == tuple(
        result["holdout"][name] for name in ("temperature", "reject_below")
    )
    return result


def test_both_sides_are_reported(report: dict[str, Any]) -> None:
    assert report["valid"]["first"]["top1"] == 1.0
    assert report["valid"]["elsewhere"]["photos"] == 12 + 4
    assert report["valid"]["elsewhere"]["top1"] == pytest.approx(13 / 16, abs=1e-4)
    assert report["valid"]["elsewhere"]["confusions"] == [{"shown": "red", "taken_for": "blue", "photos": 3}]


def test_source_is_reported_with_training_count(report: dict[str, Any]) -> None:
    assert report["sources"]["unseen"]["trained_on"] == 0
    assert report["sources"]["unseen"]["top1"] == 0.25
    assert report["sources"]["web"]["trained_on"] == 24 * 4
    assert report["sources"]["web"]["others_named"] == 0.0


def test_grey_pictures_are_not_named(report: dict[str, Any]) -> None:
    assert report["others"] == {"scenes": {"pictures": 4, "named": 0.0}}
    assert report["no_flowers"] == {"textures": {"pictures": 4, "named": 0.0}}
    assert report["valid"]["first"]["identified"] == 1.0


def test_kinds_count_photographs_from_elsewhere(report: dict[str, Any]) -> None:
    assert report["kinds"]["red"]["trained_elsewhere"] == 24
    assert report["kinds"]["red"]["elsewhere"] == {"photos": 8, "accuracy": 0.625}
    assert report["kinds"]["green"]["first"] == {"photos": 4, "accuracy": 1.0}


def test_curve_falls_and_has_every_part(report: dict[str, Any]) -> None:
    first, last = report["curve"][0], report["curve"][-1]
    assert set(first) == {"threshold", "first collection", "elsewhere", "scenes", "no flowers"}
    assert all(first[part] == 1.0 >= last[part] for part in first if part != "threshold")
