"""Test that no answer waits for the archive or fails with it, and that a working archive loses nothing."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from google.cloud import storage

from flowers.cloud import storage as adapter
from flowers.cloud.objects import ObjectAddress, PreconditionFailedError
from flowers.cloud.storage import Storage
from tests.support.http_buckets import (
    client_of_storage,
    held_storage,
    kept,
    new_photo,
    path_of,
    settle,
    status_of,
    until,
    with_results,
)
from tests.support.http_contract import post
from tests.support.http_warnings import fields_of, wait_for
from tests.support.server_process import ServerProcess, clean_environment, framework, free_port


def test_slow_archive_delays_no_answer(bucket: storage.Bucket) -> None:
    with held_storage() as held:
        client = client_of_storage(lambda: held, archive_bucket=bucket.name)
        answers = [post(client, new_photo()) for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 5
        assert held.reached.wait(10) and not held.go.is_set()
        assert kept(bucket) == set()
        held.go.set()
        until(lambda: kept(bucket) == with_results(*(answer.document for answer in answers)))


def test_archive_overflow_is_answered_not_kept(bucket: storage.Bucket, warnings: pytest.LogCaptureFixture) -> None:
    photos = sorted((new_photo() for _ in range(4)), key=len)
    with held_storage() as held:
        client = client_of_storage(lambda: held, archive_bucket=bucket.name, max_image_bytes=len(photos[-1]))
        fitting, beyond = [post(client, photo) for photo in photos[:2]], post(client, photos[2])
        assert {answer.status for answer in (*fitting, beyond)} == {200}
        (record,) = warnings.records
        assert "too much is waiting" in record.message
        assert fields_of(record) == {"event": "not_archived", "sha256": beyond.document["image"]["sha256"]}
        held.go.set()
        stored = with_results(*(answer.document for answer in fitting))
        until(lambda: kept(bucket) == stored)
    later = post(client, photos[3])  # there is room again
    until(lambda: kept(bucket) == stored | with_results(later.document))
    assert len(warnings.records) == 1


def test_archive_without_bucket_warns(storage_server: object, warnings: pytest.LogCaptureFixture) -> None:
    name, photo = f"garden-{uuid.uuid4().hex[:12]}", new_photo()
    client = client_of_storage(archive_bucket=name, max_image_bytes=len(photo))
    for count in range(1, 5):  # more than there is room for at once
        answer = post(client, photo)
        assert answer.status == 200
        wait_for(warnings, count)
    assert {fields_of(record)["sha256"] for record in warnings.records} == {answer.document["image"]["sha256"]}
    assert all(name in record.message for record in warnings.records)
    bucket = storage.Client().create_bucket(name)
    post(client, photo)
    until(lambda: kept(bucket) == with_results(answer.document))


class ReopenedStorage:
    """Open Cloud Storage anew for each call, so that the environment of the moment counts."""

    def __getattr__(self, name: str) -> Any:
        return getattr(Storage(), name)


def test_archive_unavailable_warns_then_retries(
    bucket: storage.Bucket, warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of_storage(lambda: cast(Storage, ReopenedStorage()), archive_bucket=bucket.name)
    # The adapter's own retry, its deadline alone shortened.
    monkeypatch.setattr(adapter, "_RETRY", adapter._RETRY.with_timeout(0.6))
    with monkeypatch.context() as outage:
        outage.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
        lost = post(client, new_photo())
        assert lost.status == 200
        wait_for(warnings, 1)
    with monkeypatch.context() as outage:
        outage.delenv("STORAGE_EMULATOR_HOST")
        outage.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")
        assert post(client, new_photo()).status == 200
        wait_for(warnings, 2)
    assert fields_of(warnings.records[0])["sha256"] == lost.document["image"]["sha256"]
    assert settle(client, bucket) == set()


@contextmanager
def server(archive_bucket: str, log: Path) -> Iterator[tuple[ServerProcess, int]]:
    """Yield the function under functions-framework, as it is deployed, and its port."""
    port = free_port()
    environment = clean_environment(
        ARCHIVE_BUCKET=archive_bucket, STORAGE_EMULATOR_HOST=os.environ["STORAGE_EMULATOR_HOST"]
    )
    server = ServerProcess(framework("classify_http", port), log, environment)
    try:
        yield server, port
    finally:
        server.kill()


def test_archive_stores_waiting_photos_at_shutdown(bucket: storage.Bucket, tmp_path: Path) -> None:
    photos = [new_photo() for _ in range(4)]
    answers = [post(client_of_storage(), photo).document for photo in photos]
    with server(bucket.name, tmp_path / "log") as (instance, port):
        instance.wait_until(lambda: status_of(port, "GET", "/health") == 200, 30)
        assert [status_of(port, "POST", "/", photo) for photo in photos] == [200] * 4
        instance.process.send_signal(signal.SIGTERM)
        assert instance.process.wait(30) == 0
    assert {path_of(answer) for answer in answers} <= kept(bucket), instance.log
    assert kept(bucket) == with_results(*answers)


class LostAnswerStorage(Storage):
    """Lose the answer to the write of a photo, so that the real storage's retry meets its own success."""

    def write(self, address: ObjectAddress, *given: Any, **named: Any) -> int:
        generation = super().write(address, *given, **named)
        if not address.name.endswith(".json"):
            raise PreconditionFailedError(address.uri)
        return generation


def test_photo_with_412_on_retry_keeps_its_result(bucket: storage.Bucket) -> None:
    client = client_of_storage(LostAnswerStorage, archive_bucket=bucket.name)
    wanted = with_results(post(client, new_photo()).document)
    until(lambda: kept(bucket) == wanted)
