"""The labelled photographs: a folder of `train/<class>/*.jpg`, `valid/<class>/*.jpg` and `classes.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..conversion.labels import Labels
from ..errors import ExportError
from ..serving import IMAGE_ENDINGS

HOLDOUT_EVERY = 13
VALID_EVERY = 5


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


def load_class_folders(root: Path, labels: Labels) -> Dataset:
    """The photographs in `root/<class>/`, or in `root/train/<class>/` and `root/valid/<class>/`.

    A folder is called as an id or a label of `labels` (ids also with leading zeros), or a `classes.json` in `root` says
    its label. Folders of other classes are left out. Without `valid`, every fifth photograph of a class is `valid`.
    Raises `DataMissingError` where no photographs are found.
    """
    names: dict[str, str] = {}
    if (root / "classes.json").is_file():
        names = json.loads((root / "classes.json").read_text(encoding="utf-8"))
    parts = [root / "train", root / "valid"] if (root / "valid").is_dir() else [root]
    listed = [_photos_by_class(part, names, labels) for part in parts]
    if len(listed) == 1:
        every = [photo for photos in listed[0] for photo in photos[::VALID_EVERY]]
        rest = [photo for photos in listed[0] for index, photo in enumerate(photos) if index % VALID_EVERY]
    else:
        rest, every = ([photo for photos in part for photo in photos] for part in listed)
    if not every or not rest:
        raise DataMissingError(
            f"{root} has no folders of photographs called as the model's classes ({', '.join(labels.folders[:3])}, …). "
            "Point --data at a folder that holds <class>/*.jpg, or train/<class>/*.jpg and valid/<class>/*.jpg."
        )
    return Dataset(labels.names, tuple(rest), (), tuple(every))


def _photos_by_class(root: Path, names: dict[str, str], labels: Labels) -> list[list[Photo]]:
    def key(name: str) -> str:
        return name.lstrip("0") if name.isdigit() else name

    index = {key(name): number for number, name in enumerate(labels.folders)}
    index |= {name: number for number, name in enumerate(labels.names)}
    photos: list[list[Photo]] = [[] for _ in labels.names]
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        label = index.get(key(folder.name), index.get(names.get(folder.name, "")))
        if label is not None:
            files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_ENDINGS)
            photos[label] += [Photo(file, label) for file in files]
    return photos
