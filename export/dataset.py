"""The labelled photographs: a folder of `train/<class>/*.jpg`, `valid/<class>/*.jpg` and `classes.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

from .errors import ExportError

HOLDOUT_EVERY = 13


@dataclass(frozen=True)
class Photo:
    """A labelled photograph: its file and the index of its class, 0 to the number of classes - 1."""

    path: Path
    label: int


@dataclass(frozen=True)
class Dataset:
    """Labels in the model's order, and three disjoint lists of photographs.

    `train` is fitted to; `holdout` (every 13th photograph of a class folder) decides temperature and threshold;
    `valid` decides nothing and is what reports quote.
    """

    labels: tuple[str, ...]
    train: tuple[Photo, ...]
    holdout: tuple[Photo, ...]
    valid: tuple[Photo, ...]


class DataMissingError(ExportError):
    """The photographs are not where they were said to be."""


def _photos(folder: Path, classes: list[str]) -> list[list[Photo]]:
    return [
        [Photo(path, label) for path in sorted((folder / name).glob("*.jpg"))] for label, name in enumerate(classes)
    ]


def load_dataset(root: Path) -> Dataset:
    """Lists the photographs under `root`. Raises `DataMissingError` naming what is absent."""
    for part in ("classes.json", "train", "valid"):
        if not (root / part).exists():
            raise DataMissingError(
                f"{root / part} is missing. Point --data at a folder that holds train/<class>/*.jpg, "
                "valid/<class>/*.jpg and classes.json (a map from class folder to label)."
            )
    names: dict[str, str] = json.loads((root / "classes.json").read_text(encoding="utf-8"))
    classes = sorted(names)
    train: list[Photo] = []
    holdout: list[Photo] = []
    for photos in _photos(root / "train", classes):
        for index, photo in enumerate(photos):
            (holdout if index % HOLDOUT_EVERY == HOLDOUT_EVERY // 2 else train).append(photo)
    valid = [photo for photos in _photos(root / "valid", classes) for photo in photos]
    return Dataset(tuple(names[name] for name in classes), tuple(train), tuple(holdout), tuple(valid))
