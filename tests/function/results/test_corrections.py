"""Test that corrections are stored beside archived photos, the newest of each, and nothing of them can be read back."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from google.cloud import storage

from flowers.cloud.objects import ObjectAddress
from flowers.cloud.storage import Storage
from flowers.errors import UnavailableError
from flowers.results.corrections import MAX_A_MINUTE
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_buckets import client_of_storage, kept, new_photo, path_of, until, with_results
from tests.support.http_contract import Reply, ask, multipart, part, post
from tests.support.paths import ROOT
from tests.support.uploads import log_lines

ORIGIN = "https://garden.example"


def archived(client: FlaskClient, bucket: storage.Bucket, photo: bytes) -> dict[str, Any]:
    """Return the result of a photo, once the archive has both."""
    answer: dict[str, Any] = post(client, photo).document
    until(lambda: with_results(answer) <= kept(bucket))
    return answer


def correct(client: FlaskClient, answer: dict[str, Any], **values: Any) -> Reply:
    """Return the checked answer to a correction of a result."""
    body = {"sha256": answer["image"]["sha256"], "classified_at": answer["classified_at"], **values}
    return ask(client, "POST", "/corrections", json.dumps(body).encode(), content_type="application/json")


def name_of(answer: dict[str, Any]) -> str:
    """Return where the contract has the correction of a result's photo."""
    return f"{path_of(answer).rpartition('.')[0]}.correction.json"


def test_correction_is_stored_beside_its_photo(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    answer = archived(client, bucket, jpeg)
    reply = correct(client, answer, label="oxeye daisy", comment=" two\n lines ")
    assert (reply.status, reply.document) == (200, {"status": "stored"})
    assert kept(bucket) == with_results(answer) | {name_of(answer)}
    photo, stored = bucket.get_blob(path_of(answer)), bucket.get_blob(name_of(answer))
    line = stored.download_as_bytes()
    assert line.count(b"\n") == 1 and line.endswith(b"}\n")
    document = json.loads(line)
    corrected_at = datetime.fromisoformat(document.pop("corrected_at"))
    assert abs((datetime.now(UTC) - corrected_at).total_seconds()) < 60
    generation = str(photo.generation)
    assert document == {
        "schema": "flowers.correction/v1",
        "label": "oxeye daisy",
        "text": None,
        "comment": "two lines",
        "image": {
            "uri": f"gs://{bucket.name}/{photo.name}",
            "generation": generation,
            "sha256": answer["image"]["sha256"],
        },
        "classified_at": answer["classified_at"],
    }
    assert (stored.content_type, stored.cache_control) == ("application/json", "no-cache")
    assert stored.metadata == {"source-generation": generation, "result-schema": "flowers.correction/v1"}


def test_correction_is_logged_without_its_texts(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    answer = archived(client, bucket, jpeg)
    with log_lines() as lines:
        correct(client, answer, label="oxeye daisy", comment="secret")
        correct(client, answer, text="secret")
        correct(client, answer, label="secret")
    assert [line["label"] for line in lines if line.get("event") == "corrected"] == ["oxeye daisy", "free text"]
    assert "secret" not in json.dumps(lines)


def test_newest_correction_of_a_photo_wins(bucket: storage.Bucket, jpeg: bytes) -> None:
    clients = [client_of_storage(archive_bucket=bucket.name) for _ in range(2)]  # as two instances would
    answer = archived(clients[0], bucket, jpeg)
    with ThreadPoolExecutor(8) as pool:
        texts = [f"plant {number}" for number in range(8)]
        replies = list(pool.map(lambda text: correct(clients[int(text[-1]) % 2], answer, text=text), texts))
    assert {reply.status for reply in replies} <= {200, 503}  # contended too long: send it again
    assert correct(clients[0], answer, text="Bellis perennis").status == 200
    assert kept(bucket) == with_results(answer) | {name_of(answer)}
    document = json.loads(bucket.blob(name_of(answer)).download_as_bytes())
    assert (document["label"], document["text"]) == (None, "Bellis perennis")


def test_each_photo_of_a_plant_is_corrected_by_itself(bucket: storage.Bucket) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    answer = post(client, *multipart(part(new_photo()), part(new_photo())), query="fuse=1").document
    answers = [{**answer, "image": image} for image in answer["images"]]
    until(lambda: kept(bucket) == with_results(*answers))
    assert [correct(client, each, label="oxeye daisy").status for each in answers] == [200, 200]
    assert {name_of(each) for each in answers} <= kept(bucket)


def test_correction_follows_the_suffix_of_results(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name, result_suffix=".species.json")
    answer = post(client, jpeg).document
    until(lambda: path_of(answer) in kept(bucket))
    assert correct(client, answer, text="Bellis").status == 200
    assert f"{path_of(answer)[:-4]}.correction.species.json" in kept(bucket)


def test_photo_outside_the_archive_is_not_corrected(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    answer = post(client_of_storage(), jpeg).document
    bucket.blob(f"{path_of(answer)}.json").upload_from_string("{}")  # a result whose photo is gone
    reply = correct(client, answer, label="oxeye daisy")
    assert (reply.status, reply.reason) == (404, "NOT_FOUND")
    assert answer["image"]["sha256"] in reply.document["error"]["message"]
    other_day = {**archived(client, bucket, jpeg), "classified_at": "2020-02-02T00:00:00.000Z"}
    assert correct(client, other_day, label="oxeye daisy").status == 404
    assert not [name for name in kept(bucket) if "correction" in name]


RESULT = {"image": {"sha256": "0" * 64}, "classified_at": "2026-11-22T12:00:00.000Z"}
INVALID: list[tuple[dict[str, Any], str]] = [
    ({}, "MALFORMED_REQUEST"),
    ({"label": "oxeye daisy", "text": "Bellis"}, "MALFORMED_REQUEST"),
    ({"text": " \t"}, "MALFORMED_REQUEST"),
    ({"label": "no such kind"}, "INVALID_PARAMETER"),
    ({"label": ["oxeye daisy"]}, "INVALID_PARAMETER"),
    ({"label": ""}, "INVALID_PARAMETER"),
    ({"text": "x" * 101}, "INVALID_PARAMETER"),
    ({"text": 7}, "INVALID_PARAMETER"),
    ({"text": "a\0b"}, "INVALID_PARAMETER"),
    ({"text": "\ud800"}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "comment": "x" * 501}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "comment": {}}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "sha256": "0" * 63 + "/"}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "sha256": "A" * 64}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "sha256": "0" * 64 + "\n"}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "sha256": None}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "classified_at": "../../../secret"}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "classified_at": "٢٠٢٦-11-22T12:00:00.000Z"}, "INVALID_PARAMETER"),
    ({"text": "Bellis", "comment": "x" * 9000}, "MALFORMED_REQUEST"),
]


def no_call() -> Storage:
    raise AssertionError("this request is nothing for Cloud Storage")


@pytest.mark.parametrize(("values", "reason"), INVALID)
def test_invalid_correction_is_refused(values: dict[str, Any], reason: str) -> None:
    reply = correct(client_of_storage(no_call, archive_bucket="garden-archive"), RESULT, **values)
    assert (reply.status, reply.reason) == (400, reason)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 4000 + b"]" * 4000])
def test_correction_that_is_no_object_is_refused(body: bytes) -> None:
    client = client_of_storage(no_call, archive_bucket="garden-archive")
    reply = ask(client, "POST", "/corrections", body)
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
    assert "`text`" in reply.document["error"]["message"]
    nested = b'{"label": ' + b"[" * 4000 + b"]" * 4000 + b"}"
    assert ask(client, "POST", "/corrections", nested).status == 400


def test_longest_texts_are_stored_whole(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    answer = archived(client, bucket, jpeg)
    text, comment = "🌼" * 100, "🌱" * 500
    assert correct(client, answer, label=None, text=text, comment=comment).status == 200
    document = json.loads(bucket.blob(name_of(answer)).download_as_bytes())
    assert (document["text"], document["comment"]) == (text, comment)


def test_corrections_in_a_minute_are_bounded(bucket: storage.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("flowers.results.corrections.monotonic", lambda: now[0])
    client = client_of_storage(archive_bucket=bucket.name)
    assert {correct(client, RESULT, text="Bellis").status for _ in range(MAX_A_MINUTE)} == {404}
    reply = correct(client, RESULT, text="Bellis")
    assert (reply.status, reply.reason) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(reply.headers["Retry-After"]) <= 61
    now[0] += int(reply.headers["Retry-After"])
    assert correct(client, RESULT, text="Bellis").status == 404


@pytest.mark.parametrize("status", ["refused", "no such bucket"])
def test_unavailable_archive_is_answered_with_503(
    storage_server: object, warnings: pytest.LogCaptureFixture, status: str
) -> None:
    class Refusing(Storage):
        def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Any:
            raise UnavailableError("UNAVAILABLE", f"Cloud Storage is unavailable for gs://{bucket}.")

    client = client_of_storage(Refusing if status == "refused" else Storage, archive_bucket="garden-secret-name")
    reply = correct(client, RESULT, text="Bellis")
    assert (reply.status, reply.reason, reply.headers["Retry-After"]) == (503, "UNAVAILABLE", "1")
    assert b"garden-secret-name" not in reply.body
    assert "garden-secret-name" in warnings.records[0].getMessage()


def test_corrections_are_unknown_without_an_archive(client: FlaskClient) -> None:
    reply = correct(client, RESULT, text="Bellis")
    assert (reply.status, reply.reason) == (404, "NOT_FOUND")
    assert "/corrections" not in reply.document["error"]["message"]
    assert "/corrections" in client_of_storage(archive_bucket="garden").get("/").get_json()["paths"]


def test_corrections_cannot_be_read_back() -> None:
    client = client_of_storage(no_call, archive_bucket="garden-archive")
    for method in ("GET", "HEAD", "DELETE"):
        reply = ask(client, method, "/corrections")
        assert (reply.status, reply.headers["Allow"]) == (405, "OPTIONS, POST")


def test_web_app_of_another_origin_may_correct() -> None:
    client = client_of_storage(no_call, archive_bucket="garden-archive", cors_allow_origin=ORIGIN)
    preflight = ask(client, "OPTIONS", "/corrections", headers={"Origin": ORIGIN})
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
    assert correct(client, RESULT).headers["Access-Control-Allow-Origin"] == ORIGIN


class RacedStorage(Storage):
    """Act as the real storage, but another correction is always stored first."""

    def write(self, address: ObjectAddress, *arguments: Any, **options: Any) -> int:
        if "correction" in address.name:
            storage.Client().bucket(address.bucket).blob(address.name).upload_from_string("{}")
        return super().write(address, *arguments, **options)


def test_correction_that_always_loses_is_unavailable(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(RacedStorage, archive_bucket=bucket.name)
    answer = archived(client, bucket, jpeg)
    assert correct(client, answer, text="Bellis").status == 503


# Corrects one photo in functions-framework's own app, with the settings of its environment.
FRAMEWORK = """
import json, sys, time
from functions_framework import create_app

client = create_app("classify_http", sys.argv[1], "http").test_client()
assert "flowers.http.corrections" not in sys.modules
answer = client.post("/", data=sys.stdin.buffer.read()).get_json()
body = {"sha256": answer["image"]["sha256"], "classified_at": answer["classified_at"], "label": "oxeye daisy"}
for _ in range(100):
    reply = client.post("/corrections", json=body)
    if reply.status_code != 404:
        break
    time.sleep(0.1)
assert reply.status_code == 200, reply.get_json()
"""


def test_correction_works_in_the_framework(bucket: storage.Bucket) -> None:
    environment = {**os.environ, "ARCHIVE_BUCKET": bucket.name}
    command = [sys.executable, "-c", FRAMEWORK, str(ROOT / "function" / "main.py")]
    photo = encode(draw_flower(), "WEBP")
    subprocess.run(command, input=photo, env=environment, capture_output=True, check=True, timeout=60)
    assert len([name for name in kept(bucket) if name.endswith(".correction.json")]) == 1
