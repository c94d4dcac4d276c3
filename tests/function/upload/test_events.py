"""Test that every event is acknowledged unless a dependency is unavailable, and that only images get results."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud import storage

import flowers.cloud.storage
from tests.support.emulated_cloud import binary_event, description, structured_event
from tests.support.server_process import free_port
from tests.support.upload_instances import UploadCloud, upload_function
from tests.support.uploads import (
    deliver,
    event_data,
    log_lines,
    names,
    post_data,
    put,
    result_blob,
    result_of,
    the_line,
)

JSON = {"Content-Type": "application/json"}


def background_event(data: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return the event as the first generation of Cloud Functions got it."""
    context = {
        "eventId": "1",
        "timestamp": "2026-11-22T12:00:00.000Z",
        "eventType": "google.storage.object.finalize",
        "resource": {
            "service": "storage.googleapis.com",
            "name": f"projects/_/buckets/{data['bucket']}/objects/{data['name']}",
            "type": "storage#object",
        },
    }
    return JSON, json.dumps({"context": context, "data": data}).encode()


@pytest.mark.parametrize("shape", [binary_event, structured_event, background_event])
def test_event_of_each_form_is_handled(
    cloud: UploadCloud,
    bucket: storage.Bucket,
    jpeg: bytes,
    shape: Callable[[dict[str, Any]], tuple[dict[str, str], bytes]],
) -> None:
    image = put(bucket, "roses/rose.jpg", jpeg)
    headers, body = shape(description(image))
    assert cloud.instance.post("/", headers=headers, data=body).status_code == 200
    assert result_of(image)["image"]["format"] == "JPEG"


def test_numbers_as_numbers_and_null_are_read(cloud: UploadCloud, bucket: storage.Bucket, jpeg: bytes) -> None:
    image = put(bucket, "rose.jpg", jpeg)
    null = dict.fromkeys(("contentType", "contentEncoding", "metadata", "timeCreated"))
    assert deliver(cloud.instance, image, generation=image.generation, size=len(jpeg), **null) == 200
    assert result_of(image)["image"]["format"] == "JPEG"


# Skips: the object is in no bucket, so that any look for it would end as "gone".


@pytest.mark.parametrize(
    "data",
    [
        {"name": "rose.jpg.json"},
        {"name": ".json"},
        {"name": "rose.jpg", "metadata": {"result-schema": "flowers.result/v1"}},
        {"name": "rose.jpg", "metadata": {"result-schema": ""}},
        {"name": "roses/"},
        {"name": "/"},
        {"name": "roses/", "contentType": "image/jpeg"},
        *(
            {"name": "rose", "contentType": kind}
            for kind in (
                "application/json",
                "text/plain",
                "text/plain; charset=utf-8",
                "Text/HTML",
                " application/pdf ",
                "video/mp4",
                "application/x-www-form-urlencoded;charset=UTF-8",
                "images/jpeg",
                "image",
                "not a type",
                "text/\ud800",
            )
        ),
    ],
    ids=str,
)
def test_object_of_other_type_is_skipped_unread(cloud: UploadCloud, data: dict[str, Any]) -> None:
    with log_lines() as lines:
        assert post_data(cloud.instance, event_data(**data)) == 200
    line = the_line(lines)
    assert (line["event"], line["severity"], line["generation"]) == ("skipped", "INFO", "1795422804472964")
    assert cloud.watched.calls == []


def test_skipped_object_is_left_alone(cloud: UploadCloud, jpeg: bytes) -> None:
    bucket = cloud.bucket
    put(bucket, "photo", jpeg, "text/plain")
    for blob in bucket.list_blobs():
        assert deliver(cloud.instance, blob) == 200
    assert names(bucket) == ["photo"]


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "IMAGE/JPEG",
        "image/png",
        "image/x-unknown; q=1",
        "",
        None,
        "application/octet-stream",
        "Application/Octet-Stream; x=y",
        "binary/octet-stream",
    ],
)
@pytest.mark.parametrize("is_image", [True, False])
def test_object_of_image_or_no_type_is_sniffed(
    cloud: UploadCloud, bucket: storage.Bucket, jpeg: bytes, content_type: str | None, is_image: bool
) -> None:
    blob = put(bucket, "photo", jpeg if is_image else b"Una rosa es una rosa.")
    assert deliver(cloud.instance, blob, contentType=content_type) == 200
    document = result_of(blob)
    assert document["image"]["format"] == ("JPEG" if is_image else None)
    assert ("error" in document) is not is_image


def test_event_without_type_is_sniffed(cloud: UploadCloud, bucket: storage.Bucket, jpeg: bytes) -> None:
    image = put(bucket, "photo", jpeg)
    data = description(image)
    del data["contentType"]
    assert post_data(cloud.instance, data) == 200
    assert result_of(image)["image"]["format"] == "JPEG"


# Unavailable dependencies.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Provide the real adapter with a short time for retries."""
    monkeypatch.setattr(flowers.cloud.storage, "_RETRY", flowers.cloud.storage._RETRY.with_timeout(0.3))
    yield


def test_unavailable_storage_is_retried(impatient: None) -> None:
    instance, watched = upload_function(STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{free_port()}")
    for data in (event_data("garden"), event_data("garden", size="0")):
        with log_lines() as lines:
            assert post_data(instance, data) == 500
        line = the_line(lines)
        assert (line["event"], line["severity"], line["object"]) == ("retry", "ERROR", "gs://garden/rose.jpg")
    assert watched.calls == ["look_up"] * 2


def test_missing_result_bucket_is_retried(bucket: storage.Bucket, jpeg: bytes, impatient: None) -> None:
    place = f"{bucket.name}-results"
    instance, _ = upload_function(RESULT_BUCKET=place)
    image = put(bucket, "rose.jpg", jpeg)
    with log_lines() as lines:
        assert deliver(instance, image) == 500
    assert (the_line(lines)["event"], place in the_line(lines)["message"]) == ("retry", True)
    results = bucket.client.create_bucket(place)
    assert deliver(instance, image) == 200
    assert result_of(image, results)["image"]["format"] == "JPEG"
    assert names(bucket) == ["rose.jpg"]
    assert deliver(instance, result_blob(image, results)) == 200
    assert names(results) == ["rose.jpg.json"]
