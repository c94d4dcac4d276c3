"""Test that each upload's result is published at least once, after it was written, and never at its expense.

A result in the bucket stays as it is, whatever happens to the message. The event is retried until both are done.
"""

import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from google.cloud import storage

from tests.support.emulated_cloud import EmulatedStorage
from tests.support.failing_pubsub import FailingPubSub, Fault
from tests.support.pubsub_emulator import Emulator, Message
from tests.support.server_process import free_port
from tests.support.upload_instances import UploadCloud, WatchedStorage, upload_function, with_tiny_model
from tests.support.upload_server import acknowledged, photo, serving
from tests.support.uploads import NEW, OLD, deliver, event_of, log_lines, put, result_blob, result_of

TOPIC = "projects/my-project/topics/results"


class Garden(NamedTuple):
    """Hold a bucket, an instance that publishes and its storage, another that does not, and the Pub/Sub."""

    bucket: storage.Bucket
    instance: FlaskClient
    watched: WatchedStorage
    quiet: FlaskClient
    pubsub: FailingPubSub

    @property
    def published(self) -> list[Message]:
        """Return all messages so far."""
        return self.pubsub.published(TOPIC)


@pytest.fixture
def garden(cloud: UploadCloud, failing: FailingPubSub) -> Iterator[Garden]:
    """Provide a new bucket and Pub/Sub; the test fails if a hook is left."""
    failing.create(TOPIC)
    instance, watched = upload_function(RESULT_TOPIC=TOPIC)
    yield Garden(cloud.bucket, instance, watched, cloud.other, failing)
    assert not watched.hooks


def stored(image: storage.Blob) -> Message:
    """Return the message that the result beside an image should be."""
    found = result_blob(image)
    assert found.metadata
    return Message(found.download_as_bytes().removesuffix(b"\n"), found.metadata)


@pytest.mark.parametrize("data", [NEW, b"no image"], ids=["result", "error"])
def test_written_result_is_published(garden: Garden, data: bytes) -> None:
    image = put(garden.bucket, "rose.jpg", data)
    there: list[Message] = []
    garden.pubsub.on_publish = lambda _: there.append(stored(image))
    assert event_of(garden.instance, image) == ("classified" if data is NEW else "refused")
    assert garden.published == there == [stored(image)]
    assert garden.watched.calls == (["look_up", "read", "write"])
    assert garden.published[0].document == result_of(image)


def test_message_reaches_the_emulator(
    emulator: Emulator, bucket: storage.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.create(TOPIC)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator.host)
    instance, _ = upload_function(RESULT_TOPIC=TOPIC)
    images = [put(bucket, "rose.jpg", NEW), put(bucket, "nóté ☀.txt.jpg", b"no image")]
    for image in (*images, images[0]):
        assert deliver(instance, image) == 200
    assert emulator.published(TOPIC) == [stored(image) for image in (*images, images[0])]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.LOST_ANSWER])
def test_failed_publish_retries_event(garden: Garden, fault: Fault) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    garden.pubsub.fail(fault, lasting=True)
    with log_lines() as lines:
        assert deliver(garden.instance, image) == 500
    assert [line["event"] for line in lines] == ["classified", "retry"]
    assert TOPIC in lines[1]["message"]
    written = result_blob(image).generation
    assert event_of(garden.instance, image, 500) == "retry"
    assert garden.published == []
    garden.pubsub.heal()
    garden.watched.calls.clear()
    assert event_of(garden.instance, image) == "repeated"
    assert garden.watched.calls == ["look_up", "read"]  # of the result: the image is not even read
    assert result_blob(image).generation == written
    assert garden.published == [stored(image)]


def test_missing_topic_is_logged(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, _ = upload_function(RESULT_TOPIC=f"{TOPIC}-missing")
    image = put(garden.bucket, "rose.jpg", NEW)
    with log_lines() as lines:
        assert deliver(instance, image) == 500
    assert "correct RESULT_TOPIC" in lines[-1]["message"]
    result_of(image)


def test_unreachable_pubsub_retries_event(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    with monkeypatch.context() as outage:
        outage.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
        instance, _ = upload_function(RESULT_TOPIC=TOPIC)
        assert event_of(instance, image, 500) == "retry"
    with monkeypatch.context() as outage:
        outage.delenv("PUBSUB_EMULATOR_HOST")
        outage.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")
        instance, _ = upload_function(RESULT_TOPIC=TOPIC)
        assert event_of(instance, image, 500) == "retry"
    assert event_of(garden.instance, image) == "repeated"
    assert garden.published == [stored(image)]


@pytest.mark.parametrize("fault", [Fault.TOO_MANY, Fault.UNAVAILABLE, Fault.RESET, Fault.STALLED])
def test_passing_fault_needs_no_second_event(garden: Garden, fault: Fault) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    garden.pubsub.fail(fault)
    assert event_of(garden.instance, image) == "classified"
    assert garden.published == [stored(image)]


def test_repeated_event_publishes_the_same(garden: Garden) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    for event in ("classified", "repeated", "repeated"):
        assert event_of(garden.instance, image) == event
    assert garden.published == [stored(image)] * 3


def test_result_before_topic_is_published_unchanged(garden: Garden) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    deliver(garden.quiet, image)
    found = result_blob(image)
    older = {**json.loads(found.download_as_bytes()), "of_a_former_version": True}
    line = json.dumps(older).encode() + b"\n"
    found = put(garden.bucket, "rose.jpg.json", line, "application/json", metadata=found.metadata)
    assert event_of(garden.instance, image) == "repeated"
    assert [message.document for message in garden.published] == [older]
    assert result_blob(image).generation == found.generation


def test_result_of_older_model_is_republished(garden: Garden, tmp_path: Path) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    deliver(with_tiny_model(tmp_path), image)
    assert event_of(garden.instance, image) == "classified"
    assert garden.published == [stored(image)]
    assert garden.published[0].document["model"]["name"] == "flowers-efficientnet-lite0"


def test_event_of_older_generation_publishes_nothing(garden: Garden) -> None:
    old = put(garden.bucket, "rose.jpg", OLD)
    image = put(garden.bucket, "rose.jpg", NEW)
    assert event_of(garden.instance, image) == "classified"
    assert event_of(garden.instance, old) == "superseded"
    assert garden.published == [stored(image)]


def test_foreign_object_in_place_is_not_published(garden: Garden) -> None:
    put(garden.bucket, "rose.jpg.json", b"{}", "application/json")
    assert event_of(garden.instance, put(garden.bucket, "rose.jpg", NEW)) == "foreign_result"
    assert garden.published == []


def test_result_of_other_instance_is_published(garden: Garden) -> None:
    """Test also a write whose answer was lost, which looks the same."""
    image = put(garden.bucket, "rose.jpg", NEW)
    garden.watched.hooks["before write"] = lambda *_, **__: deliver(garden.quiet, image)
    assert event_of(garden.instance, image) == "repeated"
    assert garden.published == [stored(image)]
    assert garden.watched.calls == ["look_up", "read", "write", "look_up", "look_up", "read"]


def test_newer_result_of_other_instance_is_left(garden: Garden) -> None:
    old = put(garden.bucket, "rose.jpg", OLD)
    garden.watched.hooks["before write"] = lambda *_, **__: deliver(garden.quiet, put(garden.bucket, "rose.jpg", NEW))
    assert event_of(garden.instance, old) == "superseded"
    assert garden.published == []


def test_result_gone_before_read_is_left(garden: Garden) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    deliver(garden.quiet, image)
    garden.watched.hooks["before read"] = lambda *_: garden.bucket.blob("rose.jpg.json").delete()
    assert event_of(garden.instance, image) == "repeated"
    assert garden.published == []


def test_unreadable_result_is_logged_and_acknowledged(garden: Garden) -> None:
    image = put(garden.bucket, "rose.jpg", NEW)
    deliver(garden.quiet, image)
    marks = result_blob(image).metadata
    put(garden.bucket, "rose.jpg.json", b"{" * 10_000_001, "application/json", metadata=marks)
    with log_lines() as lines:
        assert deliver(garden.instance, image) == 200
    assert [line["event"] for line in lines] == ["repeated", "not_published"]
    assert lines[1]["severity"] == "ERROR"
    assert garden.published == []


def test_skipped_objects_publish_nothing(garden: Garden) -> None:
    for name, content_type in (("notes.txt", "text/plain"), ("folder/", ""), ("rose.jpg.json", "application/json")):
        assert event_of(garden.instance, put(garden.bucket, name, b"x", content_type)) == "skipped"
    assert garden.published == [] and garden.pubsub.calls == 0


def test_upload_without_topic_publishes_nothing(garden: Garden) -> None:
    instance, watched = upload_function()
    assert sys.modules["main"]._upload_function.writer.cloud.open_topic is None
    image = put(garden.bucket, "rose.jpg", NEW)
    for _ in range(2):
        assert deliver(instance, image) == 200
    assert watched.calls == ["look_up", "read", "write", "look_up"]
    assert garden.pubsub.calls == 0


@pytest.mark.parametrize("fault", [Fault.STALLED, Fault.LOST_ANSWER])
def test_kill_before_pubsub_answer_loses_nothing(
    storage_server: EmulatedStorage, bucket: storage.Bucket, failing: FailingPubSub, tmp_path: Path, fault: Fault
) -> None:
    failing.create(TOPIC)
    settings: dict[str, Any] = {"RESULT_TOPIC": TOPIC, "PUBSUB_EMULATOR_HOST": failing.host}
    image = put(bucket, "rose.jpg", NEW)
    if fault is Fault.STALLED:
        failing.fail(Fault.STALLED)
    with serving(tmp_path, storage_server.url, **settings) as server, ThreadPoolExecutor(1) as threads:
        if fault is Fault.LOST_ANSWER:
            failing.on_publish = lambda _: server.kill()
        sent = threads.submit(server.send, image)
        if fault is Fault.STALLED:
            failing.wait_until_stalled()
            server.kill()
        assert sent.result() == 0
    written = result_blob(image).generation
    failing.heal()
    with serving(tmp_path, storage_server.url, **settings) as server:
        assert server.send(image) == 200
    assert result_blob(image).generation == written
    assert failing.published(TOPIC) == [stored(image)] * (2 if fault is Fault.LOST_ANSWER else 1)


def newest(messages: list[Message]) -> dict[str, dict[str, Any]]:
    """Return the documents as the README tells readers to keep them: the newest generation of each image."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for message in messages:
        groups[message.document["image"]["uri"]].append(message.document)
    return {
        uri: max(found, key=lambda document: (int(document["image"]["generation"]), document["classified_at"]))
        for uri, found in groups.items()
    }


def test_repeated_events_amid_faults_publish_all(garden: Garden) -> None:
    chance = random.Random(5)  # noqa: S311  # chance, not secrecy
    images = [put(garden.bucket, f"photo-{number}.jpg", photo(number)) for number in range(40)]
    images += [put(garden.bucket, f"photo-{number}.jpg", photo(100 + number)) for number in range(0, 40, 4)]
    faults = [fault for fault in Fault if fault is not Fault.STALLED]  # which costs half a second each
    garden.pubsub.fail(*(chance.choice(faults) for _ in range(80)))
    events = images + chance.sample(images, 15)
    chance.shuffle(events)

    def send(image: storage.Blob) -> None:
        for _ in range(100):
            if acknowledged(deliver(garden.instance.application.test_client(), image)):
                return
        pytest.fail(f"{image.name} is never acknowledged")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, events))
    current = {f"gs://{garden.bucket.name}/{image.name}": image for image in images}
    assert newest(garden.published) == {uri: result_of(image) for uri, image in current.items()}
