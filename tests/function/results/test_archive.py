"""Test that with an archive each photo sent over HTTP is stored once, with its result beside it."""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.cloud import storage
from PIL import Image

from flowers.cloud.objects import ObjectAddress
from flowers.cloud.storage import Storage
from flowers.errors import UnavailableError
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_buckets import (
    KINDS,
    ask_for,
    client_of_storage,
    kept,
    new_photo,
    path_of,
    put,
    settle,
    until,
    with_results,
)
from tests.support.http_contract import json_request, multipart, part, post
from tests.support.paths import ROOT
from tests.support.pictures import whole
from tests.support.telling_photos import GPS, says_nothing, telling


@pytest.mark.parametrize("format", KINDS)
def test_photo_with_metadata_is_kept_if_it_is_set(bucket: storage.Bucket, format: str) -> None:
    data = telling(format)
    client = client_of_storage(archive_bucket=bucket.name, archive_metadata="keep")
    answer = post(client, data).document
    name = f"{path_of(answer).rpartition('.')[0]}{KINDS[format][0]}"
    until(lambda: kept(bucket) == {name, f"{name}.json"})
    photo = bucket.get_blob(name)
    assert (photo.content_type, photo.download_as_bytes()) == (KINDS[format][1], data)


@pytest.mark.parametrize("format", KINDS)
def test_position_in_a_photo_is_not_in_the_archive(bucket: storage.Bucket, format: str) -> None:
    data = telling(format, 6 if format in ("JPEG", "PNG", "WEBP") else 1)
    answer = post(client_of_storage(archive_bucket=bucket.name), data).document
    until(lambda: kept(bucket) == with_results(answer))
    photo = bucket.get_blob(path_of(answer))
    stored = photo.download_as_bytes()
    assert format in ("GIF", "BMP") or GPS in whole(data).getexif()
    assert says_nothing(stored)
    assert photo.content_type == Image.MIME[str(whole(stored).format)]
    document = json.loads(bucket.blob(f"{path_of(answer)}.json").download_as_bytes())
    assert document["image"]["sha256"] == hashlib.sha256(data).hexdigest()
    again = post(client_of_storage(), stored).document
    assert all(again["image"][side] == answer["image"][side] for side in ("width", "height"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_photo_is_kept_with_its_result_beside_it(bucket: storage.Bucket, format: str) -> None:
    data = encode(draw_flower(), format)
    answer = post(client_of_storage(archive_bucket=bucket.name), data).document
    until(lambda: kept(bucket) == with_results(answer))
    photo, result = (bucket.get_blob(name) for name in sorted(with_results(answer)))
    assert (photo.content_type, photo.download_as_bytes()) == (KINDS[format][1], data)
    line = result.download_as_bytes()
    assert line.count(b"\n") == 1 and line.endswith(b"}\n")
    place = {"uri": f"gs://{bucket.name}/{photo.name}", "generation": str(photo.generation)}
    assert json.loads(line) == {**answer, "image": {**answer["image"], **place}}
    assert answer["image"]["uri"] is answer["image"]["generation"] is None
    assert (result.content_type, result.cache_control) == ("application/json", "no-cache")
    assert result.metadata == {
        "source-generation": str(photo.generation),
        "model-version": answer["model"]["version"],
        "result-schema": "flowers.result/v1",
    }


def test_archive_keeps_valid_photos_of_all_forms(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    several = post(client, *multipart(part(new_photo()), part(b"no image"), part(jpeg[:1000]), part(new_photo())))
    answers = [several.document["results"][0], several.document["results"][3]]
    answers.append(post(client, json_request(new_photo()), "application/json").document)
    answers.append(post(client, new_photo(), query="top=1&lang=es").document)
    for faulty in (b"", b"no image", jpeg[:1000]):
        assert post(client, faulty).status in (400, 415, 422)
    assert settle(client, bucket) == with_results(*answers)
    result = bucket.blob(f"{path_of(answers[3])}.json").download_as_bytes()
    assert len(json.loads(result)["predictions"]) == 5  # whatever the caller's `top`


def test_result_has_the_suffix_that_is_set(bucket: storage.Bucket, jpeg: bytes) -> None:
    answer = post(client_of_storage(archive_bucket=bucket.name, result_suffix=".species.json"), jpeg).document
    until(lambda: kept(bucket) == {path_of(answer), f"{path_of(answer)}.species.json"})


def test_archive_keeps_repeated_photo_once(bucket: storage.Bucket, jpeg: bytes) -> None:
    clients = [client_of_storage(archive_bucket=bucket.name) for _ in range(2)]  # as two instances would
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda index: post(clients[index % 2], jpeg), range(20)))
    assert {reply.status for reply in replies} == {200}
    photo, result = sorted(with_results(replies[0].document))
    for client in clients:
        assert {photo, result} <= settle(client, bucket)
    assert len(kept(bucket)) == 2 + 2 * len(clients)
    before = [bucket.get_blob(name).generation for name in (photo, result)]
    assert bucket.get_blob(result).metadata["source-generation"] == str(before[0])
    post(clients[0], jpeg)
    settle(clients[0], bucket)
    assert [bucket.get_blob(name).generation for name in (photo, result)] == before


class StorageThatFailsResults(Storage):
    """Store no results in the real storage, as if an instance died between a photo and its result."""

    def write(self, address: ObjectAddress, *arguments: Any, **options: Any) -> int:
        if address.name.endswith(".json"):
            raise UnavailableError("UNAVAILABLE", "the instance died")
        return super().write(address, *arguments, **options)


def test_archive_restores_lost_result(bucket: storage.Bucket, jpeg: bytes) -> None:
    photo = path_of(post(client_of_storage(StorageThatFailsResults, archive_bucket=bucket.name), jpeg).document)
    until(lambda: kept(bucket) == {photo})
    generation = bucket.get_blob(photo).generation
    answer = post(client_of_storage(archive_bucket=bucket.name), jpeg).document
    until(lambda: kept(bucket) == with_results(answer))
    document = json.loads(bucket.blob(f"{photo}.json").download_as_bytes())
    assert document["image"]["generation"] == str(bucket.get_blob(photo).generation) == str(generation)
    assert document["classified_at"] == answer["classified_at"]


def test_archive_skips_photo_in_bucket(bucket: storage.Bucket, jpeg: bytes) -> None:
    client = client_of_storage(archive_bucket=bucket.name, allowed_buckets=(bucket.name,))
    assert ask_for(client, put(bucket, "rose.jpg", jpeg)).status == 200
    assert settle(client, bucket) == {"rose.jpg"}


# Answers one photo; what is printed at the very end comes after the archive has stored what was waiting.
ONE_PHOTO = """
import atexit, sys
from functions_framework import create_app

atexit.register(lambda: print("storage was", "used" if "google.cloud.storage" in sys.modules else "not even imported"))
client = create_app("classify_http", sys.argv[1], "http").test_client()
assert client.post("/", data=sys.stdin.buffer.read()).status_code == 200
"""


@pytest.mark.parametrize(("switched_on", "storage_was"), [(True, "used"), (False, "not even imported")])
def test_archive_is_off_unless_its_bucket_is_named(
    bucket: storage.Bucket, jpeg: bytes, switched_on: bool, storage_was: str
) -> None:
    environment = {**os.environ, "ARCHIVE_BUCKET": bucket.name if switched_on else ""}
    command = [sys.executable, "-c", ONE_PHOTO, str(ROOT / "function" / "main.py")]
    run = subprocess.run(command, input=jpeg, env=environment, capture_output=True, check=True, timeout=60)
    assert run.stdout.decode().splitlines()[-1] == f"storage was {storage_was}"
    assert len(kept(bucket)) == (2 if switched_on else 0)


def test_fused_photos_are_archived_with_the_result(bucket: storage.Bucket) -> None:
    photos = [new_photo(), new_photo()]
    client = client_of_storage(archive_bucket=bucket.name)
    answer = post(client, *multipart(*(part(photo) for photo in photos)), query="fuse=1").document
    answers = [{**answer, "image": image} for image in answer["images"]]
    assert settle(client, bucket) == with_results(*answers)
    for photo, each in zip(photos, answers, strict=True):
        assert bucket.blob(path_of(each)).download_as_bytes() == photo
        result = json.loads(bucket.blob(f"{path_of(each)}.json").download_as_bytes())
        assert result["image"]["sha256"] == each["image"]["sha256"]
        assert (result["images"], result["predictions"]) == (answer["images"], answer["predictions"])
