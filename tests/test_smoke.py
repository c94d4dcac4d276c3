"""Test that the smoke test passes against `make serve` and `make local-cloud`, and fails on a broken deployment."""

import json
import os
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from google.cloud import storage

from tests import smoke
from tests.support.local_cloud_process import LocalCloud, running
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Provide `make local-cloud`."""
    with running(tmp_path_factory.mktemp("smoke")) as cloud:
        cloud.wait_for("Ctrl-C ends")
        yield cloud


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Provide the command of `make serve`, on a port of its own."""
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    server, url = ServerProcess(framework("classify_http", port), log, clean_environment()), f"http://127.0.0.1:{port}"
    try:
        server.wait_until(lambda: answers(f"{url}/health"), 30)
        yield url
    finally:
        server.kill()


def run(*arguments: str, storage_url: str = "") -> subprocess.CompletedProcess[str]:
    """Run the smoke test's command line."""
    environment = os.environ | ({"STORAGE_EMULATOR_HOST": storage_url} if storage_url else {})
    command = [sys.executable, "-m", "tests.smoke", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_both_functions_are_compared(cloud: LocalCloud, url: str) -> None:
    storage_url = f"http://127.0.0.1:{cloud.port}"
    done = run("--url", url, "--bucket", "garden", storage_url=storage_url)
    assert done.returncode == 0, done.stderr
    http, bucket = done.stdout.splitlines()
    assert http.partition(" says ")[2] == bucket.partition(" says ")[2]


def test_bucket_is_left_empty(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    storage_url = f"http://127.0.0.1:{cloud.port}"
    assert run("--bucket", "garden", storage_url=storage_url).returncode == 0
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_url)
    assert list(storage.Client().list_blobs("garden")) == []


def test_unwatched_bucket_fails(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{cloud.port}")
    monkeypatch.setattr(smoke, "_RESULT_SECONDS", 1.5)
    monkeypatch.setattr(smoke, "_UPLOADS", 2)
    storage.Client().create_bucket("unwatched")
    with pytest.raises(smoke.SmokeError, match="no result in gs://unwatched for 2 uploads"):
        smoke.upload("unwatched", "unwatched", ".json", b"photo")
    assert list(storage.Client().list_blobs("unwatched")) == []


def test_upload_before_the_trigger_works_is_repeated(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the second upload only: Eventarc announces nothing that came before its trigger."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{cloud.port}")
    monkeypatch.setattr(smoke, "_RESULT_SECONDS", 1.5)
    bucket = storage.Client().create_bucket("late")

    def answer_second() -> None:
        seen: list[str] = []
        while len(seen) < 2:
            seen += [blob.name for blob in bucket.list_blobs() if blob.name not in seen]
            time.sleep(0.1)
        bucket.blob(f"{seen[1]}.json").upload_from_string('{"late": true}')

    threading.Thread(target=answer_second, daemon=True).start()
    assert smoke.upload("late", "late", ".json", b"photo") == {"late": True}
    assert list(bucket.list_blobs()) == []


def test_unreachable_address_fails() -> None:
    done = run("--url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode != 0
    assert "did not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("status", "body"), [(403, b"forbidden"), (200, b"{}"), (200, b'{"schema": "flowers.error/v1"}')]
)
def test_answer_that_is_no_result_fails(status: int, body: bytes) -> None:
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


class CloudBuildMetadata(BaseHTTPRequestHandler):
    """Answer as Cloud Build's metadata server: an identity token only for an account that may make its own.

    https://github.com/kubernetes/k8s.io/pull/9953
    """

    granted = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        kind, body = (
            "application/json",
            json.dumps({"email": "deploy@my-project.iam", "scopes": []}),
        )
        if url.path.endswith("/identity"):
            claims = {"aud": parse_qs(url.query)["audience"][0], "exp": 4102444800}
            kind = "application/text"
            body = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({}, claims, {}))
        self.send_response(404 if url.path.endswith("/identity") and not self.granted else 200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())


def cloud_build_token(granted: bool) -> subprocess.CompletedProcess[str]:
    """Ask for the token of https://flowers.example in a process that sees Cloud Build's metadata server."""
    handler = type("Handler", (CloudBuildMetadata,), {"granted": granted})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        environment = os.environ | {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address}
        for name in ("ID_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS"):
            environment.pop(name, None)
        code = "from tests.smoke import identity_token; print(identity_token('https://flowers.example'))"
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        server.shutdown()
    return done


def test_token_in_cloud_build_is_for_the_function() -> None:
    done = cloud_build_token(granted=True)
    assert done.returncode == 0, done.stderr
    claims = json.loads(urlsafe_b64decode(done.stdout.split(".")[1]))
    assert claims["aud"] == "https://flowers.example"


def test_token_without_the_role_names_the_role() -> None:
    done = cloud_build_token(granted=False)
    assert done.returncode != 0
    assert "SmokeError: no identity token for https://flowers.example" in done.stderr
    assert "needs roles/iam.serviceAccountOpenIdTokenCreator on itself" in done.stderr


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
