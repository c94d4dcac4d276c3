"""Test that every line that a server process writes is JSON, whatever happens to it."""

import http.client
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.drawn_flower import encode
from tests.support.paths import MAIN, ROOT
from tests.support.pictures import draw_picture, sample
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

NOISY_MAIN = ROOT / "tests" / "support" / "noisy_main.py"


def entries_of(server: ServerProcess) -> list[dict[str, Any]]:
    """Return the lines of both streams, each of which is JSON with a severity."""
    entries = [json.loads(line) for line in server.log.splitlines()]
    assert all(entry["severity"] and entry["message"] for entry in entries)
    return entries


def hostile_files() -> list[bytes]:
    """Return files that make decoders warn and fail."""
    fax = encode(draw_picture().convert("1"), "TIFF", compression="group4")
    strip = encode(draw_picture(), "TIFF", compression="jpeg")
    return [
        *(sample(format)[:-50] for format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF")),
        fax[:400] + b"\x55" * 200 + fax[600:],
        strip[:300] + b"\xff\0" * 100 + strip[500:],
        b"no image",
    ]


def test_every_line_of_a_server_is_json(tmp_path: Path, jpeg: bytes) -> None:
    port, environment = free_port(), clean_environment(PYTHONPATH=str(MAIN.parent))
    server = ServerProcess(framework("classify_http", port, NOISY_MAIN), tmp_path / "log", environment)
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        statuses = []
        for method, target, body in (
            ("POST", "/", jpeg),
            *(("POST", "/", data) for data in hostile_files()),
            ("GET", "/species", None),
        ):
            connection.request(method, target, body)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        assert (statuses[0], statuses[-1]) == (200, 500)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_end(30)
    finally:
        server.kill()
    messages = "\n".join(entry["message"] for entry in entries_of(server))
    for told in ("a library warns", "a library logs", "ValueError: in a thread", "the server logs", "a failure"):
        assert told in messages


@pytest.mark.parametrize(
    ("variable", "value"), [("TOP_K", "abc"), ("MODEL_PATH", "/no/such.onnx"), ("MODEL_PATH", __file__)]
)
def test_failed_start_is_one_line_of_json(tmp_path: Path, variable: str, value: str) -> None:
    environment = clean_environment(**{variable: value})
    server = ServerProcess(framework("classify_http", free_port()), tmp_path / "log", environment)
    server.wait_for_end(60)
    assert server.process.returncode == 1
    (entry,) = entries_of(server)
    assert entry["severity"] == "CRITICAL"
    assert value in entry["message"].splitlines()[0]


def test_taken_port_is_told_in_json(tmp_path: Path) -> None:
    port = free_port()
    servers = [ServerProcess(framework("classify_http", port), tmp_path / "log", clean_environment())]
    try:
        servers[0].wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60)
        servers.append(ServerProcess(framework("classify_http", port), tmp_path / "second", clean_environment()))
        servers[1].wait_until(lambda: "in use" in servers[1].log, 60)
    finally:
        for server in servers:
            server.kill()
    assert {entry["severity"] for entry in entries_of(servers[1])} == {"ERROR"}
