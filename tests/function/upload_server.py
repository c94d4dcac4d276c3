"""`classify_upload` as deployed: functions-framework's gunicorn in processes of its own, and what it must leave."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage
from PIL import Image

from flowers.document import RESULT_SCHEMA
from tests.drawn_flower import draw_flower, encode
from tests.emulated_cloud import binary_event, description, free_port, post_event
from tests.function.conftest import ROOT
from tests.function.uploads import result_of

MAIN = ROOT / "function" / "main.py"
IMPATIENT_MAIN = ROOT / "tests" / "function" / "impatient_main.py"
READY_SECONDS = 30.0
ACKNOWLEDGED_SECONDS = 60.0
# No setting of this shell reaches the server.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


class UploadServer:
    """functions-framework with `classify_upload`, in a session of its own, with its log in `folder`."""

    def __init__(self, folder: Path, storage_url: str, source: Path = MAIN, **settings: str) -> None:
        """`storage_url` is its Cloud Storage; `settings` are environment variables."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._log = folder / f"server-{self.port}.log"
        environment = {name: value for name, value in os.environ.items() if name in _KEPT}
        environment |= {"STORAGE_EMULATOR_HOST": storage_url, "PYTHONPATH": str(MAIN.parent)}
        program = Path(sys.executable).with_name("functions-framework")
        command = [str(program), "--source", str(source)]
        command += ["--target", "classify_upload", "--host", "127.0.0.1", "--port", str(self.port)]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """All that was written so far."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        """Returns once the server answers; the test fails when it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
            except urllib.error.HTTPError as error:  # it takes no GET, but says so
                error.close()
                return
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"not ready within {READY_SECONDS} s:\n{self.log}")

    def kill(self) -> None:
        """kill -9 of all its processes at once; returns when none is left."""
        kill(self.process)

    def worker(self) -> int:
        """The process that serves; the other is gunicorn's master."""
        (worker,) = [process for process in processes(self.process.pid) if process != self.process.pid]
        return worker

    def send(self, image: storage.Blob) -> int:
        """Delivers the event of this generation once: the status, or 0 where the connection broke."""
        try:
            return post_event(self.url, *binary_event(description(image)))
        except OSError:
            return 0

    def deliver(self, image: storage.Blob, refused: Callable[[], None] = lambda: None) -> list[int]:
        """Delivers an event as Eventarc does, until it is acknowledged: all statuses; `refused` follows each refusal.

        Eventarc pauses for longer (from 10 seconds on) and gives up after a day.
        """
        statuses = [self.send(image)]
        deadline = time.monotonic() + ACKNOWLEDGED_SECONDS
        while not acknowledged(statuses[-1]):
            assert time.monotonic() < deadline, f"{image.name} is never acknowledged: {statuses}\n{self.log}"
            refused()
            time.sleep(0.1)
            statuses.append(self.send(image))
        return statuses


@contextmanager
def serving(folder: Path, storage_url: str, source: Path = MAIN, **settings: str) -> Iterator[UploadServer]:
    """A server that is ready, and that leaves no process behind."""
    server = UploadServer(folder, storage_url, source, **settings)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()


def processes(session: int) -> list[int]:
    """The processes of a session that are alive."""
    command = ["ps", "-eo", "pid=,sid=,stat="]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [row.split() for row in rows]
    return [int(pid) for pid, of_session, state in found if of_session == str(session) and not state.startswith("Z")]


def kill(leader: subprocess.Popen[Any]) -> None:
    """kill -9 of all processes of the session that `leader` leads."""
    for process in processes(leader.pid):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_for_end(leader)


def wait_for_end(leader: subprocess.Popen[Any], seconds: float = 10.0) -> None:
    """Returns when no process of the session that `leader` leads is left; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    while left := processes(leader.pid):
        assert time.monotonic() < deadline, f"still running: {left}"
        leader.poll()
        time.sleep(0.02)
    leader.wait()


def acknowledged(status: int) -> bool:
    """Whether Eventarc takes the event as done."""
    return 200 <= status < 300


def photo(number: int, width: int = 160) -> bytes:
    """A JPEG file like no other number's, 4:3."""
    return encode(_drawn(width), "JPEG", quality=95, comment=f"photo {number}")


@cache
def _drawn(width: int) -> Image.Image:
    return draw_flower(width, width * 3 // 4)


def check_result(image: storage.Blob, data: bytes, schema: str = RESULT_SCHEMA) -> None:
    """Fails unless this generation of an image has its document beside it: whole, by its schema, of these bytes."""
    document = result_of(image)
    assert document["schema"] == schema
    found = document["image"]
    assert (found["bytes"], found["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
