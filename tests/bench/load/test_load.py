"""Test the load test itself, shortened: our function passes, one that breaks under load fails."""

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytest.importorskip("locust", reason="runs in an environment of its own: make test-load")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "tests.bench.load", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    print(done.stdout, done.stderr)
    return done


class _Breaking(http.server.BaseHTTPRequestHandler):
    """Answer one request in ten with 500, and close one in ten without an answer."""

    count = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        _Breaking.count += 1
        if self.count % 10 == 5:
            self.close_connection = True
            return
        self.send_response(500 if self.count % 10 == 0 or self.path == "/never/" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def breaking() -> Iterator[str]:
    """Yield the address of a server that breaks."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Breaking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_load_beyond_saturation_passes_and_recovers(tmp_path: Path) -> None:
    # 150 users are twice what one core serves: all are answered, later.
    done = run("--peak", "150", "--scale", "0.12", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    assert int(re.findall(r"^spike +(\d+)", done.stdout, re.MULTILINE)[0]) >= 150
    assert re.search(r"Memory in MiB: \d+ at first, \d+ at the peak", done.stdout)
    page = (tmp_path / "load.html").read_text(encoding="utf-8")
    assert "<td>recovery</td>" in page
    assert len(re.findall(r'src="data:image/png;base64,iVBOR', page)) == 2
    assert "http://" not in page.replace("http://127.0.0.1", "")  # self-contained
    assert {file.name for file in tmp_path.glob("*.png")} == {"load.png", "saturation.png"}


def test_load_with_errors_fails(breaking: str, tmp_path: Path) -> None:
    done = run("--url", breaking, "--profile", "steady", "--rate", "20", "--scale", "0.1", "--out", str(tmp_path))
    assert done.returncode == 1
    assert re.search(r"FAILED: \d+ requests had no answer; RemoteDisconnected .*\d+ requests got 500", done.stderr)
    assert "FAILED" in (tmp_path / "load.html").read_text(encoding="utf-8")


def test_load_without_any_result_fails(breaking: str, tmp_path: Path) -> None:
    done = run("--url", breaking + "/never", "--profile", "steady", "--scale", "0.05", "--out", str(tmp_path))
    assert done.returncode == 1
    assert "no request got a result" in done.stderr
