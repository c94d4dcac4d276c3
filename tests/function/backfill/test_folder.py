"""Test the program on a folder of photos: what it writes, what a second run does, what it leaves alone."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.backfill_program import backfill
from tests.support.tiny_model import tiny_model
from tests.support.upload_server import photo
from tests.support.uploads import CONTRACT

PHOTOS = ["rose.jpg", "señora 🌷.jpg", "trip/2025/lily", "trip/rose (1).JPG"]


def tree(folder: Path) -> list[str]:
    """Return the names of all files, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def document_of(image: Path) -> dict[str, Any]:
    """Return the document beside a photo. Fail unless it keeps the contract and is of the file as it is now."""
    data = image.with_name(image.name + ".json").read_bytes()
    assert data.count(b"\n") == 1
    document: dict[str, Any] = json.loads(data)
    CONTRACT.validate({"$ref": f"#/components/schemas/{'Error' if 'error' in document else 'Result'}"}, document)
    about = document["image"]
    assert (about["uri"], about["generation"]) == (image.as_uri(), str(image.stat().st_mtime_ns))
    assert about["sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()
    return document


def times(folder: Path) -> dict[str, int]:
    """Return the time at which each result was written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.json")}


@pytest.mark.parametrize("pattern", ["photos/**", "photos", "./photos/", "{absolute}/**"])
def test_second_run_of_folder_does_nothing(photos: Path, pattern: str) -> None:
    before = tree(photos)
    pattern = pattern.format(absolute=photos)
    first = backfill(pattern, folder=photos.parent)
    assert first.status == 0, first.error
    assert (first.counts["classified"], first.counts["invalid"], first.counts["UNDECODABLE_IMAGE"]) == (4, 1, 1)
    assert first.counts["no images by their type"] == 2
    assert tree(photos) == sorted([*before, *(f"{name}.json" for name in [*PHOTOS, "broken.jpg"])])
    assert all("species" in document_of(photos / name) for name in PHOTOS)
    assert document_of(photos / "broken.jpg")["error"]["reason"] == "UNDECODABLE_IMAGE"
    written = times(photos)
    second = backfill(pattern, folder=photos.parent)
    assert (second.status, second.counts["classified"], second.counts["done before"]) == (0, 0, 5)
    assert times(photos) == written


def test_changed_or_replaced_photo_is_redone(photos: Path) -> None:
    backfill(f"{photos}/**")
    before = times(photos)
    (photos / "rose.jpg").write_bytes(photo(77))
    (photos / "trip/2025/lily").write_bytes(photo(78))
    os.utime(photos / "trip/2025/lily", ns=(10**18, 10**18))
    run = backfill(f"{photos}/**")
    assert (run.counts["classified"], run.counts["done before"]) == (2, 3)
    assert {name for name, time in times(photos).items() if before[name] != time} == {
        str(photos / "rose.jpg.json"),
        str(photos / "trip/2025/lily.json"),
    }
    assert all(document_of(photos / name) for name in PHOTOS)


def test_other_model_version_or_all_redoes(photos: Path) -> None:
    (photos.parent / "tiny.onnx").write_bytes(tiny_model())
    model = {"MODEL_PATH": str(photos.parent / "tiny.onnx")}
    assert backfill(f"{photos}/**", settings=model).counts["classified"] == 4
    assert document_of(photos / "rose.jpg")["model"]["version"] == "1.2.3"
    run = backfill(f"{photos}/**")
    assert (run.counts["classified"], run.counts["done before"]) == (4, 1)
    assert document_of(photos / "rose.jpg")["model"]["version"] != "1.2.3"
    run = backfill(f"{photos}/**", "--all")
    assert (run.counts["classified"], run.counts["invalid"], "done before" in run.counts) == (4, 1, False)


def test_foreign_file_in_place_is_kept_and_counted(photos: Path) -> None:
    takeout = photos / "rose.jpg.json"
    takeout.write_text('{"title": "rose.jpg", "photoTakenTime": {"timestamp": "1716900000"}}')
    before = takeout.read_bytes()
    run = backfill(f"{photos}/**")
    assert (run.status, run.counts["another's file in the result's place"]) == (0, 1)
    assert takeout.read_bytes() == before
    run = backfill(f"{photos}/**", settings={"RESULT_SUFFIX": ".flowers.json"})
    assert run.counts["classified"] == 4
    assert takeout.read_bytes() == before
    assert (photos / "rose.jpg.flowers.json").exists()


def test_name_of_any_bytes_or_length_is_handled(photos: Path) -> None:
    odd = photos / os.fsdecode("ros\xe9.jpg".encode("latin-1"))
    odd.write_bytes(photo(5))
    longest, too_long = photos / f"{'n' * 246}.jpg", photos / f"{'n' * 247}.jpg"
    longest.write_bytes(photo(6))
    too_long.write_bytes(photo(7))
    run = backfill(f"{photos}/**")
    assert (run.status, run.counts["classified"], run.counts["name too long for a result"]) == (0, 6, 1)
    assert document_of(odd)
    assert document_of(longest)


def test_pattern_takes_only_what_matches(photos: Path) -> None:
    before = tree(photos)
    run = backfill("photos/*.jpg", folder=photos.parent)
    assert (run.counts["classified"], run.counts["invalid"]) == (2, 1)
    run = backfill("photos/**/*.JPG", folder=photos.parent)
    assert run.counts["classified"] == 1
    assert set(tree(photos)) - set(before) == {
        f"{name}.json" for name in ("rose.jpg", "señora 🌷.jpg", "broken.jpg", "trip/rose (1).JPG")
    }


def test_read_only_folder_leaves_photos_to_do(photos: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (photos / "trip").chmod(0o500)
    run = backfill(f"{photos}/**")
    (photos / "trip").chmod(0o700)
    assert (run.status, run.counts["left to do"], run.counts["classified"]) == (1, 1, 3)
    assert backfill(f"{photos}/**").counts["classified"] == 1
