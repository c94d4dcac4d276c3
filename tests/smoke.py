"""Asks a running deployment to name a drawn flower, over HTTPS and through its bucket, and compares the answers.

export ID_TOKEN=$(gcloud auth print-identity-token)           # a person; a service account needs none
python -m tests.smoke --url https://… --bucket my-images      # a deployment
python -m tests.smoke --url http://localhost:8080             # `make serve`
python -m tests.smoke --bucket garden                         # `make local-cloud`, with STORAGE_EMULATOR_HOST
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import NotFound
from google.auth.transport.requests import Request
from google.cloud import storage
from google.oauth2 import id_token

from tests.drawn_flower import draw_flower, encode

_WAIT_SECONDS = 90.0
_POLL_SECONDS = 1.0


class SmokeError(Exception):
    """What the deployment did not do."""


def photo_headers(url: str) -> dict[str, str]:
    """The headers of a JPEG for the function at `url`, with an identity token where that is a deployed one.

    The token, good for an hour, is the environment's ID_TOKEN, or else one of the service account that this runs as.
    """
    headers = {"Content-Type": "image/jpeg"}
    if url.startswith("https://"):
        token = os.environ.get("ID_TOKEN") or id_token.fetch_id_token(Request(), url)  # type: ignore[no-untyped-call]
        headers["Authorization"] = f"Bearer {token}"
    return headers


def ask(url: str, photo: bytes) -> dict[str, Any]:
    """The document that the function at `url` answers. Raises `SmokeError` when it does not answer with a result."""
    headers = photo_headers(url)
    request = urllib.request.Request(url, photo, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=_WAIT_SECONDS) as response:
            document: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise SmokeError(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}") from None
    except OSError as error:
        raise SmokeError(f"{url} did not answer: {error}") from None
    return document


def upload(bucket_name: str, results_name: str, suffix: str, photo: bytes) -> dict[str, Any]:
    """The document that appears for a photo uploaded to a bucket; both are deleted again.

    Raises `SmokeError` when none does within a minute and a half.
    """
    client = storage.Client()
    blob = client.bucket(bucket_name).blob(f"smoke/{uuid.uuid4().hex}.jpg")
    result = client.bucket(results_name).blob(blob.name + suffix)
    blob.upload_from_string(photo, "image/jpeg", if_generation_match=0)
    try:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not result.exists():
            if time.monotonic() > deadline:
                raise SmokeError(f"no gs://{results_name}/{result.name} after {_WAIT_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
        document: dict[str, Any] = json.loads(result.download_as_bytes())
        return document
    finally:
        for left in (blob, result):
            with suppress(NotFound):
                left.delete()


def check(document: dict[str, Any]) -> tuple[str, str, str]:
    """The first candidate, and the model's version and digest. Raises `SmokeError` for anything but a result."""
    if document.get("schema") != "flowers.result/v1":
        raise SmokeError(f"no result: {json.dumps(document)}")
    return document["predictions"][0]["label"], document["model"]["version"], document["model"]["sha256"]


def main() -> None:
    """The command line; exits with a message when the deployment does not do what it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", help="the function's address")
    parser.add_argument("--bucket", help="the bucket of images")
    parser.add_argument("--results", help="the bucket of results (default: the bucket of images)")
    parser.add_argument("--suffix", default=".json", help="RESULT_SUFFIX of the deployment (default: %(default)s)")
    arguments = parser.parse_args()
    if not arguments.url and not arguments.bucket:
        parser.error("give --url, --bucket or both")
    photo = encode(draw_flower(), "JPEG", quality=90)
    try:
        answers = []
        if arguments.url:
            answers.append(check(ask(arguments.url, photo)))
            print(f"{arguments.url} says {answers[-1]}")
        if arguments.bucket:
            answers.append(
                check(upload(arguments.bucket, arguments.results or arguments.bucket, arguments.suffix, photo))
            )
            print(f"gs://{arguments.bucket} says {answers[-1]}")
        if len(set(answers)) > 1:
            raise SmokeError("the two functions answer differently: is one of them of another version?")
    except SmokeError as error:
        sys.exit(f"smoke test failed: {error}")


if __name__ == "__main__":
    main()
