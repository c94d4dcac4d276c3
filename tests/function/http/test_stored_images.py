"""Test images in a bucket, requested by address over HTTP: they are read from allowed buckets only."""

import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from functions_framework import create_app
from google.cloud import storage

from flowers.cloud import storage as adapter
from flowers.cloud.objects import StoredObject
from flowers.cloud.storage import Storage
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_buckets import ask_for, client_of_storage, generation_of, put
from tests.support.http_contract import Reply, client_with, post
from tests.support.paths import MAIN
from tests.support.server_process import free_port

MEBIBYTE = 1024 * 1024


def reading(bucket: str, make_storage: Callable[[], Storage] = Storage, **changes: int) -> FlaskClient:
    """Return a client of a function that may read `bucket`."""
    return client_of_storage(make_storage, allowed_buckets=(bucket,), **changes)


def assert_refused(reply: Reply, status: int, reason: str, uri: str, generation: str | None = None) -> None:
    assert (reply.status, reply.reason) == (status, reason)
    assert where(reply) == (uri, generation)


def where(reply: Reply) -> tuple[str | None, str | None]:
    """Return the image's address and generation in the answer."""
    image = reply.document["image"]
    return image["uri"], image["generation"]


class MeddledStorage(Storage):
    """Change an object of the real storage between its look-up and its reading."""

    def __init__(self, meddle: Callable[["MeddledStorage"], object]) -> None:
        super().__init__()
        self._meddle = meddle

    def read(self, stored: StoredObject, most: int) -> bytes:
        self._meddle(self)
        return super().read(stored, most)


def test_object_in_allowed_bucket_is_classified(
    bucket: storage.Bucket, jpeg: bytes, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_BUCKETS", f"some-other-bucket, {bucket.name}")
    named = create_app("classify_http", str(MAIN), "http").test_client()  # type: ignore[no-untyped-call]
    uri = put(bucket, "rose.jpg", jpeg)
    stored, sent = ask_for(named, uri), post(client, jpeg)
    assert stored.status == 200
    place = {"uri": uri, "generation": generation_of(bucket, "rose.jpg")}
    assert stored.document["image"] == {**sent.document["image"], **place}
    varying = dict.fromkeys(("image", "classified_at", "timing_ms"))
    assert stored.document | varying == sent.document | varying
    assert "inference;dur=0.0" not in stored.headers["Server-Timing"]


def test_top_and_lang_are_honoured(bucket: storage.Bucket, jpeg: bytes, client: FlaskClient) -> None:
    uri = put(bucket, "rose.jpg", jpeg)
    found = ask_for(reading(bucket.name), uri, "top=3&lang=es").document["predictions"]
    assert found == post(client, jpeg, query="top=3&lang=es").document["predictions"]
    assert len(found) == 3
    refused = ask_for(client_with(), uri, "top=0")
    assert (refused.status, refused.reason) == (400, "INVALID_PARAMETER")


def test_claimed_type_of_object_is_ignored(bucket: storage.Bucket, jpeg: bytes) -> None:
    reply = ask_for(reading(bucket.name), put(bucket, "notes.txt", jpeg, "text/plain"))
    assert (reply.status, reply.document["image"]["format"]) == (200, "JPEG")


@pytest.mark.parametrize("allowed", [(), ("{}x",), ("x{}",), ("some-bucket", "other-bucket")])
def test_bucket_not_allowed_is_never_read(bucket: storage.Bucket, jpeg: bytes, allowed: tuple[str, ...]) -> None:
    uri = put(bucket, "rose.jpg", jpeg)
    # This function has no storage: a request to it would be an answer of 500, which `ask_for` refuses.
    client = client_with(allowed_buckets=tuple(name.format(bucket.name) for name in allowed))
    reply = ask_for(client, uri)
    assert_refused(reply, 403, "BUCKET_NOT_ALLOWED", uri)
    assert bucket.name in reply.document["error"]["message"]


@pytest.mark.parametrize("exists", [True, False], ids=["missing-object", "missing-bucket"])
def test_missing_object_is_not_found(bucket: storage.Bucket, jpeg: bytes, exists: bool) -> None:
    put(bucket, "roses/rose.jpg", jpeg)
    name = bucket.name if exists else f"no-{bucket.name}"
    for uri in (f"gs://{name}/roses", f"gs://{name}/rose.jpg", f"gs://{name}/roses/Rose.jpg"):
        reply = ask_for(reading(name), uri)
        assert_refused(reply, 404, "NOT_FOUND", uri)
        assert uri in reply.document["error"]["message"]


def test_object_above_limit_is_refused_unread(bucket: storage.Bucket, jpeg: bytes) -> None:
    reads: list[object] = []
    client = reading(bucket.name, lambda: MeddledStorage(reads.append), max_image_bytes=len(jpeg))
    uri = put(bucket, "large.jpg", jpeg + b"\0")
    reply = ask_for(client, uri)
    assert_refused(reply, 413, "IMAGE_TOO_LARGE", uri, generation_of(bucket, "large.jpg"))
    assert (reply.document["image"]["bytes"], reply.document["image"]["sha256"]) == (len(jpeg) + 1, None)
    assert reads == []
    assert ask_for(client, put(bucket, "rose.jpg", jpeg)).status == 200
    assert len(reads) == 1


@pytest.mark.parametrize("unpacked", [MEBIBYTE, MEBIBYTE + 1])
def test_object_unpacking_above_limit_is_refused(bucket: storage.Bucket, unpacked: int) -> None:
    data = encode(draw_flower(), "BMP").ljust(unpacked, b"\0")
    uri = put(bucket, "bomb.bmp", gzip.compress(data), "image/bmp", encoding="gzip")
    reply = ask_for(reading(bucket.name, max_image_bytes=MEBIBYTE), uri)
    if unpacked <= MEBIBYTE:
        assert reply.status == 200
        assert reply.document["image"]["sha256"] == hashlib.sha256(data).hexdigest()
    else:
        assert_refused(reply, 413, "IMAGE_TOO_LARGE", uri, generation_of(bucket, "bomb.bmp"))
        assert reply.document["image"]["sha256"] is None


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        pytest.param(encode(draw_flower(), "JPEG")[:1000], 422, "UNDECODABLE_IMAGE", id="truncated"),
        pytest.param(b"%PDF-1.7\n", 415, "UNSUPPORTED_FORMAT", id="no-image"),
        pytest.param(b"", 400, "EMPTY_IMAGE", id="empty"),
    ],
)
def test_invalid_object_gets_error_of_its_bytes(
    bucket: storage.Bucket, client: FlaskClient, data: bytes, status: int, reason: str
) -> None:
    uri = put(bucket, "rose.jpg", data)
    stored, sent = ask_for(reading(bucket.name), uri), post(client, data)
    assert (stored.status, stored.reason) == (sent.status, sent.reason) == (status, reason)
    place = {"uri": uri, "generation": generation_of(bucket, "rose.jpg")}
    assert stored.document["image"] == {**sent.document["image"], **place}
    assert stored.document["image"]["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "my roses/red rose.jpg",
        "jardín/ñandú.jpg",
        "🌹.jpg",
        "a#b.jpg",
        "a?generation=1&b=c.jpg",
        "//roses//red.jpg",
        "roses/../rose.jpg",
        "...",
        "%2e%2e/100%25+.jpg",
        "back\\slash\ttab.jpg",
        pytest.param("ñ/" * 341 + "x", id="1024-bytes"),
    ],
)
def test_object_of_any_name_is_found(bucket: storage.Bucket, jpeg: bytes, name: str) -> None:
    uri = put(bucket, name, jpeg)
    reply = ask_for(reading(bucket.name), uri)
    assert reply.status == 200
    assert where(reply) == (uri, generation_of(bucket, name))


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_object_changed_before_read_is_not_found(bucket: storage.Bucket, jpeg: bytes, change: str) -> None:
    uri = put(bucket, "rose.jpg", jpeg)
    generation = generation_of(bucket, "rose.jpg")

    def meddle(_: object) -> None:
        if change == "deleted":
            bucket.delete_blob("rose.jpg")
        else:
            put(bucket, "rose.jpg", encode(draw_flower(100, 80), "JPEG"))

    reply = ask_for(reading(bucket.name, lambda: MeddledStorage(meddle)), uri)
    assert_refused(reply, 404, "NOT_FOUND", uri, generation)
    again = ask_for(reading(bucket.name), uri)
    assert again.status == (404 if change == "deleted" else 200)
    assert where(again)[1] != generation


@pytest.mark.parametrize("when", ["look-up", "read"])
def test_storage_unavailable_gets_503(
    bucket: storage.Bucket, jpeg: bytes, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    uri = put(bucket, "rose.jpg", jpeg)
    # The adapter's own retry, its deadline alone shortened.
    monkeypatch.setattr(adapter, "_RETRY", adapter._RETRY.with_timeout(0.6))
    nobody = {"api_endpoint": f"http://127.0.0.1:{free_port()}"}
    with monkeypatch.context() as outage:
        if when == "look-up":
            outage.setenv("STORAGE_EMULATOR_HOST", nobody["api_endpoint"])
        gone = storage.Client(client_options=nobody)
        client = reading(bucket.name, lambda: MeddledStorage(lambda it: outage.setattr(it, "_client", gone)))
        reply = ask_for(client, uri)
    assert_refused(reply, 503, "UNAVAILABLE", uri, generation_of(bucket, "rose.jpg") if when == "read" else None)
    assert int(reply.headers["Retry-After"]) >= 1
    assert ask_for(reading(bucket.name), uri).status == 200


def test_missing_credentials_get_503(bucket: storage.Bucket, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = put(bucket, "rose.jpg", jpeg)
    client = reading(bucket.name)
    with monkeypatch.context() as outage:
        outage.delenv("STORAGE_EMULATOR_HOST")
        outage.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")
        assert_refused(ask_for(client, uri), 503, "UNAVAILABLE", uri)
    assert ask_for(client, uri).status == 200


# Serves the function, asks for a sent photo and for a stored one; prints each status and whether storage is imported.
STEPS = """
import sys
from functions_framework import create_app

client = create_app("classify_http", sys.argv[1], "http").test_client()
stored = {"image": {"gcs_uri": sys.argv[2]}}
steps = [lambda: client.post("/", data=sys.stdin.buffer.read()), lambda: client.post("/", json=stored)]
print([(step().status_code, "google.cloud.storage" in sys.modules) for step in steps])
"""


def test_storage_is_imported_on_first_use(bucket: storage.Bucket, jpeg: bytes) -> None:
    command = [sys.executable, "-c", STEPS, str(MAIN), put(bucket, "rose.jpg", jpeg)]
    environment = {**os.environ, "ALLOWED_BUCKETS": bucket.name}
    run = subprocess.run(command, input=jpeg, env=environment, capture_output=True, check=True, timeout=60)
    assert run.stdout.decode().splitlines()[-1] == "[(200, False), (200, True)]"
