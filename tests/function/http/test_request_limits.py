"""Test that hostile bodies take bounded memory and time."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from flask import Request as FlaskRequest
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.http.function import HttpFunction
from flowers.http.json_body import ENVELOPE_BYTES
from flowers.http.requests import ImageReader
from flowers.settings import Settings
from tests.function.test_server_memory import peak_mib
from tests.support.http_contract import client_of, json_request, multipart, no_storage, part, post
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

MIB = 1024 * 1024
# The largest body, some 45 MiB: as it came, as text, as the value, and once more while base64 is decoded.
MAX_MIB = 250


def nested(opening: bytes, count: int) -> bytes:
    """Return JSON in which `opening` is repeated."""
    return b'{"image": [' + opening * count + b"]}"


HOSTILE: dict[str, Callable[[], tuple[bytes, str]]] = {
    "empty lists": lambda: (nested(b"[],", 10 * MIB), "application/json"),
    "empty objects": lambda: (nested(b"{},", 10 * MIB), "application/json"),
    "numbers": lambda: (nested(b"1,", 16 * MIB), "application/json"),
    "members": lambda: (b"{" + b'"":0,' * (7 * MIB) + b'"image": ""}', "application/json"),
    "deep lists": lambda: (b'{"image": ' + b"[" * (40 * MIB), "application/json"),
    "lists in a text/plain body": lambda: (nested(b"[],", 10 * MIB), "text/plain"),
    "a wide letter": lambda: (b'{"image": "' + "🌹".encode() + b"A" * (40 * MIB) + b'"}', "application/json"),
    "escapes": lambda: (b'{"image": "' + b"\\u0041" * (7 * MIB) + b'"}', "application/json"),
    "line breaks": lambda: (b'{"image": "' + b"\\n" * (20 * MIB) + b'"}', "application/json"),
    "a number": lambda: (b'{"image": ' + b"9" * (40 * MIB) + b"}", "application/json"),
    "a fraction": lambda: (b'{"image": 0.' + b"9" * (40 * MIB) + b"}", "application/json"),
    "a part's headers": lambda: (multipart(b"a:\r\n" * (8 * MIB))[0], multipart()[1]),
    "a part's long header": lambda: (multipart(b"a: " + b"b" * (32 * MIB))[0], multipart()[1]),
    "no boundary": lambda: (b"\r\n--" * (8 * MIB), multipart()[1]),
}


class Server(ServerProcess):
    """Serve the function over HTTP."""

    def __init__(self, folder: Path, **settings: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(framework("classify_http", port), folder / "log", clean_environment(**settings))

    def post(self, body: bytes, content_type: str, encoding: str = "identity") -> tuple[int, dict[str, object]]:
        """Return status and document."""
        headers = {"Content-Type": content_type, "Content-Encoding": encoding}
        try:
            with urlopen(Request(f"{self.url}/", body, headers), timeout=60) as response:
                return response.status, json.load(response)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def wait(self) -> None:
        """Wait until the server answers."""
        self.wait_until(lambda: answers(f"{self.url}/health"), 60)
        self._mib_at_start = max(map(peak_mib, self.processes()))

    def taken_mib(self) -> float:
        """Return the peak memory of a process, less its memory after the start."""
        return max(map(peak_mib, self.processes())) - self._mib_at_start


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Provide a server that has answered once."""
    server = Server(tmp_path_factory.mktemp("limits"), THREADS="8")
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure memory")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_body_takes_bounded_memory(server: Server, name: str) -> None:
    body, content_type = HOSTILE[name]()
    status, document = server.post(body, content_type)
    assert status in (400, 415)
    assert document["schema"] == "flowers.error/v1"
    assert server.taken_mib() < MAX_MIB


def test_health_answers_while_hostile_json_arrives(server: Server) -> None:
    body, content_type = HOSTILE["empty lists"]()
    senders = [threading.Thread(target=server.post, args=(body, content_type)) for _ in range(4)]
    for sender in senders:
        sender.start()
    waits = []
    while any(sender.is_alive() for sender in senders):
        started = time.monotonic()
        assert answers(f"{server.url}/health")
        waits.append(time.monotonic() - started)
        time.sleep(0.01)
    assert max(waits) < 1, waits


def test_gzip_bomb_takes_bounded_memory(server: Server) -> None:
    status, document = server.post(gzip.compress(bytes(400 * MIB)), "image/png", "gzip")
    assert (status, document["schema"]) == (413, "flowers.error/v1")
    assert server.taken_mib() < MAX_MIB


def largest_body(image: bytes) -> FlaskRequest:
    """Return a request with the most bytes that a body may have if an image may have those of `image`."""
    return FlaskRequest(EnvironBuilder(method="POST", data=bytes(len(image) * 4 // 3 + ENVELOPE_BYTES)).get_environ())


def test_concurrent_bodies_wait_for_memory(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ImageReader(len(jpeg), wait_seconds=0.1)
    monkeypatch.setattr("flowers.http.classification.ImageReader", lambda _: reader)
    settings = Settings(max_image_bytes=len(jpeg))
    client = client_of(HttpFunction(Classifier(settings), settings, Cloud(no_storage)))
    bodies = (jpeg, "image/jpeg"), (json_request(jpeg), "application/json"), multipart(part(jpeg))
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(reader.read(largest_body(jpeg), len))
        assert [post(client, body, content_type).status for body, content_type in bodies] == [200] * 3
        held.enter_context(reader.read(largest_body(jpeg), len))
        for body, content_type in bodies:
            reply = post(client, body, content_type)
            assert (reply.status, reply.reason) == (503, "UNAVAILABLE")
            assert reply.headers["Retry-After"] == "1"
    assert post(client, jpeg).status == 200


@pytest.mark.parametrize("count", [9_990, 10_100])
def test_json_has_10000_values_at_most(client: FlaskClient, jpeg: bytes, count: int) -> None:
    body = json.dumps({"others": [0] * count, **json.loads(json_request(jpeg))}).encode()
    reply = post(client, body, "application/json")
    assert reply.status == (200 if count < 10_000 else 400)
    assert ("10,000" in reply.body.decode()) == (count > 10_000)
