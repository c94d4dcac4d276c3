"""Test that `gather` reads small archives in their published form, and names what is wrong with others."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from export.errors import ExportError
from export.training import gather as gathering
from export.training.dataset import load_dataset
from export.training.gather import Archive, gather

KINDS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def jpeg(shade: int) -> bytes:
    """Return a small JPEG file."""
    file = io.BytesIO()
    Image.new("RGB", (20, 16), (shade, 80, 40)).save(file, "JPEG")
    return file.getvalue()


def write_archive(file: Path, members: dict[str, bytes]) -> None:
    """Write a .tgz archive."""
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """Make the four files with 12 Oxford photographs of classes 1, 54 and 102, and 11 of each of the five kinds."""
    folder = tmp_path / "archives"
    folder.mkdir()
    write_archive(folder / "102flowers.tgz", {f"jpg/image_{n:05}.jpg": jpeg(n) for n in range(1, 13)})
    savemat(folder / "imagelabels.mat", {"labels": np.array([[1, 54, 102] * 4], np.uint8)})
    splits = {"trnid": [[1, 2, 3]], "valid": [[4, 5, 6]], "tstid": [[7, 8, 9, 10, 11, 12]]}
    savemat(folder / "setid.mat", {name: np.array(numbers, np.uint16) for name, numbers in splits.items()})
    photos = {f"flower_photos/{kind}/{n}_ab.jpg": jpeg(n) for kind in KINDS for n in range(11)}
    write_archive(folder / "flower_photos.tgz", {"flower_photos/LICENSE.txt": b"CC BY 2.0", **photos})
    return folder


def test_gathered_folder_is_a_training_folder(archives: Path, tmp_path: Path) -> None:
    assert gather(archives, tmp_path / "data", check=False) == 12 + 55
    data = load_dataset([tmp_path / "data"])
    assert {"pink primrose", "sunflower", "blackberry lily", "tulip", "rose", "oxeye daisy"} <= set(data.labels)
    assert {photo.source for photo in data.train} == {"oxford102", "tensorflow5"}
    assert len(data.train) + len(data.holdout) == 9 + 50
    assert sum(photo.source == "oxford102" for photo in data.valid) == 3
    assert sum(photo.source == "tensorflow5" for photo in data.valid) == 5


def test_classes_meet_across_archives(archives: Path, tmp_path: Path) -> None:
    gather(archives, tmp_path / "data", check=False)
    names = json.loads((tmp_path / "data" / "classes.json").read_text(encoding="utf-8"))
    assert names["054"] == "sunflower"
    files = {file.name.partition("_")[0] for file in (tmp_path / "data" / "train" / "054").iterdir()}
    assert files == {"oxford102", "tensorflow5"}


def test_licence_of_the_photographs_comes_along(archives: Path, tmp_path: Path) -> None:
    gather(archives, tmp_path / "data", check=False)
    assert (tmp_path / "data" / "LICENSE-flower_photos.txt").read_bytes() == b"CC BY 2.0"


def test_wrong_checksum_is_refused(archives: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"102flowers\.tgz is damaged or another file .* remove it"):
        gather(archives, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("spoil", [_truncate, _empty])
@pytest.mark.parametrize("name", ["102flowers.tgz", "imagelabels.mat", "setid.mat", "flower_photos.tgz"])
def test_damaged_archive_is_named(archives: Path, tmp_path: Path, name: str, spoil: Callable[[Path], None]) -> None:
    spoil(archives / name)
    with pytest.raises(ExportError, match=name.replace(".", r"\.")):
        gather(archives, tmp_path / "data", check=False)


def test_photo_without_a_class_is_named(archives: Path, tmp_path: Path) -> None:
    write_archive(archives / "102flowers.tgz", {"jpg/image_00099.jpg": jpeg(1)})
    with pytest.raises(ExportError, match=r"image_00099\.jpg, but imagelabels\.mat has no class"):
        gather(archives, tmp_path / "data", check=False)


def test_absent_archive_is_fetched(archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = tmp_path / "published"
    archives.rename(published)
    sources = [
        Archive(name, (published / name).as_uri(), hashlib.md5((published / name).read_bytes()).hexdigest())  # noqa: S324
        for name in (archive.name for archive in gathering.ARCHIVES)
    ]
    monkeypatch.setattr(gathering, "ARCHIVES", tuple(sources))
    assert gather(tmp_path / "fetched", tmp_path / "data") == 67
    assert sorted(path.name for path in (tmp_path / "fetched").iterdir()) == sorted(archive.name for archive in sources)


def test_unreachable_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "ARCHIVES", (Archive("a.tgz", "http://127.0.0.1:9/a.tgz", ""),))
    with pytest.raises(ExportError, match=r"cannot fetch http://127\.0\.0\.1:9/a\.tgz: .* Download it elsewhere"):
        gather(tmp_path / "fetched", tmp_path / "data")
    assert list((tmp_path / "fetched").iterdir()) == []
