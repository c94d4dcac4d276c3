"""Test that every format and every invalid image gets the same document by upload as over HTTP, under any name."""

import gzip
import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from google.cloud import storage

from tests.support.http_contract import post
from tests.support.sample_images import FAULTY, IMAGES, SAMPLES, TEXT
from tests.support.upload_instances import UploadCloud, upload_function
from tests.support.uploads import (
    deliver,
    event_data,
    event_of,
    log_lines,
    names,
    post_data,
    put,
    result_of,
    the_line,
)


def lasting(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without the fields that differ by place and time."""
    image = {key: value for key, value in document["image"].items() if key not in ("uri", "generation")}
    lasting = {key: value for key, value in document.items() if key not in ("classified_at", "timing_ms")}
    if "error" in document:
        lasting["error"] = {key: value for key, value in document["error"].items() if key != "request_id"}
    return lasting | {"image": image}


@pytest.mark.parametrize("name", [*IMAGES, *FAULTY])
def test_upload_gets_document_of_http_call(cloud: UploadCloud, client: FlaskClient, name: str) -> None:
    bucket, instance, _, _ = cloud
    data = IMAGES[name] if name in IMAGES else FAULTY[name]
    image = put(bucket, name, data, "application/octet-stream")
    assert event_of(instance, image) == ("classified" if name in IMAGES else "refused")
    assert names(bucket) == sorted([name, f"{name}.json"])
    document = result_of(image)
    assert ("error" in document) == (name in FAULTY)
    assert (document["image"]["bytes"], document["image"]["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    if name != "json":  # which HTTP reads as a request
        assert lasting(document) == lasting(post(client, data).document)
    assert event_of(instance, image) == "repeated"


def test_log_has_the_quality_of_new_results_only(cloud: UploadCloud) -> None:
    image, faulty = put(cloud.bucket, "rose.jpg", IMAGES["jpeg"]), put(cloud.bucket, "text.jpg", TEXT)
    with log_lines() as lines:
        for blob in (image, image, faulty):
            deliver(cloud.instance, blob)
    document = result_of(image)
    quality = {"label": document["predictions"][0]["label"]} | {
        name: document[name] for name in ("confidence", "identified")
    }
    logged = [{name: line[name] for name in quality if name in line} for line in lines]
    assert [line["event"] for line in lines] == ["classified", "repeated", "refused"]
    assert logged == [quality, {}, {}]


def test_upload_above_limit_is_refused_unread(bucket: storage.Bucket) -> None:
    instance, watched = upload_function(MAX_IMAGE_BYTES="1000")
    for size, event in ((1001, "refused"), (1000, "refused")):
        watched.clear()
        image = put(bucket, f"{size}.jpg", bytes(size))
        assert event_of(instance, image) == event
        document = result_of(image)
        too_large = size > 1000
        assert watched.calls == ["look_up", "write"] if too_large else ["look_up", "read", "write"]
        assert document["error"]["reason"] == ("IMAGE_TOO_LARGE" if too_large else "UNSUPPORTED_FORMAT")
        assert document["image"]["bytes"] == size
        assert (document["image"]["sha256"] is None) == too_large
    assert "1,001" in result_of(bucket.get_blob("1001.jpg"))["error"]["message"]


def test_file_of_terabytes_is_refused_unread(cloud: UploadCloud) -> None:
    image = put(cloud.bucket, "film.jpg", b"")
    assert deliver(cloud.instance, image, size=str(5 * 2**40)) == 200
    assert cloud.watched.calls == ["look_up", "write"]
    assert result_of(image)["image"]["bytes"] == 5 * 2**40


def test_upload_larger_than_event_is_read_to_limit(bucket: storage.Bucket) -> None:
    instance, _ = upload_function(MAX_IMAGE_BYTES="1000")
    image = put(bucket, "rose.jpg", bytes(5000))
    assert deliver(instance, image, size="10") == 200
    document = result_of(image)
    assert (document["error"]["reason"], document["image"]["sha256"]) == ("IMAGE_TOO_LARGE", None)


def test_gzip_encoded_image_is_the_image_inside(cloud: UploadCloud, client: FlaskClient, jpeg: bytes) -> None:
    image = put(cloud.bucket, "rose.jpg", gzip.compress(jpeg), content_encoding="gzip")
    assert image.size != len(jpeg)
    assert event_of(cloud.instance, image) == "classified"
    assert lasting(result_of(image)) == lasting(post(client, jpeg).document)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(TEXT), "UNSUPPORTED_FORMAT"),
        (gzip.compress(bytes(200 * 2**20), 1), "IMAGE_TOO_LARGE"),
        (gzip.compress(SAMPLES["JPEG"])[:-900], "UNDECODABLE_IMAGE"),
        (SAMPLES["JPEG"], "UNDECODABLE_IMAGE"),
        (gzip.compress(b""), "EMPTY_IMAGE"),
    ],
    ids=["text", "bomb", "cut off", "not gzip at all", "empty"],
)
def test_invalid_gzip_object_is_refused(cloud: UploadCloud, data: bytes, reason: str) -> None:
    image = put(cloud.bucket, "rose.jpg", data, content_encoding="gzip")
    assert event_of(cloud.instance, image) == "refused"
    document = result_of(image)
    assert document["error"]["reason"] == reason
    if reason == "IMAGE_TOO_LARGE":
        assert document["image"]["sha256"] is None  # it was not unpacked to its end
    assert event_of(cloud.instance, image) == "repeated"


NAMES = {
    "spaces": " a rose  of mine .jpg",
    "ñ": "señora ñandú.jpg",
    "decomposed ñ": "sen\u0303ora.jpg",
    "emoji": "🌷/👩‍🌾.jpg",
    "right to left": "\u202egpj.exe",
    "doubled slashes": "roses//2026///rose.jpg",
    "leading slash": "/rose.jpg",
    "slash alone before": "//rose.jpg",
    "hash": "rose#1.jpg",
    "question mark": "rose?generation=1.jpg",
    "ampersand and plus": "a&b=c+d.jpg",
    "%2F": "roses%2Frose.jpg",
    "%": "100%.jpg",
    "dots": "../../etc/rose.jpg",
    "dots inside": "a/../b.jpg",
    "backslash and quotes": "C:\\roses\\\"rose'.jpg",
    "tab": "a\trose.jpg",
    "no ending": "rose",
    "a dot": "rose.",
    "json before": "rose.json.jpg",
    "JSON": "rose.JSON",
    "one letter": "r",
    "longest with a result": "n" * 1019,
    "longest in ñ": "ñ" * 509,
    "longest in emoji": "🌷" * 254,
    "longest in folders": "/".join(["d" * 50] * 19),
}


def test_longest_name_leaves_room_for_suffix() -> None:
    lengths = [len(f"{NAMES[name]}.json".encode()) for name in NAMES if name.startswith("longest")]
    assert max(lengths) == 1024


# Names that other spellings must not hit.
NEIGHBOURS = ["roses/rose.jpg", "rose.jpg", "rose", "b.jpg", "roses/2026/rose.jpg", "100%25.jpg", "señora.jpg"]


@pytest.mark.parametrize("name", NAMES)
def test_result_is_beside_an_image_of_any_name(versioned: UploadCloud, jpeg: bytes, name: str) -> None:
    bucket, instance, _, _ = versioned
    others = [other for other in NEIGHBOURS if other != NAMES[name]]
    for other in others:
        put(bucket, other, b"another")
    image = put(bucket, NAMES[name], jpeg)
    assert event_of(instance, image) == "classified"
    assert result_of(image)["image"]["sha256"] == hashlib.sha256(jpeg).hexdigest()
    assert event_of(instance, image) == "repeated"
    assert names(bucket) == sorted([*others, NAMES[name], f"{NAMES[name]}.json"])


@pytest.mark.parametrize("name", ["n" * 1020, "n" * 1024, "ñ" * 512, "🌷" * 256])
def test_name_too_long_for_a_result_is_acknowledged(versioned: UploadCloud, jpeg: bytes, name: str) -> None:
    image = put(versioned.bucket, name, jpeg)
    with log_lines() as lines:
        assert deliver(versioned.instance, image) == 200
    line = the_line(lines)
    assert (line["severity"], line["event"]) == ("ERROR", "skipped")
    assert "rename" in line["message"]
    assert versioned.watched.calls == []
    assert names(versioned.bucket) == [name]


@pytest.mark.parametrize("name", ["rose.json", "roses/", "roses//", "/"])
def test_result_or_folder_name_is_skipped(versioned: UploadCloud, jpeg: bytes, name: str) -> None:
    image = put(versioned.bucket, name, jpeg if name.endswith("n") else b"")
    assert event_of(versioned.instance, image) == "skipped"
    assert versioned.watched.calls == []
    assert names(versioned.bucket) == [name]


@pytest.mark.parametrize("name", [".", ".."])
def test_invalid_object_name_is_not_found(versioned: UploadCloud, name: str) -> None:
    with log_lines() as lines:
        assert post_data(versioned.instance, event_data(versioned.bucket.name, name)) == 200
    assert the_line(lines)["event"] in ("gone", "malformed")
    assert names(versioned.bucket) == []
