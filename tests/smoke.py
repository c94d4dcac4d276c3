"""Ask a deployment for a drawn flower over HTTPS and through its bucket, and compare the answers.

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
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.cloud import storage
from google.oauth2 import id_token

from tests.support.drawn_flower import draw_flower, encode

_ANSWER_SECONDS = 90.0
# A new trigger takes minutes, and what is uploaded before that is never announced:
# https://docs.cloud.google.com/eventarc/docs/run/route-trigger-cloud-storage
_UPLOADS = 5
_RESULT_SECONDS = 90.0
_POLL_SECONDS = 1.0


class SmokeError(Exception):
    """Report a deployment that does not work as it should."""


def identity_token(url: str) -> str:
    """Return the environment's ID_TOKEN, or a token of the service account that this runs as.

    Cloud Build's metadata server answers 404 until the account holds the role on itself:
    https://github.com/kubernetes/k8s.io/pull/9953
    """
    if given := os.environ.get("ID_TOKEN"):
        return given
    try:
        token: str = id_token.fetch_id_token(Request(), url)  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise SmokeError(
            f"no identity token for {url}: {error}. A person sets ID_TOKEN=$(gcloud auth print-identity-token); "
            "a service account needs roles/iam.serviceAccountOpenIdTokenCreator on itself"
        ) from None
    return token


def photo_headers(url: str) -> dict[str, str]:
    """Return the headers of a JPEG for the function at `url`. A deployed function also gets an identity token."""
    headers = {"Content-Type": "image/jpeg"}
    if url.startswith("https://"):
        headers["Authorization"] = f"Bearer {identity_token(url)}"
    return headers


def ask(url: str, photo: bytes) -> dict[str, Any]:
    """Return the document that the function at `url` answers. Raise `SmokeError` if it answers with an error."""
    headers = photo_headers(url)
    request = urllib.request.Request(url, photo, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
            document: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise SmokeError(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}") from None
    except OSError as error:
        raise SmokeError(f"{url} did not answer: {error}") from None
    return document


def upload(bucket_name: str, results_name: str, suffix: str, photo: bytes) -> dict[str, Any]:
    """Upload a photo until a document appears for it, and return that. Delete both.

    Raise `SmokeError` if none appears.
    """
    client = storage.Client()
    for attempt in range(1, _UPLOADS + 1):
        blob = client.bucket(bucket_name).blob(f"smoke/{uuid.uuid4().hex}.jpg")
        result = client.bucket(results_name).blob(blob.name + suffix)
        blob.upload_from_string(photo, "image/jpeg", if_generation_match=0)
        try:
            deadline = time.monotonic() + _RESULT_SECONDS
            while time.monotonic() < deadline:
                if result.exists():
                    document: dict[str, Any] = json.loads(result.download_as_bytes())
                    return document
                time.sleep(_POLL_SECONDS)
        finally:
            for left in (blob, result):
                with suppress(NotFound):
                    left.delete()
        print(f"no gs://{results_name}/{result.name} after {_RESULT_SECONDS:.0f} s (upload {attempt} of {_UPLOADS})")
    raise SmokeError(f"no result in gs://{results_name} for {_UPLOADS} uploads to gs://{bucket_name}")


def check(document: dict[str, Any]) -> tuple[str, str, str]:
    """Return the first prediction, and the model's version and digest. Raise `SmokeError` for an error document."""
    if document.get("schema") != "flowers.result/v1":
        raise SmokeError(f"expected a result, got {json.dumps(document)}")
    return document["predictions"][0]["label"], document["model"]["version"], document["model"]["sha256"]


def main() -> None:
    """Run the command line. Exit with a message if the deployment does not do what it should."""
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
