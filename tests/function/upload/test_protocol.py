"""Test that each image has one result: each row of the table in `results`, and each way to write too late.

fake-gcs-server honours preconditions on writes only; the function needs none on reads, which name their generation.
"""

import logging
import time
from pathlib import Path

import pytest
from google.cloud import storage

from flowers.cloud.storage import Storage
from tests.support.tiny_model import METADATA
from tests.support.upload_instances import UploadCloud, with_tiny_model
from tests.support.uploads import (
    NEW,
    OLD,
    deliver,
    event_of,
    log_lines,
    names,
    picture_of,
    put,
    result_blob,
    result_of,
    the_line,
)

# The table.


def test_missing_result_is_written(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    assert event_of(instance, image) == "classified"
    assert watched.calls == ["look_up", "read", "write"]
    assert names(bucket) == ["rose.jpg", "rose.jpg.json"]
    assert picture_of(image) == "new"


def test_image_takes_three_storage_requests(cloud: UploadCloud, caplog: pytest.LogCaptureFixture) -> None:
    """Test the requests that infra/SCALE.md counts: two that read (class B) and one that writes (class A)."""
    bucket, instance, _, _ = cloud
    images = [put(bucket, name, NEW) for name in ("rose.jpg", "lily.jpg")]
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        assert [event_of(instance, image) for image in images] == ["classified"] * 2
        time.sleep(0.3)  # for what the library might do in the background
    sent = [record.getMessage() for record in caplog.records if record.name == "urllib3.connectionpool"]
    assert [line.split('"')[1].split()[0] for line in sent if '"' in line] == ["GET", "GET", "POST"] * 2


def test_result_of_an_older_generation_is_replaced(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    deliver(instance, put(bucket, "rose.jpg", OLD))
    replaced = bucket.get_blob("rose.jpg.json").generation
    image = put(bucket, "rose.jpg", NEW)
    given: list[int] = []
    watched.hooks["before write"] = lambda *_, expected, **__: given.append(expected)
    assert event_of(instance, image) == "classified"
    assert given == [replaced]
    assert picture_of(image) == "new"


def test_result_by_another_model_version_is_replaced(cloud: UploadCloud, tmp_path: Path) -> None:
    bucket, instance, _, _ = cloud
    other_model = with_tiny_model(tmp_path)
    image = put(bucket, "rose.jpg", NEW)
    for client in (instance, other_model, instance):
        assert event_of(client, image) == "classified"
        own = result_of(image)["model"]["name"] == METADATA["name"]
        assert own == (client is other_model)
        assert event_of(client, image) == "repeated"
    assert names(bucket) == ["rose.jpg", "rose.jpg.json"]


@pytest.mark.parametrize("data", [NEW, b"no image"], ids=["result", "error"])
def test_result_of_same_generation_and_model_stays(cloud: UploadCloud, data: bytes) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", data)
    deliver(instance, image)
    before = result_blob(image).generation
    watched.calls.clear()
    for _ in range(3):
        assert event_of(instance, image) == "repeated"
    assert watched.calls == ["look_up"] * 3
    assert result_blob(image).generation == before


def test_result_of_a_newer_generation_stays(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    older, newer = put(bucket, "rose.jpg", OLD), put(bucket, "rose.jpg", NEW)
    deliver(instance, newer)
    before = result_blob(newer).generation
    watched.calls.clear()
    assert event_of(instance, older) == "superseded"
    assert watched.calls == ["look_up"]
    assert result_blob(newer).generation == before


def test_foreign_object_in_place_is_kept(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    foreign = put(bucket, "rose.jpg.json", b'{"mine": 1}', "application/json", metadata={"owner": "someone"})
    with log_lines() as lines:
        assert deliver(instance, image) == 200
    assert (the_line(lines)["event"], the_line(lines)["severity"]) == ("foreign_result", "ERROR")
    assert watched.calls == ["look_up"]
    found = result_blob(image)
    assert (found.generation, found.metadata) == (foreign.generation, {"owner": "someone"})


@pytest.mark.parametrize("generation", [None, "", "rose", "-1", "1.5", "²", "0x10", " 7", "9" * 5000])
def test_result_with_a_damaged_mark_is_replaced(versioned: UploadCloud, generation: str | None) -> None:
    bucket, instance, _, _ = versioned
    image = put(bucket, "rose.jpg", NEW)
    mark = {"result-schema": "flowers.result/v1", "model-version": "1.0.0"}
    put(
        bucket,
        "rose.jpg.json",
        b"{}\n",
        metadata=mark | ({} if generation is None else {"source-generation": generation}),
    )
    assert event_of(instance, image) == "classified"
    assert picture_of(image) == "new"


# A write that meets a 412: something happened to the result between the look-up and the write.


def test_retry_that_meets_its_own_success_is_done(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    watched.hooks["before write"] = lambda *given, **named: Storage.write(watched, *given, **named)
    assert event_of(instance, image) == "repeated"
    assert watched.calls == ["look_up", "read", "write", "look_up"]
    assert picture_of(image) == "new"


def test_faster_instance_same_generation_wins(cloud: UploadCloud) -> None:
    bucket, instance, watched, other = cloud
    image = put(bucket, "rose.jpg", NEW)
    theirs: list[int] = []

    def overtake(*_: object, **__: object) -> None:
        assert event_of(other, image) == "classified"
        theirs.append(result_blob(image).generation)

    watched.hooks["before write"] = overtake
    assert event_of(instance, image) == "repeated"
    assert watched.calls == ["look_up", "read", "write", "look_up"]
    assert [result_blob(image).generation] == theirs


def test_faster_instance_newer_generation_wins(cloud: UploadCloud) -> None:
    bucket, instance, watched, other = cloud
    newer: list[storage.Blob] = []

    def overtake(*_: object, **__: object) -> None:
        newer.append(put(bucket, "rose.jpg", NEW))
        assert event_of(other, newer[0]) == "classified"

    watched.hooks["before write"] = overtake
    assert event_of(instance, put(bucket, "rose.jpg", OLD)) == "superseded"
    assert watched.calls == ["look_up", "read", "write", "look_up"]
    assert picture_of(newer[0]) == "new"


def test_faster_instance_older_generation_loses(versioned: UploadCloud) -> None:
    bucket, instance, watched, other = versioned
    older, newer = put(bucket, "rose.jpg", OLD), put(bucket, "rose.jpg", NEW)
    watched.hooks["before write"] = lambda *_, **__: deliver(other, older)
    assert event_of(instance, newer) == "classified"
    assert watched.calls == ["look_up", "read", "write", "look_up", "write"]
    assert picture_of(newer) == "new"


def test_faster_instance_other_model_loses(cloud: UploadCloud, tmp_path: Path) -> None:
    bucket, instance, watched, _ = cloud
    other_model = with_tiny_model(tmp_path)
    image = put(bucket, "rose.jpg", NEW)
    watched.hooks["before write"] = lambda *_, **__: deliver(other_model, image)
    assert event_of(instance, image) == "classified"
    assert watched.calls == ["look_up", "read", "write", "look_up", "write"]
    assert result_of(image)["model"]["name"] != METADATA["name"]


def test_result_deleted_meanwhile_is_rewritten(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    deliver(instance, put(bucket, "rose.jpg", OLD))
    image = put(bucket, "rose.jpg", NEW)
    watched.calls.clear()
    watched.hooks["before write"] = lambda *_, **__: bucket.blob("rose.jpg.json").delete()
    assert event_of(instance, image) == "classified"
    assert watched.calls == ["look_up", "read", "write", "look_up", "write"]
    assert picture_of(image) == "new"


def test_foreign_object_arriving_meanwhile_is_kept(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    watched.hooks["before write"] = lambda *_, **__: put(bucket, "rose.jpg.json", b"mine", "text/plain")
    assert event_of(instance, image) == "foreign_result"
    assert bucket.blob("rose.jpg.json").download_as_bytes() == b"mine"


def test_result_that_keeps_changing_is_retried(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)

    def disturb(*_: object, **__: object) -> None:
        put(bucket, "rose.jpg.json", b"{}", metadata={"result-schema": "flowers.result/v1"})
        watched.hooks["before write"] = disturb

    disturb()
    assert event_of(instance, image, 500) == "retry"
    assert watched.calls.count("write") > 1
    watched.hooks.clear()
    assert event_of(instance, image) == "classified"
    assert picture_of(image) == "new"
