"""Test a run that is killed and repeated: every image has one right result, and little is done twice."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from google.cloud import storage

from tests.support.backfill_program import PROGRAM, environment, program
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import Call, FaultProxy
from tests.support.server_process import ServerProcess
from tests.support.upload_server import check_result, photo
from tests.support.uploads import names, put

IMAGES = 200
WORKERS = ("--direct_num_workers", "2")
# Images that a process has taken on when it is killed: read or classified, and not yet written.
IN_HAND = 2 * 10


def started(pattern: str, log: Path, **variables: str) -> ServerProcess:
    """Start the program with two workers."""
    command = [*PROGRAM, "--input", pattern, *WORKERS]
    return ServerProcess(command, log, environment(**variables))


def wait_until(ready: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once `ready()`."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_next_run_after_kill_does_rest(storage_server: EmulatedStorage, bucket: storage.Bucket, tmp_path: Path) -> None:
    images = [put(bucket, f"{number % 3}/photo {number}.jpg", photo(number)) for number in range(IMAGES)]
    with FaultProxy(storage_server.url) as proxy:
        url = {"STORAGE_EMULATOR_HOST": proxy.url}
        work = started(f"gs://{bucket.name}/**", tmp_path / "log", **url)
        work.wait_until(lambda: proxy.counts[Call.WRITE] >= IMAGES // 2, 60)
        work.kill()
        done = len(names(bucket)) - IMAGES
        assert IMAGES // 2 <= done < IMAGES, "it was killed too early or too late; this shows nothing"
        reads = proxy.counts[Call.READ]
        assert reads - done <= IN_HAND
        run = program("--input", f"gs://{bucket.name}/**", *WORKERS, settings=url)
        assert (run.status, run.counts["classified"], run.counts["done before"]) == (0, IMAGES - done, done), run.error
        assert proxy.counts[Call.READ] == reads + IMAGES - done
        for number, image in enumerate(images):
            check_result(image, photo(number))
            assert len(proxy.written(image.name)) == 1
    assert names(bucket) == sorted(name for image in images for name in (image.name, f"{image.name}.json"))


@pytest.mark.parametrize("which", ["a worker", "the program"])
def test_dead_process_ends_others(photos: Path, tmp_path: Path, which: str) -> None:
    for number in range(600):
        (photos / f"{number}.jpg").write_bytes(photo(number))
    work = started(str(photos), tmp_path / "log")
    work.wait_until(lambda: len(list(photos.glob("*.json"))) > 100, 60)
    if which == "the program":
        work.process.kill()
    else:
        worker = [
            process for process in work.processes() if b"sdk_worker" in Path(f"/proc/{process}/cmdline").read_bytes()
        ]
        os.kill(worker[-1], signal.SIGKILL)
    work.wait_for_end(30)
    if which == "a worker":
        assert work.process.returncode == 1
        assert "Run it again" in work.log
    run = program("--input", str(photos), *WORKERS)
    assert run.status == 0
    assert len(list(photos.glob("*.json"))) == 600 + 3
