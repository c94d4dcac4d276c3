"""Test that a folder with odd files is listed and takes results."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from backfill.job import Job
from backfill.local_files import FileAddress, LocalFiles
from backfill.pattern import Pattern
from backfill.pipeline import _List
from flowers.cloud.objects import PreconditionFailedError, StoredObject

SCANDIR = os.scandir


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


def test_listing_with_an_unreadable_folder_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def scan(folder: Path) -> Any:
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return SCANDIR(folder)

    for name in ("a/locked", "a/open", "b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "rose.jpg").write_bytes(b"x")
    monkeypatch.setattr(os, "scandir", scan)
    found = LocalFiles(tmp_path, ".json", "1").list_objects(str(tmp_path), "")
    names = [entry if isinstance(entry, str) else entry.address.name for entry in found]
    assert names == ["a/locked/", "a/open/rose.jpg", "b/rose.jpg"]
    step = _List(Job(str(tmp_path), Pattern(""), local=True, model_version="1"))
    step.setup()
    assert [task.name for task in step.process("a/")] == ["a/open/rose.jpg"]
    assert "the folder 'a/locked/' is left to do" in caplog.text


def test_empty_result_of_a_crash_is_replaced(tmp_path: Path) -> None:
    files, address = LocalFiles(tmp_path, ".json", "1"), FileAddress(str(tmp_path), "rose.jpg.json")
    (tmp_path / "rose.jpg.json").touch()
    assert (listed(tmp_path), files.look_up(address)) == ([], None)
    files.write(address, b"{}", "application/json", expected=0)
    assert (tmp_path / "rose.jpg.json").read_bytes() == b"{}"
    assert listed(tmp_path) == ["rose.jpg.json"]
