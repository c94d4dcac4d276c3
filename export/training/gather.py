"""Build a training folder from public archives: Oxford Flowers-102 and TensorFlow's five kinds of flower photos.

The archives are read in the form in which they are published:
https://www.robots.ox.ac.uk/~vgg/data/flowers/102/ (M-E. Nilsback, A. Zisserman, ICVGIP 2008; for research) and
https://www.tensorflow.org/datasets/catalog/tf_flowers (CC BY 2.0, each photographer named in its LICENSE.txt).
"""

import hashlib
import json
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from tqdm import tqdm

from ..errors import ExportError
from ..serving import Catalogue

OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
VALID_EVERY = 10
CHUNK_BYTES = 1 << 20


class GatherError(ExportError):
    """Report an archive that is absent, damaged or not in its published form."""


@dataclass(frozen=True)
class Archive:
    """Describe a published file: its name, its official address, and its MD5 as its publishers' loaders state it."""

    name: str
    url: str
    md5: str


# MD5: torchvision.datasets.Flowers102; flower_photos.tgz: TensorFlow Lite Model Maker's demo.
ARCHIVES = (
    Archive("102flowers.tgz", f"{OXFORD}/102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
    Archive("imagelabels.mat", f"{OXFORD}/imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
    Archive("setid.mat", f"{OXFORD}/setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
    Archive(
        "flower_photos.tgz",
        "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
        "6f87fb78e9cc9ab41eff2015b380011d",
    ),
)
# The five kinds' folders, and the catalogue's labels for them.
FIVE_KINDS = {
    "daisy": "oxeye daisy",
    "dandelion": "common dandelion",
    "roses": "rose",
    "sunflowers": "sunflower",
    "tulips": "tulip",
}


def gather(archives: Path, out: Path, check: bool = True) -> int:
    """Write `out/train/<class>/*.jpg`, `out/valid/<class>/*.jpg` and `out/classes.json`; return how many photographs.

    `archives` holds the four published files; those that are absent are fetched into it first. `check` compares each
    file's MD5 with the published one. Oxford's own validation set becomes `valid`, and every tenth of the five kinds.
    Raise `GatherError`.
    """
    archives.mkdir(parents=True, exist_ok=True)
    for archive in ARCHIVES:
        file = archives / archive.name
        if not file.exists():
            _fetch(archive, file)
        if check and _md5(file) != archive.md5:
            raise GatherError(f"{file} is damaged or another file (MD5 is not {archive.md5}): remove it and run again")
    labels = Catalogue().labels
    folders = {label: f"{number:03}" for number, label in enumerate(labels, 1)}
    classes = _oxford_classes(archives)
    if classes.max() > len(labels):
        raise GatherError(f"imagelabels.mat has a class {classes.max()}, but the catalogue has {len(labels)} labels")
    valid = set(_matrix(archives / "setid.mat", "valid").tolist())

    def oxford(name: PurePosixPath) -> Path | None:
        digits = name.stem.removeprefix("image_")
        number = int(digits) if digits.isdecimal() else 0
        if not 0 < number <= len(classes):
            raise GatherError(f"102flowers.tgz has a photograph {name}, but imagelabels.mat has no class for it")
        split = "valid" if number in valid else "train"
        return Path(split, f"{classes[number - 1]:03}", f"oxford102_{number:05}.jpg")

    counts = dict.fromkeys(FIVE_KINDS, 0)

    def five_kinds(name: PurePosixPath) -> Path | None:
        kind = name.parent.name
        if kind not in FIVE_KINDS:
            return None
        counts[kind] += 1
        split = "train" if counts[kind] % VALID_EVERY else "valid"
        return Path(split, folders[FIVE_KINDS[kind]], f"tensorflow5_{counts[kind]:05}.jpg")

    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for tar, place in (("102flowers.tgz", oxford), ("flower_photos.tgz", five_kinds)):
        for name, photo in tqdm(_files(archives / tar), tar, unit="file", mininterval=1):
            target = place(name) if name.suffix == ".jpg" else None
            if target is not None:
                (out / target).parent.mkdir(parents=True, exist_ok=True)
                (out / target).write_bytes(photo.read())
                written += 1
    (out / "LICENSE-flower_photos.txt").write_bytes(_licence(archives / "flower_photos.tgz"))
    used = {folder: label for label, folder in folders.items() if (out / "train" / folder).exists()}
    (out / "classes.json").write_text(json.dumps(used, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return written


def _fetch(archive: Archive, file: Path) -> None:
    partial = file.with_suffix(".partial")
    try:
        with urllib.request.urlopen(archive.url, timeout=30) as answer, partial.open("wb") as target:
            size = int(answer.headers.get("Content-Length") or 0)
            with tqdm(total=size or None, desc=f"fetch {archive.name}", unit="B", unit_scale=True) as bar:
                while chunk := answer.read(CHUNK_BYTES):
                    target.write(chunk)
                    bar.update(len(chunk))
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise GatherError(
            f"cannot fetch {archive.url}: {error}. Download it elsewhere and put it into {file.parent} as {file.name}"
        ) from error
    partial.replace(file)


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _matrix(file: Path, key: str) -> NDArray[np.int64]:
    """Read a vector of whole numbers from a MATLAB file."""
    try:
        return np.asarray(loadmat(file)[key], np.int64).ravel()
    except (KeyError, ValueError, TypeError, OSError, MatReadError) as error:
        raise GatherError(f"{file} has no {key} in it: is it the published file?") from error


def _oxford_classes(archives: Path) -> NDArray[np.int64]:
    """Return the class, 1 to 102, of each photograph [N]; photograph 1 comes first."""
    return _matrix(archives / "imagelabels.mat", "labels")


def _licence(archive: Path) -> bytes:
    """Return the text that names the photographers of the five kinds; b"" if the archive has none."""
    texts = [content.read() for name, content in _files(archive) if name.name == "LICENSE.txt"]
    return texts[0] if texts else b""


def _files(archive: Path) -> Iterator[tuple[PurePosixPath, BinaryIO]]:
    """Yield the name and the content of each file in a .tgz archive, in the archive's order."""
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                content = opened.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield PurePosixPath(member.name), content  # type: ignore[misc]  # IO[bytes] is what tarfile says
    except (tarfile.TarError, EOFError, OSError) as error:
        raise GatherError(f"{archive} is no readable .tgz archive: {error}") from error
