"""The smoke test passes against `make serve` and `make local-cloud`, and fails where a deployment does not work."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from google.cloud import storage

from tests import smoke
from tests.function.test_local_cloud import LocalCloud, running
from tests.server_process import ServerProcess, answers, framework, free_port, surroundings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """`make local-cloud`."""
    with running(tmp_path_factory.mktemp("smoke")) as cloud:
        cloud.wait_for("Ctrl-C ends")
        yield cloud


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`make serve`: its command, on a port of its own."""
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    server, url = ServerProcess(framework("classify_http", port), log, surroundings()), f"http://127.0.0.1:{port}"
    try:
        server.wait_until(lambda: answers(f"{url}/health"), 30)
        yield url
    finally:
        server.kill()


def run(*arguments: str, storage_url: str = "") -> subprocess.CompletedProcess[str]:
    """The smoke test as it is called."""
    environment = os.environ | ({"STORAGE_EMULATOR_HOST": storage_url} if storage_url else {})
    command = [sys.executable, "-m", "tests.smoke", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_both_functions_are_asked_and_compared(cloud: LocalCloud, url: str) -> None:
    storage_url = f"http://127.0.0.1:{cloud.port}"
    done = run("--url", url, "--bucket", "garden", storage_url=storage_url)
    assert done.returncode == 0, done.stderr
    http, bucket = done.stdout.splitlines()
    assert http.partition(" says ")[2] == bucket.partition(" says ")[2]


def test_nothing_is_left_in_the_bucket(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    storage_url = f"http://127.0.0.1:{cloud.port}"
    assert run("--bucket", "garden", storage_url=storage_url).returncode == 0
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_url)
    assert list(storage.Client().list_blobs("garden")) == []


def test_a_bucket_that_no_function_watches_fails(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{cloud.port}")
    monkeypatch.setattr(smoke, "_WAIT_SECONDS", 1.5)
    storage.Client().create_bucket("unwatched")
    with pytest.raises(smoke.SmokeError, match="no gs://unwatched/smoke/"):
        smoke.upload("unwatched", "unwatched", ".json", b"photo")
    assert list(storage.Client().list_blobs("unwatched")) == []


def test_an_address_where_nothing_answers_fails() -> None:
    done = run("--url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode != 0
    assert "did not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("status", "body"), [(403, b"forbidden"), (200, b"{}"), (200, b'{"schema": "flowers.error/v1"}')]
)
def test_an_answer_that_is_no_result_fails(status: int, body: bytes) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.returncode != 0
    assert done.stderr.startswith("smoke test failed: ")


def test_functions_of_two_versions_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def document(version: str) -> dict[str, object]:
        return {
            "schema": "flowers.result/v1",
            "predictions": [{"label": "rose"}],
            "model": {"version": version, "sha256": "0"},
        }

    monkeypatch.setattr(smoke, "ask", lambda *_: document("1"))
    monkeypatch.setattr(smoke, "upload", lambda *_: document("2"))
    monkeypatch.setattr(sys, "argv", ["smoke", "--url", "http://x", "--bucket", "b"])
    with pytest.raises(SystemExit, match="answer differently"):
        smoke.main()
