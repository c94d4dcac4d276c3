"""Test that a folder with odd files is listed and takes results."""

import errno
import json
from pathlib import Path

import pytest

from backfill.local_files import FileAddress, LocalFiles
from flowers.cloud.objects import PreconditionFailedError, StoredObject


def listed(folder: Path) -> list[str]:
    """Return the names of the files that are found."""
    found = LocalFiles(folder, ".json", "1").list_objects(str(folder), "")
    return [entry.address.name for entry in found if isinstance(entry, StoredObject)]


def test_listing_with_a_looping_link_goes_on(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "rose.jpg").write_bytes(b"x")
    assert listed(tmp_path) == ["rose.jpg"]


def test_listing_with_an_unreadable_file_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "note").write_bytes(b"x")
    (tmp_path / "rose.jpg").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    assert listed(tmp_path) == ["rose.jpg"]


@pytest.mark.parametrize("model", ["text", 7, [], {}, None])
def test_listing_with_a_foreign_document_goes_on(tmp_path: Path, model: object) -> None:
    document = {"schema": "flowers.result/v1", "image": {"generation": "1"}, "model": model}
    (tmp_path / "rose.jpg.json").write_text(json.dumps(document))
    assert listed(tmp_path) == ["rose.jpg.json"]


def test_write_without_hard_links_never_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    files, address = LocalFiles(tmp_path, ".json", "1"), FileAddress(str(tmp_path), "rose.jpg.json")
    files.write(address, b"{}", "application/json", expected=0)
    with pytest.raises(PreconditionFailedError):
        files.write(address, b"other", "application/json", expected=0)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("rose.jpg.json", b"{}")]
