"""Serve `classify_upload` as deployed, in processes of its own, and check the results that it must leave."""

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from google.cloud import storage
from PIL import Image

from flowers.documents import RESULT_SCHEMA
from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import binary_event, description, post_event
from tests.support.paths import MAIN
from tests.support.server_process import ServerProcess, clean_environment, framework, free_port
from tests.support.uploads import result_of

IMPATIENT_MAIN = Path(__file__).with_name("impatient_main.py")
READY_SECONDS = 30.0
ACKNOWLEDGED_SECONDS = 60.0


class UploadServer(ServerProcess):
    """Run functions-framework with `classify_upload`, its log in `folder`."""

    def __init__(self, folder: Path, storage_url: str, source: Path = MAIN, **settings: str) -> None:
        """Take the address of its Cloud Storage, and `settings` as environment variables."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        environment = clean_environment(STORAGE_EMULATOR_HOST=storage_url, PYTHONPATH=str(MAIN.parent), **settings)
        super().__init__(framework("classify_upload", port, source), folder / f"server-{port}.log", environment)

    def answers(self) -> bool:
        """Return whether the server is up."""
        try:
            urllib.request.urlopen(self.url, timeout=5).close()
        except urllib.error.HTTPError as error:  # it takes no GET, but says so
            error.close()
            return True
        except OSError:
            return False
        return True

    def worker(self) -> int:
        """Return the ID of the process that serves; the other is gunicorn's master."""
        (worker,) = [process for process in self.processes() if process != self.process.pid]
        return worker

    def send(self, image: storage.Blob) -> int:
        """Deliver the event of this generation once. Return the status, or 0 if the connection broke."""
        try:
            return post_event(self.url, *binary_event(description(image)))
        except OSError:
            return 0

    def deliver(self, image: storage.Blob, refused: Callable[[], None] = lambda: None) -> list[int]:
        """Deliver an event as Eventarc does, until it is acknowledged; return all statuses. `refused` follows each one.

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
    """Yield a server that is ready, and that leaves no process behind."""
    server = UploadServer(folder, storage_url, source, **settings)
    try:
        server.wait_until(server.answers, READY_SECONDS)
        yield server
    finally:
        server.kill()


def acknowledged(status: int) -> bool:
    """Return whether Eventarc takes the event as done."""
    return 200 <= status < 300


def photo(number: int, width: int = 160) -> bytes:
    """Return a JPEG file like no other number's, 4:3."""
    return encode(_drawn(width), "JPEG", quality=95, comment=f"photo {number}")


@cache
def _drawn(width: int) -> Image.Image:
    return draw_flower(width, width * 3 // 4)


def check_result(image: storage.Blob, data: bytes, schema: str = RESULT_SCHEMA) -> None:
    """Fail unless this generation of an image has its document beside it: complete, by its schema, of these bytes."""
    document = result_of(image)
    assert document["schema"] == schema
    found = document["image"]
    assert (found["bytes"], found["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
