"""Test `make serve` in a fresh clone: it serves, answers over real sockets, says what is wrong, and ends."""

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.drawn_flower import encode
from tests.support.http_contract import Contract, Reply, json_request, multipart, part
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess, clean_environment, free_port

READY_SECONDS = 10.0
END_SECONDS = 10.0


class Server(ServerProcess):
    """Run `make serve` in `clone`."""

    def __init__(self, clone: Path, port: int, settings: dict[str, str]) -> None:
        self.port = port
        of_pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        environment = clean_environment(**of_pip, **settings)
        super().__init__(["make", "serve", f"PORT={port}"], clone / f"server-{port}.log", environment, clone)

    def answers(self) -> bool:
        """Return whether the server is up and healthy."""
        try:
            self.request("GET", "/health")
        except OSError:
            return False
        return True

    def request(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Return the checked answer; `body` is bytes, or an iterator of the chunks of a chunked transfer."""
        status, found, data = self._exchange(method, target, body, headers or {})
        document = json.loads(self._exchange("GET", "/openapi.json", None, {})[2])
        return Contract(document).check(method, target.partition("?")[0], status, found, data)

    def _exchange(
        self, method: str, target: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body, headers, encode_chunked=not isinstance(body, bytes | None))
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def converse(self, sent: bytes) -> bytes:
        """Send `sent`, end the sending side, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def serving(clone: Path, ready_seconds: float = READY_SECONDS, **settings: str) -> Iterator[Server]:
    server = Server(clone, free_port(), settings)
    try:
        server.wait_until(server.answers, ready_seconds)
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the files that git tracks or would add."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git repository to tell which files are its own")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    target = tmp_path_factory.mktemp("clone")
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def server(clone: Path) -> Iterator[Server]:
    """Provide the first start in the clone, which installs what it needs."""
    with serving(clone, ready_seconds=300) as server:
        yield server


def test_make_serve_answers_every_form(server: Server, jpeg: bytes) -> None:
    form, form_type = multipart(part(jpeg))
    several, _ = multipart(part(jpeg), part(b"no image"))
    pieces = [jpeg[start : start + 1000] for start in range(0, len(jpeg), 1000)]
    replies = [
        server.request("POST", "/", jpeg, {"Content-Type": "application/x-www-form-urlencoded"}),
        server.request("POST", "/", iter(pieces)),
        server.request("POST", "/", form, {"Content-Type": form_type}),
        server.request("POST", "/", iter([form[:700], form[700:]]), {"Content-Type": form_type}),
        server.request("POST", "/", json_request(jpeg), {"Content-Type": "application/json"}),
        server.request("POST", "/?lang=en", jpeg),
    ]
    assert [reply.status for reply in replies] == [200] * len(replies)
    assert {reply.document["image"]["sha256"] for reply in replies} == {hashlib.sha256(jpeg).hexdigest()}
    assert all(reply.document["predictions"] == replies[0].document["predictions"] for reply in replies)
    both = server.request("POST", "/", several, {"Content-Type": form_type})
    assert [sorted(result) for result in both.document["results"]][1] == ["classified_at", "error", "image", "schema"]
    for path in ("/", "/health", "/species", "/openapi.json"):
        assert server.request("GET", path).status == 200
        assert server.request("HEAD", path).body == b""
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert {"POST / 200", "GET /health 200"} <= {line["message"] for line in lines}
    assert {line["severity"] for line in lines} == {"INFO"}


def test_photographs_are_classified_unchanged(server: Server, photos: list[Path]) -> None:
    for photo in photos[:3]:
        reply = server.request("POST", "/", photo.read_bytes())
        with Image.open(photo) as image:
            assert (reply.document["image"]["width"], reply.document["image"]["height"]) == image.size


def test_body_of_40_mib_over_socket_is_too_large(server: Server) -> None:
    mebibyte = bytes(1024 * 1024)
    for body in (mebibyte * 40, iter([mebibyte] * 40)):
        reply = server.request("POST", "/", body, {"Content-Type": "image/jpeg"})
        assert (reply.status, reply.reason) == (413, "IMAGE_TOO_LARGE")


@pytest.mark.parametrize(
    "sent",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\xff\xd8\xff\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n1000\r\n\xff\xd8\xff",
        b"Content-Length: 1000\r\n\r\n\xff\xd8\xff",
        b"Content-Length: many\r\n\r\n\xff\xd8\xff",
        b"\r\n",
    ],
)
def test_broken_transfer_gets_4xx(server: Server, sent: bytes) -> None:
    before = len(server.log)
    answer = server.converse(b"POST / HTTP/1.1\r\nHost: garden.example\r\nConnection: close\r\n" + sent)
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert b"Traceback" not in answer
    assert "Traceback" not in server.log[before:]


@pytest.mark.parametrize("target", ["//", "//garden.example", "/../etc/passwd", "/%00", "http://garden.example/health"])
def test_weird_target_gets_200_or_404(server: Server, target: str) -> None:
    answer = server.converse(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404")), answer
    assert b"\r\nLocation:" not in answer and b"root:" not in answer


def test_large_pictures_at_once_get_200_or_503(server: Server) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (300, 400, 3), np.uint8)
    large = Image.fromarray(noise).resize((4000, 3000))
    kinds = [encode(large, "JPEG", quality=80), encode(large, "PNG", compress_level=1)]
    sent = [kinds[index in (5, 11)] for index in range(16)]
    with ThreadPoolExecutor(16) as threads:
        replies = list(threads.map(lambda body: server.request("POST", "/", body), sent))
    assert {reply.status for reply in replies} <= {200, 503}
    assert any(reply.status == 200 for reply in replies)
    for body, reply in zip(sent, replies, strict=True):
        assert reply.document["image"]["sha256"] == hashlib.sha256(body).hexdigest()
        assert reply.status == 503 or (reply.document["image"]["width"], reply.document["image"]["height"]) == (
            4000,
            3000,
        )
    assert server.request("GET", "/health").status == 200


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_second_start_is_fast_and_signal_ends_it(server: Server, clone: Path, jpeg: bytes, name: str) -> None:
    with serving(clone, TOP_K="2") as again:
        assert len(again.request("POST", "/", jpeg).document["predictions"]) == 2
        assert len(again.processes()) >= 2
        started = time.monotonic()
        os.killpg(again.process.pid, signal.Signals[name])
        again.process.wait(END_SECONDS)
        while again.processes() and time.monotonic() - started < END_SECONDS:
            time.sleep(0.05)
        assert again.processes() == []
        for complaint in ("Traceback", "terminate called", "core dumped"):
            assert complaint not in again.log
        with pytest.raises(ConnectionRefusedError):
            again.request("GET", "/health")


@pytest.mark.parametrize(("variable", "value"), [("TOP_K", "abc"), ("TOP_K", "110"), ("MODEL_PATH", "/no/such.onnx")])
def test_invalid_setting_fails_startup_with_name(server: Server, clone: Path, variable: str, value: str) -> None:
    stopped = Server(clone, free_port(), {variable: value})
    try:
        assert stopped.process.wait(60) != 0
        assert variable in stopped.log and value in stopped.log
        assert stopped.processes() == []
    finally:
        stopped.kill()
