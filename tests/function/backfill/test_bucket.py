"""Test the program on a bucket: the upload function's protocol, with one listing, and one read and write per image."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import storage

from tests.support.backfill_program import backfill
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import Call, Fault, FaultProxy
from tests.support.pictures import sample
from tests.support.sample_images import FAULTY, IMAGES
from tests.support.tiny_model import tiny_model
from tests.support.upload_server import check_result, photo
from tests.support.uploads import names, put, result_of


@pytest.fixture
def proxy(storage_server: EmulatedStorage) -> Iterator[FaultProxy]:
    """Provide a proxy between the program and its bucket."""
    with FaultProxy(storage_server.url) as proxy:
        yield proxy


def fill(bucket: storage.Bucket, images: int) -> dict[str, storage.Blob]:
    """Upload photos into three folders and beside them."""
    names = [f"{'2025/' if n % 4 else ''}{n % 3}/photo {n}.jpg" if n % 5 else f"photo {n}.jpg" for n in range(images)]
    return {name: put(bucket, name, photo(number)) for number, name in enumerate(names)}


def generations(bucket: storage.Bucket) -> dict[str, int]:
    """Return the generations of all objects."""
    return {blob.name: blob.generation for blob in bucket.list_blobs()}


def test_bucket_image_costs_one_read_one_write(bucket: storage.Bucket, proxy: FaultProxy) -> None:
    images = fill(bucket, 24)
    url = {"STORAGE_EMULATOR_HOST": proxy.url}
    run = backfill(f"gs://{bucket.name}/**", settings=url)
    assert (run.status, run.counts["classified"]) == (0, 24), run.error
    for number, (name, image) in enumerate(images.items()):
        check_result(image, photo(number))
        assert len(proxy.written(name)) == 1
    assert (proxy.counts[Call.READ], proxy.counts[Call.WRITE]) == (24, 24)
    listings = proxy.counts[Call.LOOK_UP]
    assert listings <= 6, "one to see whether it may, one of the top, one of each folder"
    before = generations(bucket)
    run = backfill(f"gs://{bucket.name}/**", settings=url)
    assert (run.status, run.counts["classified"], run.counts["done before"]) == (0, 0, 24)
    assert (proxy.counts[Call.READ], proxy.counts[Call.WRITE]) == (24, 24)
    assert proxy.counts[Call.LOOK_UP] == 2 * listings
    assert generations(bucket) == before


def test_bucket_gets_documents_of_uploads(bucket: storage.Bucket) -> None:
    files = IMAGES | FAULTY
    images = [put(bucket, name, data, "application/octet-stream") for name, data in files.items()]
    put(bucket, "notes.txt", b"text", "text/plain")
    put(bucket, "folder/", b"", "application/octet-stream")
    run = backfill(f"gs://{bucket.name}/**")
    assert (run.status, run.counts["classified"], run.counts["invalid"]) == (0, len(IMAGES), len(FAULTY)), run.error
    for image in images:
        assert ("error" in result_of(image)) == (image.name in FAULTY)
    assert names(bucket) == sorted([*files, *(f"{name}.json" for name in files), "notes.txt", "folder/"])
    assert backfill(f"gs://{bucket.name}/**").counts["done before"] == len(files)


def test_changed_image_or_model_is_redone(bucket: storage.Bucket, tmp_path: Path) -> None:
    fill(bucket, 6)
    (tmp_path / "tiny.onnx").write_bytes(tiny_model())
    model = {"MODEL_PATH": str(tmp_path / "tiny.onnx")}
    pattern = f"gs://{bucket.name}/**"
    assert backfill(pattern, settings=model).counts["classified"] == 6
    newer = put(bucket, "photo 0.jpg", photo(99))
    assert backfill(pattern, settings=model).counts["classified"] == 1
    assert result_of(newer)["model"]["version"] == "1.2.3"
    assert backfill(pattern).counts["classified"] == 6
    assert result_of(newer)["model"]["version"] != "1.2.3"
    assert backfill(pattern, "--all").counts["classified"] == 6


def test_results_in_result_bucket_are_found(bucket: storage.Bucket) -> None:
    results = storage.Client().create_bucket(f"results-{uuid.uuid4().hex[:12]}")
    images = fill(bucket, 9)
    put(bucket, "photo 0.jpg.json", b"{}", "application/json")
    settings = {"RESULT_BUCKET": results.name}
    assert backfill(f"gs://{bucket.name}/**", settings=settings).counts["classified"] == 9
    assert names(results) == sorted(f"{name}.json" for name in images)
    assert result_of(images["photo 0.jpg"], results)
    assert backfill(f"gs://{bucket.name}/**", settings=settings).counts["done before"] == 9


def test_foreign_object_stays_long_name_is_reported(bucket: storage.Bucket) -> None:
    fill(bucket, 1)
    foreign = put(bucket, "photo 0.jpg.json", b'{"mine": 1}', "application/json")
    put(bucket, "n" * 1020, sample("PNG"), "image/png")
    run = backfill(f"gs://{bucket.name}/**")
    assert (run.counts["another's file in the result's place"], run.counts["name too long for a result"]) == (1, 1)
    assert generations(bucket)["photo 0.jpg.json"] == foreign.generation


def test_unavailable_image_is_retried_then_left(bucket: storage.Bucket, proxy: FaultProxy) -> None:
    images = fill(bucket, 12)
    url = {"STORAGE_EMULATOR_HOST": proxy.url}
    proxy.fail("photo 0.jpg", Call.READ, Fault.FORBIDDEN, times=1)  # which the library does not retry
    proxy.fail("photo 5.jpg", Call.WRITE, Fault.LOST_ANSWER, times=1)
    proxy.fail("photo 10.jpg", Call.WRITE, Fault.FORBIDDEN)
    run = backfill(f"gs://{bucket.name}/**", settings=url)
    assert (run.status, run.counts["classified"], run.counts["left to do"]) == (1, 11, 1), run.error
    assert "photo 10.jpg" in run.error
    assert "403" in run.error
    proxy.heal("photo 10.jpg")
    run = backfill(f"gs://{bucket.name}/**", settings=url)
    assert (run.status, run.counts["classified"], run.counts["done before"]) == (0, 1, 11)
    for number, image in enumerate(images.values()):
        check_result(image, photo(number))
        assert len(proxy.written(image.name)) == 1
