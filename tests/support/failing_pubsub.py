"""Emulate a Pub/Sub that fails on demand.

It has the one call that the function uses, publishing to a topic. `test_topic` compares it with Google's emulator.
"""

import json
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.pubsub_emulator import Message, read_message
from tests.support.resetting_server import ResettingServer


class Fault(Enum):
    """Name what a call to publish meets."""

    FORBIDDEN = "answers 403"
    UNAUTHENTICATED = "answers 401"
    TOO_MANY = "answers 429"
    INVALID = "answers 400"
    INTERNAL = "answers 500"
    UNAVAILABLE = "answers 503"
    NO_PUBSUB = "answers 200 as another server would"
    RESET = "resets the connection, takes nothing"
    LOST_ANSWER = "takes the message, resets the connection"
    STALLED = "stalls, takes nothing"


_STATUS = {
    Fault.FORBIDDEN: 403,
    Fault.UNAUTHENTICATED: 401,
    Fault.TOO_MANY: 429,
    Fault.INVALID: 400,
    Fault.INTERNAL: 500,
    Fault.UNAVAILABLE: 503,
    Fault.NO_PUBSUB: 200,
}


class FailingPubSub:
    """Serve topics while the block runs, and fail on demand."""

    def __init__(self) -> None:
        self._messages: dict[str, list[Message]] = {}
        self._faults: list[Fault] = []
        self._lasting: Fault | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._stalled = threading.Semaphore(0)
        self.calls = 0
        self.tokens: list[str] = []
        self.on_publish: Callable[[Message], object] = lambda _: None
        self._server = _Server(self)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FailingPubSub":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def create(self, topic: str) -> None:
        """Make a topic."""
        self._messages[topic] = []

    def published(self, topic: str) -> list[Message]:
        """Return all messages so far."""
        with self._lock:
            return list(self._messages[topic])

    def fail(self, *faults: Fault, lasting: bool = False) -> None:
        """Let the next calls meet these faults, one each. A `lasting` fault meets all calls until `heal`."""
        with self._lock:
            if lasting:
                (self._lasting,) = faults
            else:
                self._faults += faults

    def heal(self) -> None:
        """Let calls meet no fault any more, and remove `on_publish`."""
        with self._lock:
            self._faults, self._lasting = [], None
            self.on_publish = lambda _: None

    def take_fault(self) -> Fault | None:
        """Return the fault that this call meets."""
        with self._lock:
            self.calls += 1
            return self._lasting or (self._faults.pop(0) if self._faults else None)

    def take(self, topic: str, message: Message) -> bool:
        """Publish a message. Return False if there is no such topic."""
        if topic not in self._messages:
            return False
        self.on_publish(message)
        with self._lock:
            self._messages[topic].append(message)
        return True

    def stall(self) -> None:
        """Return when the server ends."""
        self._stalled.release()
        self._ended.wait()

    def wait_until_stalled(self) -> None:
        """Return once a call stalls."""
        assert self._stalled.acquire(timeout=30), "nothing stalls"


class _Server(ResettingServer):
    daemon_threads = True

    def __init__(self, pubsub: FailingPubSub) -> None:
        self.pubsub = pubsub
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # of an idle connection
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        pubsub = self.server.pubsub
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pubsub.tokens.append(self.headers.get("Authorization", ""))
        path, _, method = urllib.parse.unquote(self.path).rpartition(":")
        (message,) = body["messages"]
        fault = pubsub.take_fault()
        if fault in _STATUS:
            self._answer(_STATUS[fault], {"error": {"message": fault.value}})
        elif fault is Fault.STALLED:
            pubsub.stall()
            self.close_connection = True
        elif fault is Fault.RESET:
            self._reset()
        elif method != "publish" or not pubsub.take(path.removeprefix("/v1/"), read_message(message)):
            self._answer(404, {"error": {"message": "no such topic"}})
        elif fault is Fault.LOST_ANSWER:
            self._reset()
        else:
            self._answer(200, {"messageIds": ["1"]})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""
