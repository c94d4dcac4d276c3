"""Test the command of `make local-cloud` as people use it: start, put, read with the ordinary client, Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.local_cloud import BUCKET
from tests.support.local_cloud_process import READY_SECONDS, LocalCloud, running
from tests.support.paths import ROOT
from tests.support.server_process import clean_environment, free_port
from tests.support.upload_server import photo

# Ctrl-C gives the function 5 seconds to finish what it is at.
END_SECONDS = 10.0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Provide a local cloud that is ready."""
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.wait_for("Ctrl-C ends")
        yield cloud


def put(port: int, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.local_cloud", "put", *files],
        cwd=ROOT,
        env=clean_environment(STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{port}"),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def client(port: int) -> storage.Client:
    """Provide the ordinary client for the local cloud; STORAGE_EMULATOR_HOST does the same for a whole shell."""
    options = {"api_endpoint": f"http://127.0.0.1:{port}"}
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return storage.Client(project="garden", credentials=credentials, client_options=options)


def test_put_photo_prints_document(cloud: LocalCloud, tmp_path: Path) -> None:
    first, second = tmp_path / "flor de mañana.jpg", tmp_path / "no-photo.jpg"
    first.write_bytes(photo(1))
    second.write_bytes(b"no photo")
    done = put(cloud.port, first, second)
    assert done.returncode == 0, done.stdout + done.stderr
    printed, _, rest = done.stdout.partition("\n}\n")
    document = json.loads(printed + "}")
    assert document["schema"] == "flowers.result/v1"
    assert document["image"]["uri"] == f"gs://{BUCKET}/{first.name}"
    assert json.loads(rest)["error"]["reason"] == "UNSUPPORTED_FORMAT"
    bucket = client(cloud.port).bucket(BUCKET)
    read = bucket.blob(first.name + ".json").download_as_bytes()
    assert json.loads(read) == document
    cloud.wait_for(f"gs://{BUCKET}/{first.name}.json\n{read.decode()}")


def test_replaced_photo_is_classified_again(cloud: LocalCloud, tmp_path: Path) -> None:
    file = tmp_path / "again.jpg"
    shown = []
    for number in (1, 2):
        file.write_bytes(photo(number))
        shown.append(json.loads(put(cloud.port, file).stdout)["image"])
    assert shown[0]["sha256"] != shown[1]["sha256"]
    assert int(shown[0]["generation"]) < int(shown[1]["generation"])


def check_that_the_port_is_refused(folder: Path, port: int) -> None:
    with running(folder, port) as cloud:
        cloud.wait_for_end(END_SECONDS)
        assert cloud.process.returncode == 1
        assert str(cloud.port) in cloud.log and "--port" in cloud.log
        assert "Traceback" not in cloud.log


def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        check_that_the_port_is_refused(tmp_path, taken.getsockname()[1])


def test_second_local_cloud_leaves_first_alone(cloud: LocalCloud, tmp_path: Path) -> None:
    check_that_the_port_is_refused(tmp_path, cloud.port)
    file = tmp_path / "rose.jpg"
    file.write_bytes(photo(3))
    assert put(cloud.port, file).returncode == 0


def test_put_without_a_local_cloud_says_what_to_start(tmp_path: Path) -> None:
    file = tmp_path / "rose.jpg"
    file.write_bytes(photo(1))
    done = put(free_port(), file)
    assert done.returncode == 1
    assert "make local-cloud" in done.stderr and str(file) in done.stderr
    assert "Traceback" not in done.stderr


def test_put_of_missing_file_fails(cloud: LocalCloud, tmp_path: Path) -> None:
    done = put(cloud.port, tmp_path / "none.jpg")
    assert done.returncode == 1
    assert "none.jpg" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("running_processes", [3, 4], ids=["while the function starts", "when all runs"])
def test_ctrl_c_ends_everything(tmp_path: Path, running_processes: int) -> None:
    with running(tmp_path) as cloud:
        cloud.wait_for("Ctrl-C ends")
        # This one, the bucket, the function's master, and, once that has loaded the model, its worker.
        cloud.wait_until(lambda: len(cloud.processes()) >= running_processes, READY_SECONDS)
        time.sleep(0.4)  # amid the function's imports, where an interrupt is no one's to handle
        os.killpg(cloud.process.pid, signal.SIGINT)
        cloud.wait_for_end(END_SECONDS)
        assert cloud.log.endswith("ended\n")
        assert "Traceback" not in cloud.log
        assert cloud.process.returncode == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", cloud.port)).close()
