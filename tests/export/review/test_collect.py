"""Test that corrected and least sure photos are copied once, and nothing in an archive is trusted."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage
from PIL import Image

from export.errors import ExportError
from export.review.archive import open_archive
from export.review.collect import Collected, collect, read_review
from export.review.photo import ReviewPhoto
from export.review.run import CollectOptions, run
from export.serving import Settings
from flowers.cloud import storage as adapter
from tests.support.archives import LABELS, Kept, in_bucket, in_folder, keep


def collected(archive: Path | str, out: Path, least_sure: int = 200, **settings: Any) -> Collected:
    """Collect from an archive as the command does."""
    changed = Settings(**settings)
    return collect(open_archive(str(archive), changed.result_suffix), out, least_sure, changed)


def files(out: Path) -> dict[str, bytes]:
    """Return the copied photos by digest."""
    return {file.stem: file.read_bytes() for file in (out / "review" / "photos").iterdir()}


def only(out: Path) -> ReviewPhoto:
    """Return the only photo under review."""
    (photo,) = read_review(out)
    return photo


def test_collect_takes_corrected_and_least_sure(bucket: storage.Bucket, tmp_path: Path) -> None:
    sure, unsure, less = keep(1, 0.9), keep(2, 0.3), keep(3, 0.2)
    corrected = keep(4, 0.99, correction={"label": "sunflower", "comment": "in my garden"})
    address = in_bucket(bucket, sure, unsure, less, corrected)
    done = collected(address, tmp_path, least_sure=2)
    assert (done.photos, done.corrected, done.copied, done.unusable) == (3, 1, 3, 0)
    photos = read_review(tmp_path)
    assert [photo["photo"] for photo in photos] == [corrected.digest, less.digest, unsure.digest]
    assert photos[0]["uri"] == f"{address}/{next(iter(corrected.objects))}"
    assert photos[0]["correction"] == {
        "label": "sunflower",
        "text": None,
        "comment": "in my garden",
        "corrected_at": "2026-11-27T02:01:00.000Z",
    }
    assert photos[1]["answer"] == {
        "identified": False,
        "predictions": [[label, 0.2 / rank] for rank, label in enumerate(LABELS, 1)],
        "model": "flowers 2.0.0",
    }
    assert [photo["suggestion"] for photo in photos] == ["sunflower", "oxeye daisy", "oxeye daisy"]
    assert files(tmp_path) == {photo.digest: next(iter(photo.objects.values())) for photo in (corrected, unsure, less)}


def test_collect_twice_copies_nothing_again(tmp_path: Path) -> None:
    archive = in_folder(tmp_path / "archive", keep(1), keep(2, correction={"text": "a weed"}))
    out = tmp_path / "out"
    assert collected(archive, out).copied == 2
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in (out / "review" / "photos").iterdir()}
    written = (out / "review" / "photos.json").read_bytes()
    assert collected(archive, out)[1:] == (2, 1, 0, 0)
    after = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in (out / "review" / "photos").iterdir()}
    assert (after, (out / "review" / "photos.json").read_bytes()) == (before, written)


def test_collect_after_interruption_copies_the_rest(tmp_path: Path) -> None:
    archive = in_folder(tmp_path / "archive", *map(keep, range(4)))
    out = tmp_path / "out"
    collected(archive, out)
    photo, half = sorted((out / "review" / "photos").iterdir())[:2]
    photo.unlink()
    half.rename(half.with_suffix(".partial")).write_bytes(b"half of it")
    (out / "review" / "photos.json").unlink()
    assert collected(archive, out)[1:] == (4, 0, 2, 0)
    assert all(data.startswith(b"\xff\xd8") for data in files(out).values())


def test_new_correction_reaches_a_collected_photo(tmp_path: Path) -> None:
    archive, out = tmp_path / "archive", tmp_path / "out"
    collected(in_folder(archive, keep(1)), out)
    assert only(out)["correction"] is None
    collected(in_folder(archive, keep(1, correction={"text": "Helianthus Annuus"})), out)
    assert only(out)["suggestion"] == "sunflower"


def test_photos_of_earlier_runs_stay(tmp_path: Path) -> None:
    archive, out = in_folder(tmp_path / "archive", keep(1, 0.5)), tmp_path / "out"
    collected(archive, out, least_sure=1)
    done = collected(in_folder(archive, keep(2, 0.1)), out, least_sure=1)
    assert (done.photos, done.copied) == (2, 1)


def test_photo_of_two_days_is_one(tmp_path: Path) -> None:
    first = keep(1, 0.9, "2026/11/26", correction={"text": "from the first day"})
    archive = in_folder(tmp_path / "archive", first, keep(1, 0.8, "2026/11/27"))
    assert collected(archive, tmp_path)[1:] == (1, 1, 1, 0)
    photo = only(tmp_path)
    assert "2026/11/27" in photo["uri"]
    assert photo["correction"] and photo["correction"]["text"] == "from the first day"
    in_folder(archive, keep(1, 0.8, "2026/11/27", correction={"text": "from the second"}))
    collected(archive, tmp_path)
    photo = only(tmp_path)
    assert photo["correction"] and photo["correction"]["text"] == "from the second"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "HEIF"])
def test_photo_of_other_format_becomes_jpeg(tmp_path: Path, format: str) -> None:
    collected(in_folder(tmp_path / "archive", keep(6, format=format)), tmp_path)
    with Image.open(io.BytesIO(*files(tmp_path).values())) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (70, 48), "RGB")


def test_prefix_limits_the_listing(bucket: storage.Bucket, tmp_path: Path) -> None:
    november = keep(1, day="2026/11/30")
    address = in_bucket(bucket, november, keep(2, day="2026/12/01"))
    collected(f"{address}/2026/11", tmp_path)
    assert files(tmp_path).keys() == {november.digest}


def test_result_suffix_of_the_function_is_used(tmp_path: Path) -> None:
    kept = keep(1, correction={"text": "a weed"})
    renamed = Kept(kept.digest, {name.replace(".json", ".species.json"): data for name, data in kept.objects.items()})
    archive = in_folder(tmp_path / "archive", renamed)
    assert collected(archive, tmp_path, result_suffix=".species.json").corrected == 1
    assert only(tmp_path)["answer"]


def test_names_of_an_archive_never_leave_the_folder(bucket: storage.Bucket, tmp_path: Path) -> None:
    good, digest = keep(1), "ab" * 32
    jpeg = next(iter(good.objects.values()))
    for name in (
        f"../../{digest}.jpg",
        f"2026/11/27/../../../../{digest}.jpg",
        f"2026/11/27/{digest}/../../evil.jpg",
        f"/etc/{digest}.jpg",
        f"2026/11/27/{digest.upper()}.jpg",
        f"2026/11/27/{digest}.jpg/evil.jpg",
        f"2026/11/27/{digest}.sh",
        "2026/11/27/rose.jpg",
    ):
        bucket.blob(name).upload_from_string(jpeg)
    out = tmp_path / "deep" / "out"
    collected(in_bucket(bucket, good), out)
    assert files(out).keys() == {good.digest}
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == [f"{good.digest}.jpg"]


@pytest.mark.parametrize(
    "changed",
    [
        b"",
        b"no JSON",
        b"[" * 100_000,
        b"[]",
        b'{"schema": "flowers.correction/v1"}',
        *(
            json.dumps({"schema": "flowers.correction/v1", "corrected_at": "2026", **fields}).encode()
            for fields in (
                {"label": None, "text": None, "comment": None},
                {"label": "rose", "text": "rose", "comment": None},
                {"label": ["rose"], "text": None, "comment": None},
                {"label": None, "text": "x" * 101, "comment": None},
                {"label": None, "text": "\ud800", "comment": None},
                {"label": None, "text": "rose", "comment": "x" * 501},
            )
        ),
    ],
)
def test_invalid_correction_counts_as_none(tmp_path: Path, changed: bytes) -> None:
    kept = keep(1, correction={})
    name = next(name for name in kept.objects if "correction" in name)
    collected(in_folder(tmp_path / "archive", Kept(kept.digest, kept.objects | {name: changed})), tmp_path)
    assert only(tmp_path)["correction"] is None


@pytest.mark.parametrize(
    "result",
    [
        {"schema": "flowers.error/v1"},
        {"predictions": []},
        {"predictions": [{"label": "rose"}]},
        {"predictions": [{"label": 5, "confidence": 0.5}]},
        {"predictions": [{"label": "rose", "confidence": float("nan")}]},
        {"model": None},
        {"images": [{"sha256": "../evil"}]},
        {"images": ["photo"]},
    ],
)
def test_corrected_photo_with_invalid_result_is_kept(tmp_path: Path, result: dict[str, Any]) -> None:
    archive = in_folder(tmp_path / "archive", keep(1, **result), keep(2, correction={"label": "rose"}, **result))
    assert collected(archive, tmp_path)[1:] == (1, 1, 1, 0)
    assert (only(tmp_path)["answer"], only(tmp_path)["suggestion"]) == (None, "rose")


def test_object_that_is_no_image_is_counted(tmp_path: Path) -> None:
    good, bad = keep(1), keep(2)
    name = next(iter(bad.objects))
    archive = in_folder(tmp_path / "archive", good, Kept(bad.digest, bad.objects | {name: b"<script>"}))
    assert collected(archive, tmp_path)[1:] == (1, 0, 1, 1)
    assert files(tmp_path).keys() == {good.digest}


def test_photo_above_the_limit_is_counted(tmp_path: Path) -> None:
    archive = in_folder(tmp_path / "archive", keep(1), keep(2))
    assert collected(archive, tmp_path, max_image_bytes=100).unusable == 2


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        ("gs://", "write gs://BUCKET"),
        ("gs://Not A Bucket", "write gs://BUCKET"),
        ("gs://no-such-bucket-here", "no bucket no-such-bucket-here.*ARCHIVE_BUCKET"),
        ("nowhere", "nowhere is no folder"),
        (".", "has no archived photos.*YYYY/MM/DD"),
    ],
)
def test_wrong_archive_is_named(
    storage_server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=message):
        collected(archive, tmp_path / "out")


def test_unavailable_storage_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(adapter, "_RETRY", adapter._RETRY.with_timeout(0.2))
    with pytest.raises(ExportError, match=r"Cloud Storage is unavailable.*gcloud auth.*what is copied is kept"):
        collected("gs://garden-archive", tmp_path)


def test_folder_of_other_photographs_is_left_alone(tmp_path: Path) -> None:
    archive, data = in_folder(tmp_path / "archive", keep(1)), tmp_path / "flowers102"
    (data / "train" / "001").mkdir(parents=True)
    (data / "train" / "001" / "image_00001.jpg").touch()
    with pytest.raises(ExportError, match="was not collected from an archive"):
        run(CollectOptions(data, str(archive)))
    assert not (data / "review").exists()


def test_invalid_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESULT_SUFFIX", ".jpg")
    with pytest.raises(ExportError, match="RESULT_SUFFIX"):
        run(CollectOptions(tmp_path, str(tmp_path)))


def test_damaged_list_is_named(tmp_path: Path) -> None:
    archive = in_folder(tmp_path / "archive", keep(1))
    collected(archive, tmp_path)
    (tmp_path / "review" / "photos.json").write_text("{}")
    with pytest.raises(ExportError, match=r"photos.json is damaged. Delete it"):
        collected(archive, tmp_path)
