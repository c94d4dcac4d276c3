"""Forward calls to fake-gcs-server, fail on demand, and record what is written.

Clients find it by STORAGE_EMULATOR_HOST; with that set, google-cloud-storage sends every call there, downloads too.
"""

import http.client
import json
import random
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, replace
from enum import Enum
from http.server import BaseHTTPRequestHandler
from types import TracebackType

from tests.support.resetting_server import ResettingServer


class Call(Enum):
    """Name the kinds of calls that the function makes."""

    LOOK_UP = "look-up"
    READ = "read"
    WRITE = "write"


class Fault(Enum):
    """Name what a call meets."""

    UNAVAILABLE = "answers 503"
    TOO_MANY = "answers 429"
    FORBIDDEN = "answers 403"
    RESET = "resets the connection, does nothing"
    RESET_ANSWER = "resets the connection amid the answer"
    LOST_ANSWER = "does it, drops the answer"
    STALLED = "stalls, does nothing"
    STALLED_ANSWER = "does it, stalls before the answer"
    CUT_SHORT = "answers half, as if whole"
    FLIPPED_BIT = "flips a bit of the answer"
    FLIPPED_BIT_AND_RESET = "flips a bit of the answer, resets amid it"


_STATUS = {Fault.UNAVAILABLE: 503, Fault.TOO_MANY: 429, Fault.FORBIDDEN: 403}


@dataclass(frozen=True)
class Write:
    """Describe a write that the server performed: the object's new generation, and the image's generation it is for."""

    name: str
    generation: int
    source_generation: int


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultProxy:
    """Forward to the server at `url` while the block runs. Faults are set for an image and a kind of call.

    `counts` has how many calls of each kind came. The block's end waits for its clients.
    """

    def __init__(self, url: str) -> None:
        self._writes: list[Write] = []
        self.counts = dict.fromkeys(Call, 0)
        self._faults: dict[tuple[str, Call], tuple[Fault, int | None]] = {}
        self._lock = threading.Lock()
        self._stalled = threading.Semaphore(0)
        self._released = threading.Event()
        self._ended = False
        self._jitter = (random.Random(3), 0.0)  # noqa: S311  # chance, not secrecy
        self._upstream = urllib.parse.urlsplit(url).netloc
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FaultProxy":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended = True
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, image: str, call: Call, fault: Fault, times: int | None = None) -> None:
        """Let the next `times` such calls (None: all until `heal`) for the image or its result meet the fault."""
        with self._lock:
            self._faults[image, call] = (fault, times)

    def heal(self, image: str) -> None:
        """Let calls for the image meet no fault any more; those that stall are not released."""
        with self._lock:
            self._faults = {key: fault for key, fault in self._faults.items() if key[0] != image}

    def delay(self, seconds: float) -> None:
        """Let each call from now on wait up to `seconds` before it is forwarded, and again afterwards."""
        self._jitter = (self._jitter[0], seconds)

    def written(self, image: str) -> list[Write]:
        """Return the writes of an image's result in the order in which the server performed them."""
        with self._lock:
            found = [write for write in self._writes if write.name == image + ".json"]
        return sorted(found, key=lambda write: write.generation)

    def take(self, name: str, call: Call) -> Fault | None:
        """Return the fault that this call meets."""
        image = name.removesuffix(".json")
        with self._lock:
            self.counts[call] += 1
            fault, times = self._faults.get((image, call), (None, 0))
            if fault and times is not None:
                self._faults[image, call] = (fault, times - 1)
                if times <= 1:
                    del self._faults[image, call]
        return fault

    def wait(self) -> None:
        """Wait as `delay` says."""
        chance, seconds = self._jitter
        if seconds:
            time.sleep(chance.random() * seconds)

    def stall(self) -> bool:
        """Return True once the call may go on, or False if the proxy ends."""
        released = self._released
        self._stalled.release()
        released.wait()
        return not self._ended

    def wait_until_stalled(self, calls: int = 1) -> None:
        """Return once so many more calls stall."""
        for _ in range(calls):
            assert self._stalled.acquire(timeout=30), "nothing stalls"

    def release(self) -> None:
        """Let the calls that stall now go on."""
        released, self._released = self._released, threading.Event()
        released.set()

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> _Answer:
        """Return what the server answers."""
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            answer = _Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()
        if method == "POST" and answer.status == 200:
            written = json.loads(answer.body)
            source = int(written["metadata"]["source-generation"])
            with self._lock:
                self._writes.append(Write(written["name"], int(written["generation"]), source))
        return answer


class _Server(ResettingServer):
    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # of an idle connection; the proxy's end waits for those that are open
    disable_nagle_algorithm = True  # head and body leave apart, and would wait for each other
    server: _Server

    def do_GET(self) -> None:
        place = urllib.parse.urlsplit(self.path).path
        call = Call.READ if place.startswith("/download/") else Call.LOOK_UP
        self._handle(call, urllib.parse.unquote(place.partition("/o/")[2]), b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        # multipart/related: the object's resource comes first.
        resource = body.split(b"\r\n\r\n", 1)[1].split(b"\r\n--", 1)[0]
        self._handle(Call.WRITE, json.loads(resource)["name"], body)

    def _handle(self, call: Call, name: str, body: bytes) -> None:
        proxy = self.server.proxy
        fault = proxy.take(name, call)
        if fault in _STATUS:
            self._answer(_Answer(_STATUS[fault], [("Content-Type", "application/json")], b'{"error": {}}'))
            return
        if fault is Fault.RESET or (fault is Fault.STALLED and not proxy.stall()):
            self._reset()
            return
        proxy.wait()
        answer = proxy.forward(self.command, self.path, dict(self.headers.items()), body)
        proxy.wait()
        if fault is Fault.LOST_ANSWER or (fault is Fault.STALLED_ANSWER and not proxy.stall()):
            self._reset()
            return
        half = len(answer.body) // 2
        if fault in (Fault.FLIPPED_BIT, Fault.FLIPPED_BIT_AND_RESET):
            at = half // 2
            answer = replace(answer, body=answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :])
        if fault is Fault.CUT_SHORT:
            answer = replace(answer, body=answer.body[:half])
        if fault in (Fault.RESET_ANSWER, Fault.FLIPPED_BIT_AND_RESET):
            self._answer(answer, half)
            self._reset()
        else:
            self._answer(answer)

    def _answer(self, answer: _Answer, most: int | None = None) -> None:
        self.send_response_only(answer.status)
        for header, value in answer.headers:
            if header not in ("Content-Length", "Connection", "Transfer-Encoding"):
                self.send_header(header, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:most])

    def _reset(self) -> None:
        time.sleep(0.02)  # what was sent before arrives before the reset, which would discard it
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""
