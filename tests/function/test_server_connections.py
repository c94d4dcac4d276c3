"""Test the connections of a real server: callers close them, and a body arrives in time or not at all."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.drawn_flower import draw_flower, encode
from tests.support.paths import MAIN, ROOT
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

# gunicorn's own default closes a connection after 2 seconds.
PAUSE_SECONDS = 3.5


def test_connection_stays_open_after_a_pause(tmp_path: Path) -> None:
    port, photo = free_port(), encode(draw_flower(), "JPEG")
    server = ServerProcess(framework("classify_http", port), tmp_path / "log", clean_environment())
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 30)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        first, statuses = connection.sock, []
        for pause in (0.0, PAUSE_SECONDS):
            time.sleep(pause)
            connection.request("POST", "/", photo)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            assert connection.sock is first, "the answer closed the connection"
        connection.close()
    finally:
        server.kill()
    assert statuses == [200, 200]


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Provide the port of a server that waits two seconds for a body."""
    port, source = free_port(), ROOT / "tests" / "support" / "hasty_main.py"
    environment = clean_environment(PYTHONPATH=str(MAIN.parent))
    server = ServerProcess(
        framework("classify_http", port, source), tmp_path_factory.mktemp("hasty") / "log", environment
    )
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60)
        yield port
    finally:
        server.kill()


def drip(port: int, head: bytes, body: bytes) -> bytes:
    """Return what is answered to a request whose body comes a byte every tenth of a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as connection:
        connection.sendall(b"POST " + head + b"\r\nHost: garden.example\r\nConnection: close\r\n" + body)
        answer, deadline = b"", time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                connection.sendall(b"1")
                continue
            if not piece:
                return answer
            answer += piece
    raise AssertionError("still no answer")


@pytest.mark.parametrize("target", [b"/", b"/v1/models/flowers-efficientnet-lite0:predict", b"/nowhere"])
@pytest.mark.parametrize("body", [b"Content-Length: 5000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1388\r\n"])
def test_body_that_trickles_in_gets_408(hasty: int, target: bytes, body: bytes) -> None:
    started = time.monotonic()
    head, _, text = drip(hasty, target + b" HTTP/1.1", body).partition(b"\r\n\r\n")
    error = json.loads(text)["error"]
    expected = (404, "NOT_FOUND") if target == b"/nowhere" else (408, "REQUEST_TIMEOUT")
    assert (error["code"], error["reason"]) == expected
    assert head.startswith(b"HTTP/1.1 %d " % expected[0])
    assert time.monotonic() - started < 15
