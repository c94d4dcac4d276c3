"""Call HTTP functions with real buckets, to read images from and to keep photos in."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from threading import Event
from typing import Any

from flask.testing import FlaskClient
from google.cloud import storage

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.cloud.storage import Storage
from flowers.http.function import HttpFunction
from flowers.settings import Settings
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import Reply, client_of, post

# Each format's ending and media type (IANA's registry of media types).
KINDS = {
    "JPEG": (".jpg", "image/jpeg"),
    "PNG": (".png", "image/png"),
    "WEBP": (".webp", "image/webp"),
    "GIF": (".gif", "image/gif"),
    "BMP": (".bmp", "image/bmp"),
    "TIFF": (".tiff", "image/tiff"),
    "AVIF": (".avif", "image/avif"),
    "HEIF": (".heic", "image/heic"),
}
_sizes = count(64)


def new_photo() -> bytes:
    """Return a photo that differs from all before."""
    return encode(draw_flower(next(_sizes), 48), "PNG")


@cache
def _classifier(max_image_bytes: int) -> Classifier:
    return Classifier(Settings(max_image_bytes=max_image_bytes))


def client_of_storage(make_storage: Callable[[], Storage] = Storage, **changes: Any) -> FlaskClient:
    """Return a client of the function with `changes` of the default settings about buckets and image bytes."""
    settings = Settings(**changes)
    return client_of(HttpFunction(_classifier(settings.max_image_bytes), settings, Cloud(make_storage)))


def put(bucket: storage.Bucket, name: str, data: bytes, content_type: str = "image/jpeg", encoding: str = "") -> str:
    """Upload an object and return its address."""
    blob = bucket.blob(name)
    blob.content_encoding = encoding or None
    blob.upload_from_string(data, content_type)
    return f"gs://{bucket.name}/{name}"


def generation_of(bucket: storage.Bucket, name: str) -> str:
    """Return an object's generation, as documents quote it."""
    return str(bucket.get_blob(name).generation)


def ask_for(client: FlaskClient, uri: str, query: str = "") -> Reply:
    """Return the checked answer to the address of an image."""
    return post(client, json.dumps({"image": {"gcs_uri": uri}}).encode(), "application/json", query)


def path_of(document: dict[str, Any]) -> str:
    """Return the path of a result's photo in the archive, by the contract, without its metadata."""
    day = document["classified_at"][:10].replace("-", "/")
    image = document["image"]
    kind = image["format"] if image["format"] in ("JPEG", "PNG", "WEBP") else "JPEG"
    return f"{day}/{image['sha256']}{KINDS[kind][0]}"


def with_results(*documents: dict[str, Any]) -> set[str]:
    """Return the names of the photos of some results, and of those results."""
    return {name for document in documents for name in (path_of(document), f"{path_of(document)}.json")}


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for at most twenty seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def kept(bucket: storage.Bucket) -> set[str]:
    """Return the names of all objects in the bucket."""
    return {blob.name for blob in bucket.list_blobs()}


def settle(client: FlaskClient, bucket: storage.Bucket) -> set[str]:
    """Send one more photo, wait until it is kept, and return all other names: photos are kept in order."""
    last = with_results(post(client, new_photo()).document)
    until(lambda: last <= kept(bucket))
    return kept(bucket) - last


class HeldStorage(Storage):
    """Delay all writes of the real storage until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = Event(), Event()

    def write(self, *arguments: Any, **options: Any) -> int:
        self.reached.set()
        assert self.go.wait(20)
        return super().write(*arguments, **options)


@contextmanager
def held_storage() -> Iterator[HeldStorage]:
    """Yield a storage that writes nothing while the block runs, unless it is let go earlier."""
    held = HeldStorage()
    try:
        yield held
    finally:
        held.go.set()


def status_of(port: int, method: str, path: str, body: bytes | None = None) -> int:
    """Return the status of the server's answer, or 0 if nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
