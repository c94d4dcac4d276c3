"""Test that answers over HTTP are published afterwards, best effort, and never delay or change an answer."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from google.cloud import storage

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.cloud.pubsub import Topic
from flowers.http.function import HttpFunction
from flowers.imaging.memory import PixelBudget
from flowers.results import publisher
from flowers.settings import Settings
from tests.support.failing_pubsub import FailingPubSub, Fault
from tests.support.http_buckets import ask_for, new_photo, put, status_of, until
from tests.support.http_contract import client_of, multipart, part, post
from tests.support.http_warnings import fields_of, wait_for
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess, clean_environment, framework, free_port

TOPIC = "projects/my-project/topics/results"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Return the bundled model's classifier."""
    return Classifier(Settings())


@pytest.fixture
def client(classifier: Classifier, failing: FailingPubSub) -> FlaskClient:
    """Return a client of a function that publishes."""
    return publishing(classifier, failing)


def publishing(classifier: Classifier, pubsub: FailingPubSub, **settings: Any) -> FlaskClient:
    """Return a client of a function with these settings that publishes to the one topic of a Pub/Sub."""
    pubsub.create(TOPIC)
    topic = Topic(TOPIC)
    return client_of(HttpFunction(classifier, Settings(**settings), Cloud(open_topic=lambda: topic)))


def settled(pubsub: FailingPubSub, count: int) -> list[dict[str, Any]]:
    """Return the published documents, once there are so many."""
    until(lambda: len(pubsub.published(TOPIC)) >= count)
    return [message.document for message in pubsub.published(TOPIC)]


def test_answer_is_published_unchanged(client: FlaskClient, failing: FailingPubSub, jpeg: bytes) -> None:
    answer = post(client, jpeg).document
    assert settled(failing, 1) == [answer]
    (message,) = failing.published(TOPIC)
    assert message.data.count(b"\n") == 0
    assert message.attributes == {"result-schema": "flowers.result/v1", "model-version": answer["model"]["version"]}


def test_heat_maps_are_not_published(client: FlaskClient, failing: FailingPubSub, jpeg: bytes) -> None:
    answer = post(client, jpeg, query="heatmap=1").document
    for prediction in answer["predictions"]:
        del prediction["heatmap"]
    assert settled(failing, 1) == [answer]


def test_each_image_of_request_is_published(client: FlaskClient, failing: FailingPubSub, jpeg: bytes) -> None:
    answer = post(client, *multipart(part(jpeg), part(b"no image"), part(jpeg[:1000]))).document
    assert sorted(map(str, settled(failing, 3))) == sorted(map(str, answer["results"]))
    refused = post(client, b"no image").document
    assert settled(failing, 4)[3] == refused
    assert failing.published(TOPIC)[3].attributes["result-schema"] == "flowers.error/v1"


def test_error_without_image_is_not_published(client: FlaskClient, failing: FailingPubSub, jpeg: bytes) -> None:
    for path, body in (("/?top=0", jpeg), ("/nothing", jpeg)):
        assert client.post(path, data=body).status_code in (400, 404)
    assert client.put("/", data=jpeg).status_code == 405
    assert client.post("/", data=b"{", content_type="application/json").status_code == 400
    for path in ("/", "/health", "/species", "/openapi.json"):
        assert client.get(path).status_code == 200
    last = post(client, jpeg).document
    assert settled(failing, 1) == [last]


def test_unavailable_error_is_not_published(
    classifier: Classifier, failing: FailingPubSub, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    budget = PixelBudget(settings.pixel_budget, wait_seconds=0.1)
    monkeypatch.setattr("flowers.classifier.PixelBudget", lambda _: budget)
    client = publishing(Classifier(settings, classifier.model), failing)
    with budget.reserve(budget.total):
        assert client.post("/", data=jpeg).status_code == 503
    last = post(client, jpeg).document
    assert settled(failing, 1) == [last]


def test_image_in_bucket_is_published_with_uri(
    classifier: Classifier, bucket: storage.Bucket, failing: FailingPubSub, jpeg: bytes
) -> None:
    client = publishing(classifier, failing, allowed_buckets=(bucket.name,))
    assert ask_for(client, f"gs://{bucket.name}/none.jpg").status == 404
    assert ask_for(client, "gs://another-bucket/rose.jpg").status == 403
    answer = ask_for(client, put(bucket, "rose.jpg", jpeg)).document
    assert settled(failing, 1) == [answer]
    assert failing.published(TOPIC)[0].attributes["source-generation"] == answer["image"]["generation"]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.LOST_ANSWER])
def test_failed_publish_leaves_answer_unchanged(
    client: FlaskClient, failing: FailingPubSub, jpeg: bytes, fault: Fault, warnings: pytest.LogCaptureFixture
) -> None:
    failing.fail(fault, lasting=True)
    answer = post(client, jpeg)
    assert answer.status == 200
    wait_for(warnings, 1)
    (record,) = warnings.records
    assert fields_of(record) == {"event": "not_published", "sha256": answer.document["image"]["sha256"]}
    assert TOPIC in record.message
    failing.heal()
    last = post(client, new_photo()).document
    assert settled(failing, 1) == [last]


def test_stalled_topic_delays_no_answer(client: FlaskClient, failing: FailingPubSub) -> None:
    failing.fail(Fault.STALLED, lasting=True)
    answers = [post(client, new_photo()) for _ in range(8)]
    failing.wait_until_stalled()
    assert [answer.status for answer in answers] == [200] * 8
    assert failing.published(TOPIC) == []


def test_publish_overflow_is_answered_not_sent(
    classifier: Classifier,
    failing: FailingPubSub,
    warnings: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_BYTES_WAITING", 2000)
    client = publishing(classifier, failing)
    failing.fail(Fault.STALLED)
    first = post(client, new_photo()).document
    assert 1000 < len(json.dumps(first, ensure_ascii=False)) < 2000
    failing.wait_until_stalled()
    beyond = post(client, new_photo()).document
    assert "too much is waiting" in warnings.records[0].message
    assert fields_of(warnings.records[0])["sha256"] == beyond["image"]["sha256"]
    assert settled(failing, 1) == [first]  # its call is tried again
    until(lambda: post(client, new_photo()).status == 200 and len(failing.published(TOPIC)) > 1)  # there is room again


def test_waiting_documents_are_sent_at_shutdown(failing: FailingPubSub, tmp_path: Path) -> None:
    failing.create(TOPIC)
    port = free_port()
    environment = clean_environment(RESULT_TOPIC=TOPIC, PUBSUB_EMULATOR_HOST=failing.host)
    server = ServerProcess(framework("classify_http", port), tmp_path / "log", environment)
    photos = [new_photo() for _ in range(4)]
    try:
        server.wait_until(lambda: status_of(port, "GET", "/health") == 200, 30)
        failing.on_publish = lambda _: time.sleep(0.2)
        assert [status_of(port, "POST", "/", photo) for photo in photos] == [200] * 4
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    finally:
        server.kill()
    assert len(failing.published(TOPIC)) == 4, server.log


# Answers one photo; what is printed at the very end comes after what was waiting is published.
ONE_PHOTO = """
import atexit, base64, sys
from functions_framework import create_app

LIBRARIES = ("google.auth.transport", "google.cloud.storage", "grpc", "requests", "flowers.cloud.pubsub")
imported = lambda: [name for name in LIBRARIES if name in sys.modules]
atexit.register(lambda: print("afterwards", *imported()))
client = create_app("classify_http", sys.argv[1], "http").test_client()
assert client.get("/health").status_code == 200
print("before", *imported())
assert client.post("/", data=base64.b64decode(sys.stdin.read())).status_code == 200
"""


@pytest.mark.parametrize(
    ("topic", "afterwards"), [("", []), (TOPIC, ["google.auth.transport", "requests", "flowers.cloud.pubsub"])]
)
def test_publisher_is_imported_on_first_use(
    failing: FailingPubSub, jpeg: bytes, topic: str, afterwards: list[str]
) -> None:
    failing.create(TOPIC)
    environment = {**os.environ, "RESULT_TOPIC": topic}
    command = [sys.executable, "-c", ONE_PHOTO, str(ROOT / "function" / "main.py")]
    run = subprocess.run(
        command, input=base64.b64encode(jpeg), env=environment, capture_output=True, check=True, timeout=60
    )
    lines = [line.split() for line in run.stdout.decode().splitlines()]
    assert ["before"] in lines
    assert lines[-1] == ["afterwards", *afterwards]
    assert len(failing.published(TOPIC)) == bool(topic)
