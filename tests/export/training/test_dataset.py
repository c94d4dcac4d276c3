"""Test that splits never overlap, collections are merged by label, and missing photographs are named."""

import json
from pathlib import Path

import pytest

from export.errors import ExportError
from export.training.dataset import NO_KIND, Dataset, known, load_dataset


def collection(root: Path, classes: dict[str, str], photos: dict[str, int]) -> Path:
    """Write empty photographs: `photos` maps `part/folder/prefix` to their number."""
    for place, count in photos.items():
        folder, prefix = place.rsplit("/", 1)
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / folder / f"{prefix}_{number:04}.jpg").touch()
    for part in ("train", "valid"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "classes.json").write_text(json.dumps(classes))
    return root


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Make two collections that share a kind under different folder names. The second has two sources and `other/`."""
    return [
        collection(tmp_path / "home", {"1": "rose", "2": "lily"}, {"train/1/image": 26, "train/2/image": 13}),
        collection(
            tmp_path / "away",
            {"a": "tulip", "b": "rose"},
            {
                "train/a/web": 13,
                "train/b/web": 13,
                "train/b/park": 4,
                "valid/b/zoo": 2,
                "train/other/scenes/web": 13,
                "valid/other/scenes/zoo": 1,
            },
        ),
    ]


def test_splits_share_no_photograph_and_lose_none(data: Dataset) -> None:
    parts = [{photo.path for photo in part} for part in (data.train, data.holdout, data.valid)]
    assert sum(len(part) for part in parts) == len(set.union(*parts)) == 3 * 54
    assert [len(part) for part in parts] == [3 * 46, 3 * 4, 3 * 4]


def test_labels_follow_the_class_folders(data: Dataset) -> None:
    assert data.labels == ("red disc", "blue disc", "yellow disc")
    assert all(photo.path.parent.name == f"{photo.label + 1:03}" for photo in data.train)


def test_collections_are_merged_by_label(two: list[Path]) -> None:
    data = load_dataset(two)
    assert data.labels == ("rose", "lily", "tulip")
    photos = [*data.train, *data.holdout, *data.valid]
    assert {photo.label for photo in photos if photo.path.parent.name == "b"} == {0}
    assert {photo.label for photo in photos if photo.path.parent.name == "a"} == {2}


def test_other_pictures_have_a_kind_and_no_label(two: list[Path]) -> None:
    data = load_dataset(two)
    others = [photo for photo in (*data.train, *data.holdout, *data.valid) if photo.label == NO_KIND]
    assert {photo.kind for photo in others} == {"scenes"}
    assert len(others) == 14
    assert [photo.source for photo in data.valid if photo not in known(data.valid)] == ["zoo"]


def test_source_is_the_prefix_or_the_collection(two: list[Path]) -> None:
    data = load_dataset(two)
    assert {photo.source for photo in data.train} == {"home", "web", "park"}


def test_left_out_source_is_only_tested_on(two: list[Path]) -> None:
    data = load_dataset(two, ["web"])
    assert {photo.source for photo in (*data.train, *data.holdout)} == {"home", "park"}
    assert sum(photo.source == "web" for photo in data.valid) == 39


def test_left_out_source_that_is_absent_is_named(two: list[Path]) -> None:
    with pytest.raises(ExportError, match="--leave-out moon: no photographs"):
        load_dataset(two, ["moon"])


@pytest.mark.parametrize("missing", ["classes.json", "train", "valid"])
def test_missing_part_of_a_folder_is_named(tmp_path: Path, missing: str) -> None:
    for part in {"train", "valid"} - {missing}:
        (tmp_path / part).mkdir()
    if missing != "classes.json":
        (tmp_path / "classes.json").write_text("{}")
    with pytest.raises(ExportError, match=rf"{missing} is missing. Point --data .* gather"):
        load_dataset([tmp_path])
