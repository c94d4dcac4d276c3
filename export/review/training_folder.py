"""Write the training folder of the photos that were accepted.

    train/<class>/archive_<sha256>.jpg    valid/<class>/…    other kinds: train/other/<kind>/…    classes.json

The folder follows the decisions: another file of decisions adds, moves and removes photos.
"""

import hashlib
import json
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from ..errors import ExportError
from .collect import REVIEW, read_review
from .decisions import Decision, DecisionsError

OTHER = "other"
PREFIX = "archive_"
_VALID_EVERY = 10
_MAX_FOLDER = 60
_PARTS = ("train", "valid")


class Written(NamedTuple):
    """Count the photos of the training folder by label, those of no kind, and the discarded and undecided ones."""

    labels: Counter[str]
    others: int
    discarded: int
    undecided: int


def write_training_folder(out: Path, decisions: Mapping[str, Decision]) -> Written:
    """Make the training folder `out` hold what `decisions` accept of the photos in `out/review`.

    Every tenth plant is in `valid`; several photos of one plant stay together. Raise `ExportError`.
    """
    plants = {photo["photo"]: photo["plant"] for photo in read_review(out)}
    check_own(out)
    strange = sorted(decisions.keys() - plants.keys())
    if strange:
        raise DecisionsError(
            f"{len(strange)} of {len(decisions)} decisions are about photos that {out / REVIEW} lacks, for example "
            f"{strange[0]}. Give the --out that the photos were collected into."
        )
    folders = class_folders(decision.label for decision in decisions.values() if decision.label)
    kinds = class_folders(decision.other for decision in decisions.values() if decision.other)
    wanted: dict[Path, str] = {}
    for photo, (label, other) in decisions.items():
        if label or other:
            part = "train" if int(plants[photo], 16) % _VALID_EVERY else "valid"
            place = Path(folders[label]) if label else Path(OTHER, kinds[other or ""])
            wanted[out / part / place / f"{PREFIX}{photo}.jpg"] = photo
    for part in _PARTS:
        (out / part).mkdir(exist_ok=True)
        for file in set((out / part).rglob("*.jpg")) - wanted.keys():
            file.unlink()
    for file, photo in tqdm(wanted.items(), "copy photos", unit=" photos", mininterval=1):
        if not file.exists():
            _copy(out / REVIEW / "photos" / f"{photo}.jpg", file)
    classes = json.dumps({folder: label for label, folder in folders.items()}, ensure_ascii=False, indent=1)
    (out / "classes.json").write_text(f"{classes}\n", encoding="utf-8")
    labels = Counter(decision.label for decision in decisions.values() if decision.label)
    others = sum(decision.other is not None for decision in decisions.values())
    return Written(labels, others, len(decisions) - labels.total() - others, len(plants) - len(decisions))


def check_own(out: Path) -> None:
    """Raise `ExportError` if `out` holds photographs of another origin, which must not be mixed up or replaced."""
    for part in _PARTS:
        for file in (out / part).rglob("*"):
            if file.is_file() and not file.name.startswith(PREFIX):
                raise ExportError(
                    f"{file} was not collected from an archive. Give --out a folder of its own; "
                    "--data takes several folders."
                )


def class_folders(labels: Iterable[str]) -> dict[str, str]:
    """Return the folder of each label: letters and digits of ASCII, joined by dashes."""
    folders: dict[str, str] = {}
    for label in sorted(set(labels), key=lambda label: (label != label.lower(), label)):
        plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
        folder = re.sub(r"[^a-z0-9]+", "-", plain)[:_MAX_FOLDER].strip("-")
        if folder in ("", OTHER, *folders.values()):
            digest = hashlib.sha256(label.encode()).hexdigest()[:8]
            folder = f"{folder}-{digest}".strip("-")
        folders[label] = folder
    return folders


def _copy(source: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    try:
        shutil.copyfile(source, partial)
    except FileNotFoundError:
        raise ExportError(f"{source} is missing. Collect the photos again: what is there is kept.") from None
    partial.replace(file)
