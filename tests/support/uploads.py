"""Send events to the upload function as the framework serves it, and read its log and results."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from flask.testing import FlaskClient
from google.cloud import storage

from flowers.log import configure_logging
from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import binary_event, description
from tests.support.http_contract import Contract, check_meaning
from tests.support.paths import ROOT

CONTRACT = Contract(json.loads((ROOT / "function" / "flowers" / "http" / "openapi.json").read_text()))
# Two pictures, told apart by the width in their result.
OLD, NEW = encode(draw_flower(64, 48), "JPEG"), encode(draw_flower(80, 60), "JPEG")
_WIDTHS = {64: "old", 80: "new"}


def put(bucket: storage.Bucket, name: str, data: bytes, content_type: str = "image/jpeg", **facts: Any) -> storage.Blob:
    """Upload an object and return this generation's blob. `facts` are attributes to set, as `metadata`."""
    blob = bucket.blob(name)
    for attribute, value in facts.items():
        setattr(blob, attribute, value)
    blob.upload_from_string(data, content_type)
    return blob


def event_data(bucket: str = "no-such-bucket", name: str = "rose.jpg", **changes: Any) -> dict[str, Any]:
    """Return the data of an event about an object that exists nowhere."""
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": "1795422804472964",
        "metageneration": "1",
        "contentType": "image/jpeg",
        "size": "75170",
        **changes,
    }


def post_data(client: FlaskClient, data: dict[str, Any]) -> int:
    """Send the event with these data and return the answer's status."""
    headers, body = binary_event(data)
    return client.post("/", headers=headers, data=body).status_code


def deliver(client: FlaskClient, blob: storage.Blob, **changes: Any) -> int:
    """Send the event of this generation, with `changes` in its data, and return the answer's status."""
    return post_data(client, {**description(blob), **changes})


@contextmanager
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """Yield a list that holds, after the block, what the function logged."""
    logger, written, lines = logging.getLogger("flowers"), io.BytesIO(), list[dict[str, Any]]()
    handlers = logger.handlers
    with redirect_stdout(io.TextIOWrapper(written, encoding="utf-8", write_through=True)):
        configure_logging()
        try:
            yield lines
        finally:
            logger.handlers = handlers
            lines += [json.loads(line.decode("utf-8")) for line in written.getvalue().splitlines()]


def the_line(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only line of the log."""
    (line,) = lines
    return line


def names(bucket: storage.Bucket) -> list[str]:
    """Return the names of all objects."""
    return sorted(blob.name for blob in bucket.list_blobs())


def result_blob(blob: storage.Blob, bucket: storage.Bucket | None = None, suffix: str = ".json") -> storage.Blob:
    """Return the result object of an image, reloaded. Fail if there is none."""
    found = (bucket or blob.bucket).get_blob(blob.name + suffix)
    assert found is not None, f"{blob.name} has no result"
    return found


def result_of(blob: storage.Blob, bucket: storage.Bucket | None = None, suffix: str = ".json") -> dict[str, Any]:
    """Return the document beside this generation of an image. Fail unless object and document keep the contract."""
    found = result_blob(blob, bucket, suffix)
    data: bytes = found.download_as_bytes()
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    document: dict[str, Any] = json.loads(data.decode("utf-8"))
    CONTRACT.validate({"$ref": f"#/components/schemas/{'Error' if 'error' in document else 'Result'}"}, document)
    check_meaning(document)
    assert (document["image"]["uri"], document["image"]["generation"]) == (
        f"gs://{blob.bucket.name}/{blob.name}",
        str(blob.generation),
    )
    assert (found.content_type, found.cache_control, found.content_encoding) == ("application/json", "no-cache", None)
    version = found.metadata["model-version"]
    assert found.metadata == {
        "source-generation": str(blob.generation),
        "model-version": document["model"]["version"] if "model" in document else version,
        "result-schema": document["schema"],
    }
    return document


def event_of(client: FlaskClient, blob: storage.Blob, status: int = 200) -> str:
    """Deliver the blob's event, expect `status`, and return the event that the log names."""
    with log_lines() as lines:
        assert deliver(client, blob) == status
    line = lines[-1]  # those before are of what happened meanwhile
    assert (line["object"], line["generation"]) == (f"gs://{blob.bucket.name}/{blob.name}", str(blob.generation))
    event: str = line["event"]
    return event


def picture_of(blob: storage.Blob) -> str:
    """Return which of the two pictures the result beside the image is of."""
    return _WIDTHS[result_of(blob)["image"]["width"]]
