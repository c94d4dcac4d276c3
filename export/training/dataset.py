"""List the labelled photographs of one or several collections."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from ..conversion.labels import Labels
from ..errors import ExportError
from ..serving import IMAGE_ENDINGS

HOLDOUT_EVERY = 13
VALID_EVERY = 5
OTHER = "other"
NO_KIND = -1
# `tf5_0123.jpg`: the part of a collection that a photograph comes from.
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9]*)_.+")


@dataclass(frozen=True)
class Photo:
    """Hold a photograph: its file, and the index of its class, 0 to the number of classes - 1.

    `label` is `NO_KIND` for a picture of none of the catalogue's kinds; `kind` then names its folder under `other/`.
    `source` names the collection, and the part of it where the collection has several.
    """

    path: Path
    label: int
    source: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Dataset:
    """Hold labels in the model's order, and three disjoint lists of photographs.

    `train` is fitted to; `holdout` (every 13th photograph of a folder) decides temperature and threshold;
    `valid` decides nothing and is what reports quote.
    """

    labels: tuple[str, ...]
    train: tuple[Photo, ...]
    holdout: tuple[Photo, ...]
    valid: tuple[Photo, ...]


class DataMissingError(ExportError):
    """Report photographs that are not in the given folder."""


def known(photos: Iterable[Photo]) -> list[Photo]:
    """Return the photographs that show a kind of the catalogue."""
    return [photo for photo in photos if photo.label != NO_KIND]


def load_dataset(roots: Sequence[Path], leave_out: Collection[str] = ()) -> Dataset:
    """List the photographs of several collections as one data set.

    Each root holds `train/<class>/*.jpg`, `valid/<class>/*.jpg` and `classes.json` (class folder → label). Labels keep
    the first root's order; later roots append theirs. `other/<kind>/` beside the class folders holds pictures of no
    kind. All photographs of the sources named in `leave_out` go to `valid`, so that they can be tested on.
    Raise `DataMissingError` naming what is absent.
    """
    labels: dict[str, int] = {}
    parts: dict[str, list[list[Photo]]] = {"train": [], "valid": []}
    for root in roots:
        for part in ("classes.json", *parts):
            if not (root / part).exists():
                raise DataMissingError(
                    f"{root / part} is missing. Point --data at folders that hold train/<class>/*.jpg, "
                    "valid/<class>/*.jpg and classes.json (a map from class folder to label), or make one with "
                    "`python -m export gather`."
                )
        names: dict[str, str] = json.loads((root / "classes.json").read_text(encoding="utf-8"))
        for name in sorted(names):
            labels.setdefault(names[name], len(labels))
        folders = {name: labels[label] for name, label in names.items()}
        listed = {part: _folders(root / part, folders) for part in parts}
        prefixes = {_prefix(photo.path) for photos in chain(*listed.values()) for photo in photos}
        for part, photos_by_folder in listed.items():
            for photos in photos_by_folder:
                # Where all files have the same prefix, it says nothing of the source: the collection's name does.
                parts[part].append(
                    [
                        replace(photo, source=(len(prefixes) > 1 and _prefix(photo.path)) or root.name)
                        for photo in photos
                    ]
                )
    train: list[Photo] = []
    holdout: list[Photo] = []
    valid = [photo for photos in parts["valid"] for photo in photos]
    for photos in parts["train"]:
        for index, photo in enumerate(photos):
            if photo.source in leave_out:
                valid.append(photo)
            elif index % HOLDOUT_EVERY == HOLDOUT_EVERY // 2:
                holdout.append(photo)
            else:
                train.append(photo)
    absent = set(leave_out) - {photo.source for photo in valid}
    if absent:
        raise DataMissingError(f"--leave-out {min(absent)}: no photographs of this source in the given folders")
    return Dataset(tuple(labels), tuple(train), tuple(holdout), tuple(valid))


def _folders(part: Path, folders: dict[str, int]) -> list[list[Photo]]:
    """List the photographs by folder: one of each class, then one of each kind of others."""
    listed = [[Photo(path, label) for path in sorted((part / name).glob("*.jpg"))] for name, label in folders.items()]
    for kind in sorted(path for path in (part / OTHER).glob("*") if path.is_dir()):
        listed.append([Photo(path, NO_KIND, kind=kind.name) for path in sorted(kind.glob("*.jpg"))])
    return listed


def _prefix(path: Path) -> str:
    """Return the part of a collection that a file's name begins with; "" without one."""
    match = _PREFIX.fullmatch(path.stem)
    return match[1] if match else ""


def load_class_folders(root: Path, labels: Labels) -> Dataset:
    """Return the photographs in `root/<class>/`, or in `root/train/<class>/` and `root/valid/<class>/`.

    A folder is called as an id or a label of `labels` (ids also with leading zeros), or a `classes.json` in `root` says
    its label. Folders of other classes are left out. Without `valid`, every fifth photograph of a class is `valid`.
    Raise `DataMissingError` if no photographs are found.
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
