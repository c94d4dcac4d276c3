"""Run Google's own Pub/Sub emulator if it is installed, and define what the tests need of any Pub/Sub."""

import base64
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tests.support.server_process import answers, free_port

_READY_SECONDS = 30.0


class Message(NamedTuple):
    """Hold a published message."""

    data: bytes
    attributes: dict[str, str]

    @property
    def document(self) -> dict[str, Any]:
        """Return the document in the message."""
        document: dict[str, Any] = json.loads(self.data)
        return document


class PubSub(Protocol):
    """Define what the tests need of either server."""

    host: str

    def create(self, topic: str) -> None:
        """Make a topic, by its full name."""

    def published(self, topic: str) -> list[Message]:
        """Return all messages so far."""


class Emulator:
    """Run Google's Pub/Sub emulator while the block runs; https://cloud.google.com/pubsub/docs/emulator."""

    def __init__(self) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self._read: dict[str, list[Message]] = defaultdict(list)

    @staticmethod
    def program() -> Path | None:
        """Return the path of the installed emulator, or None."""
        gcloud = shutil.which("gcloud")
        if not gcloud or not shutil.which("java"):
            return None
        program = Path(gcloud).resolve().parents[1] / "platform" / "pubsub-emulator" / "bin" / "cloud-pubsub-emulator"
        return program if program.exists() else None

    def __enter__(self) -> "Emulator":
        host, _, port = self.host.partition(":")
        command = [str(self.program()), f"--host={host}", f"--port={port}"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _READY_SECONDS
        while not answers(f"http://{self.host}/"):
            assert self._process.poll() is None and time.monotonic() < deadline, "the emulator does not start"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def create(self, topic: str) -> None:
        """Make a topic, and the subscription that `published` reads."""
        self._call("PUT", topic, {})
        self._call("PUT", _subscription(topic), {"topic": topic})

    def published(self, topic: str) -> list[Message]:
        """Return all messages so far."""
        question = {"maxMessages": 100, "returnImmediately": True}
        while batch := self._call("POST", f"{_subscription(topic)}:pull", question):
            found = batch["receivedMessages"]
            self._read[topic] += [read_message(each["message"]) for each in found]
            ids = [each["ackId"] for each in found]
            self._call("POST", f"{_subscription(topic)}:acknowledge", {"ackIds": ids})
        return self._read[topic]

    def _call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        url = f"http://{self.host}/v1/{urllib.parse.quote(path, safe='/:')}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)


def _subscription(topic: str) -> str:
    return topic.replace("/topics/", "/subscriptions/")


def read_message(message: dict[str, Any]) -> Message:
    """Return a message as it goes over the wire."""
    return Message(base64.b64decode(message["data"]), message.get("attributes", {}))
