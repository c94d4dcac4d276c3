"""Test the comparison of input sizes, with a model that answers with the mean of each colour."""

import json
from dataclasses import replace
from pathlib import Path

import onnx

from export.conversion.metadata import Metadata, Resize, write_metadata
from export.training.dataset import Dataset
from export.validation.sizes import SIZES, compare_sizes
from tests.support.tiny_model import tiny_model

LABELS = ("red", "green", "blue")


def test_each_size_is_measured_on_both_sides(tmp_path: Path, data: Dataset) -> None:
    made: list[int] = []

    def make(size: int) -> Path:
        made.append(size)
        model = onnx.load_from_string(tiny_model())
        write_metadata(model, Metadata("tiny", "1", LABELS, (8, 6), Resize("crop", 1.0), "discs"))
        onnx.save(model, tmp_path / f"{size}.onnx")
        return tmp_path / f"{size}.onnx"

    red = [photo for photo in data.valid if photo.label == 0]
    mislabelled = [replace(photo, label=2, source="web") for photo in red[:3]]
    unlike = [*red, *mislabelled, replace(red[3], source="web")]
    file = compare_sizes(make, unlike, red[0].source, tmp_path / "sizes.json")
    rows = json.loads(file.read_text())
    assert [row["size"] for row in rows] == made == list(SIZES)
    assert {(row["first"], row["elsewhere"]) for row in rows} == {(1.0, 0.25)}
    assert all(row["milliseconds"] > 0 for row in rows)
