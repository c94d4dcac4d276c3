"""Test uploads, events and storage errors as other programs really make them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest, Forbidden
from google.cloud.storage.blob import Blob

from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import binary_event, description
from tests.support.http_contract import multipart, part
from tests.support.upload_instances import UploadCloud
from tests.support.uploads import NEW, event_data, event_of, log_lines, names, post_data, put, result_of, the_line

USELESS = ["application/x-www-form-urlencoded", "text/plain", "text/plain; charset=utf-8", "undefined", "jpg", "JPG"]
HEIC = encode(draw_flower(), "HEIF")


@pytest.mark.parametrize("content_type", [*USELESS, "multipart/form-data; boundary=x"])
def test_useless_type_with_image_name_is_classified(cloud: UploadCloud, content_type: str) -> None:
    for name, data in (("rose.jpg", NEW), ("ROSE.HEIC", HEIC)):
        assert event_of(cloud.instance, put(cloud.bucket, name, data, content_type)) == "classified"


@pytest.mark.parametrize("content_type", USELESS)
def test_useless_type_with_other_name_is_skipped(cloud: UploadCloud, content_type: str) -> None:
    assert event_of(cloud.instance, put(cloud.bucket, "notes.txt", b"x", content_type)) == "skipped"


def test_other_type_is_skipped_with_any_name(cloud: UploadCloud) -> None:
    assert event_of(cloud.instance, put(cloud.bucket, "page.jpg", b"<p>", "text/html")) == "skipped"


FORM = multipart(part(NEW))[0]
CHUNKED = f"{len(NEW):x};chunk-signature={'a' * 64}\r\n".encode() + NEW + b"\r\n0;chunk-signature=" + b"b" * 64
UNSIGNED = f"{len(NEW):x}\r\n".encode() + NEW + b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "content_type", "encoding", "mistake"),
    [
        (FORM, "multipart/form-data; boundary=x", "", "multipart/form-data"),
        (FORM, "image/jpeg", "", "multipart/form-data"),
        (CHUNKED, "image/jpeg", "aws-chunked", "aws-chunked"),
        (CHUNKED, "image/jpeg", "", "aws-chunked"),
        (UNSIGNED, "image/jpeg", "aws-chunked", "aws-chunked"),
        (b"data:image/jpeg;base64," + base64.b64encode(NEW), "text/plain", "", "data URL"),
    ],
)
def test_upload_of_a_wrapped_photo_names_the_mistake(
    cloud: UploadCloud, data: bytes, content_type: str, encoding: str, mistake: str
) -> None:
    image = put(cloud.bucket, "rose.jpg", data, content_type, content_encoding=encoding or None)
    with log_lines() as lines:
        assert post_data(cloud.instance, description(image)) == 200
    assert the_line(lines)["event"] == "refused"
    error = result_of(image)["error"]
    assert error["reason"] == "UNSUPPORTED_FORMAT"
    assert mistake in error["message"]


def test_error_document_has_the_event_id(cloud: UploadCloud) -> None:
    image = put(cloud.bucket, "rose.jpg", b"text")
    headers, body = binary_event(description(image))
    assert cloud.instance.post("/", headers=headers, data=body).status_code == 200
    assert result_of(image)["error"]["request_id"] == headers["ce-id"]


def test_event_without_a_size_is_handled(cloud: UploadCloud) -> None:
    for index, size in enumerate((None, "absent", 0, "0")):
        image = put(cloud.bucket, f"{index}.jpg", NEW)
        data = {**description(image), "size": size}
        if size == "absent":
            del data["size"]
        assert post_data(cloud.instance, data) == 200
        assert result_of(image)["image"]["bytes"] == len(NEW)


def notification(data: dict[str, Any], **attributes: str) -> dict[str, Any]:
    """Return the push request of a bucket's notification."""
    given = {"eventType": "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1", "bucketId": data["bucket"], **attributes}
    message = {"data": base64.b64encode(json.dumps(data).encode()).decode(), "messageId": "7", "attributes": given}
    return {"message": message, "subscription": "projects/garden/subscriptions/uploads"}


def pushed(body: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return headers and body as Pub/Sub pushes them."""
    return {"Content-Type": "application/json"}, json.dumps(body).encode()


def published(body: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return headers and body as Eventarc sends them for a topic."""
    headers, _ = binary_event(event_data())
    return headers | {"ce-type": "google.cloud.pubsub.topic.v1.messagePublished"}, json.dumps(body).encode()


Sender = Callable[[dict[str, Any]], tuple[dict[str, str], bytes]]


@pytest.mark.parametrize("sender", [pushed, published])
def test_pubsub_notification_is_handled(cloud: UploadCloud, sender: Sender) -> None:
    image = put(cloud.bucket, "rose.jpg", NEW)
    headers, body = sender(notification(description(image)))
    assert cloud.instance.post("/", headers=headers, data=body).status_code == 200
    assert result_of(image)["image"]["width"] == 80


@pytest.mark.parametrize("sender", [pushed, published])
@pytest.mark.parametrize(
    ("changes", "words"),
    [({"eventType": "OBJECT_DELETE"}, "OBJECT_FINALIZE"), ({"payloadFormat": "NONE"}, "--payload-format=json")],
)
def test_notification_of_another_kind_is_acknowledged(
    cloud: UploadCloud, sender: Sender, changes: dict[str, str], words: str
) -> None:
    image = put(cloud.bucket, "rose.jpg", NEW)
    headers, body = sender(notification(description(image), **changes))
    with log_lines() as lines:
        assert cloud.instance.post("/", headers=headers, data=body).status_code == 200
    assert the_line(lines)["event"] == "malformed"
    assert words in the_line(lines)["message"]
    assert names(cloud.bucket) == ["rose.jpg"]


def refusal(code: int, reason: str, message: str) -> Exception:
    """Return the error that the library raises for an answer of the JSON API."""
    response = requests.Response()
    response.status_code = code
    errors = [{"domain": "global", "reason": reason, "message": message}]
    response._content = json.dumps({"error": {"code": code, "message": message, "errors": errors}}).encode()
    kind: Any = {400: BadRequest, 403: Forbidden}[code]
    error: Exception = kind(f"{code} failed", response=response)
    return error


def raising(error: Exception) -> Callable[..., Any]:
    """Return a method that raises `error`."""

    def method(*_: object, **__: object) -> None:
        raise error

    return method


ENCRYPTED = refusal(
    400,
    "resourceIsEncryptedWithCustomerEncryptionKey",
    "The target object is encrypted by a customer-supplied encryption key.",
)
REQUESTER_PAYS = refusal(400, "required", "Bucket is a requester pays bucket but no user project provided.")
RETAINED = refusal(403, "retentionPolicyNotMet", "Object 'x' is subject to bucket's retention policy and cannot be ...")
HELD = refusal(403, "objectUnderActiveHold", "Object 'x' is under active Event-Based hold and cannot be overwritten")


def test_object_with_customer_key_gets_an_error(cloud: UploadCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    image = put(cloud.bucket, "rose.jpg", NEW)
    with monkeypatch.context() as patch:
        patch.setattr(Blob, "download_to_file", raising(ENCRYPTED))
        assert event_of(cloud.instance, image) == "refused"
    error = result_of(image)["error"]
    assert (error["code"], error["reason"]) == (403, "OBJECT_NOT_ALLOWED")
    assert "customer-supplied key" in error["message"]


@pytest.mark.parametrize(
    ("method", "error", "words"),
    [
        ("reload", REQUESTER_PAYS, "requester pays"),
        ("upload_from_string", RETAINED, "retention"),
        ("upload_from_string", HELD, "hold"),
    ],
)
def test_permanent_error_is_acknowledged(
    cloud: UploadCloud, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, words: str
) -> None:
    image = put(cloud.bucket, "rose.jpg", NEW)
    with monkeypatch.context() as patch, log_lines() as lines:
        patch.setattr(Blob, method, raising(error))
        assert post_data(cloud.instance, description(image)) == 200
    line = the_line(lines)
    assert (line["severity"], line["event"]) == ("ERROR", "forbidden")
    assert words in line["message"]


def test_missing_permission_is_retried_quietly(
    cloud: UploadCloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    image = put(cloud.bucket, "rose.jpg", NEW)
    missing = refusal(403, "forbidden", "x does not have storage.objects.create access to the object.")
    with monkeypatch.context() as patch, log_lines() as lines:
        patch.setattr(Blob, "upload_from_string", raising(missing))
        assert post_data(cloud.instance, description(image)) == 500
    assert the_line(lines)["event"] == "retry"
    assert "Traceback" not in "".join(capfd.readouterr())
