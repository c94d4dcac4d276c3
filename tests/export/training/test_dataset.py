"""Splits that never overlap, and a message where the photographs are missing."""

from pathlib import Path

import pytest

from export.errors import ExportError
from export.training.dataset import Dataset, load_dataset


def test_train_holdout_and_valid_share_no_photograph_and_lose_none(data: Dataset) -> None:
    parts = [{photo.path for photo in part} for part in (data.train, data.holdout, data.valid)]
    assert sum(len(part) for part in parts) == len(set.union(*parts)) == 3 * 54
    assert [len(part) for part in parts] == [3 * 46, 3 * 4, 3 * 4]


def test_labels_follow_the_class_folders(data: Dataset) -> None:
    assert data.labels == ("red disc", "blue disc", "yellow disc")
    assert all(photo.path.parent.name == f"{photo.label + 1:03}" for photo in data.train)


@pytest.mark.parametrize("missing", ["classes.json", "train", "valid"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    for part in {"train", "valid"} - {missing}:
        (tmp_path / part).mkdir()
    if missing != "classes.json":
        (tmp_path / "classes.json").write_text("{}")
    with pytest.raises(ExportError, match=f"{missing} is missing. Point --data"):
        load_dataset(tmp_path)
