"""Test that a folder keeps a bucket's protocol: generations, preconditions, whole writes, foreign files untouched."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from backfill.local_files import FileAddress, LocalFiles
from flowers.cloud.objects import ObjectMissingError, PreconditionFailedError, StoredObject
from flowers.errors import InputError

VERSION = "1.0.0"


def files(folder: Path) -> LocalFiles:
    """Return the store."""
    return LocalFiles(folder, ".json", VERSION)


def listed(folder: Path, prefix: str = "", delimiter: str = "") -> list[str]:
    """Draw names of files and folders."""
    entries = files(folder).list_objects(str(folder), prefix, delimiter)
    return [entry if isinstance(entry, str) else entry.address.name for entry in entries]


def lay(folder: Path, names: Sequence[str]) -> None:
    """Make files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\xd8\xff")


def test_files_come_in_the_order_of_a_bucket(tmp_path: Path) -> None:
    lay(tmp_path, ["b.jpg", "a/z.jpg", "a.jpg", "a-1.jpg", "a/b/c.jpg", "é.jpg"])
    assert listed(tmp_path) == sorted(["b.jpg", "a/z.jpg", "a.jpg", "a-1.jpg", "a/b/c.jpg", "é.jpg"])
    assert listed(tmp_path, "a") == ["a-1.jpg", "a.jpg", "a/b/c.jpg", "a/z.jpg"]
    assert listed(tmp_path, "a/b") == ["a/b/c.jpg"]
    assert listed(tmp_path, "", "/") == ["a-1.jpg", "a.jpg", "a/", "b.jpg", "é.jpg"]


def test_hidden_files_and_bad_links_are_skipped(tmp_path: Path) -> None:
    lay(tmp_path, ["a.jpg", ".a.jpg", ".cache/b.jpg", "c/.d.jpg", "c/e.jpg"])
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nothing.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "a.jpg")
    assert listed(tmp_path) == ["a.jpg", "c/e.jpg", "linked.jpg"]
    assert listed(tmp_path, ".cache/") == []


def test_changed_file_is_another_generation(tmp_path: Path) -> None:
    lay(tmp_path, ["a.jpg"])
    store = files(tmp_path)
    (found,) = store.list_objects(str(tmp_path), "")
    assert isinstance(found, StoredObject)
    assert store.read(found, 3) == b"\xff\xd8\xff"
    with pytest.raises(InputError, match="more than 2 bytes"):
        store.read(found, 2)
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    with pytest.raises(ObjectMissingError):
        store.read(found, 3)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(ObjectMissingError):
        store.read(found, 3)
    assert store.look_up(found.address) is None


def test_write_replaces_only_named_file(tmp_path: Path) -> None:
    store, address = files(tmp_path), FileAddress(str(tmp_path), "a.jpg.json")
    first = store.write(address, b"one", "application/json", expected=0)
    with pytest.raises(PreconditionFailedError):
        store.write(address, b"two", "application/json", expected=0)
    with pytest.raises(PreconditionFailedError):
        store.write(address, b"two", "application/json", expected=first - 1)
    assert (tmp_path / "a.jpg.json").read_bytes() == b"one"
    os.utime(tmp_path / "a.jpg.json", ns=(first - 5, first - 5))
    assert store.write(address, b"two", "application/json", expected=first - 5) != first - 5
    (tmp_path / "a.jpg.json").unlink()
    with pytest.raises(PreconditionFailedError):
        store.write(address, b"three", "application/json", expected=first)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "7",
        '{"schema": "flowers.result/v1"}',
        '{"schema": "other", "image": {"generation": "1"}}',
    ],
)
def test_foreign_file_has_no_metadata(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jpg.json").write_text(text)
    found = files(tmp_path).look_up(FileAddress(str(tmp_path), "a.jpg.json"))
    assert found is not None
    assert found.metadata == {}


def test_result_has_the_metadata_of_a_bucket(tmp_path: Path) -> None:
    lay(tmp_path, ["a.jpg"])
    address = FileAddress(str(tmp_path), "a.jpg.json")

    def marks(generation: object, **document: object) -> dict[str, str]:
        document = {"schema": "flowers.result/v1", "image": {"generation": generation}, **document}
        (tmp_path / "a.jpg.json").write_text(json.dumps(document))
        found = files(tmp_path).look_up(address)
        assert found is not None
        return dict(found.metadata)

    now = str((tmp_path / "a.jpg").stat().st_mtime_ns)
    model = {"version": "0.9"}
    mark = {"source-generation": now, "model-version": "0.9", "result-schema": "flowers.result/v1"}
    assert marks(now, model=model) == mark
    assert marks("1", model=model) == mark | {"source-generation": "0"}
    assert marks(None, model=model) == mark | {"source-generation": "0"}
    error = {"source-generation": now, "model-version": VERSION, "result-schema": "flowers.error/v1"}
    assert marks(now, schema="flowers.error/v1") == error
    (tmp_path / "a.jpg").unlink()
    assert marks(now, model=model) == mark | {"source-generation": "0"}


def test_address_of_any_file_is_ascii(tmp_path: Path) -> None:
    name = os.fsdecode("señora \xff".encode("latin-1"))
    assert FileAddress(str(tmp_path), name).uri == f"{tmp_path.as_uri()}/se%F1ora%20%FF"
