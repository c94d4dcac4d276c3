"""Measures one instance on this machine: seconds of CPU an image, start-up, rate and latency by number of clients.

python -m tests.bench.scale.single_machine     # writes single_machine.json; two cores and a quiet machine are needed

The server is held to the first processor, as an instance with one vCPU would be; clients and storage have the others.
"""

import http.client
import json
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.bench.photos_by_size import SIZES, Size, photos
from tests.emulated_cloud import EmulatedStorage, binary_event, description
from tests.server_process import ServerProcess, answers, framework, free_port, processor_seconds, surroundings

OUT = Path(__file__).with_name("single_machine.json")
_THREADS = 8
_CLIENTS = (1, 4, 8, 16)
_SECONDS = 12.0
_EVENTS = 240
_STARTS = 5


def _mix(files: dict[Size, list[bytes]], count: int, seed: int) -> list[bytes]:
    draw = random.Random(seed)  # noqa: S311  # the same in each run
    sizes = draw.choices(list(files), [size.share for size in files], k=count)
    return [draw.choice(files[size]) for size in sizes]


@contextmanager
def _serving(target: str, **variables: str) -> Iterator[tuple[int, ServerProcess, float]]:
    """A server on the first processor: its port, itself, and when it was started."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, {0})  # inherited by what is started
        started = time.perf_counter()
        server = ServerProcess(
            framework(target, port), Path(folder) / "log", surroundings(THREADS=str(_THREADS), **variables)
        )
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)))
        try:
            server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health") or target != "classify_http", 60)
            yield port, server, started
        finally:
            server.kill()


def _post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(f"the function answered {response.status}: {answer[:300]!r}")


def _clients(port: int, count: int, work: Callable[[int], Iterator[tuple[bytes, dict[str, str]]]]) -> list[float]:
    """Each client sends its `work` one after the other; the seconds that each request took."""
    took: list[float] = []

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body, headers in work(number):
            begun = time.perf_counter()
            _post(connection, body, headers)
            took.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def _until(deadline: float, files: dict[Size, list[bytes]], seed: int) -> Iterator[tuple[bytes, dict[str, str]]]:
    for body in _mix(files, 100_000, seed):
        if time.perf_counter() > deadline:
            return
        yield body, {}


def _starts(photo: bytes) -> list[float]:
    """Seconds from the process's start to its first answered classification."""
    seconds = []
    for _ in range(_STARTS):
        with _serving("classify_http") as (port, _, started):
            _clients(port, 1, lambda _: iter([(photo, {})]))
            seconds.append(time.perf_counter() - started)
    return seconds


def _http(files: dict[Size, list[bytes]]) -> dict[str, Any]:
    with _serving("classify_http") as (port, server, _):
        cpu_seconds = {}
        for size, photos_ in files.items():
            work = [(photo, dict[str, str]()) for photo in photos_]
            _clients(port, 1, lambda _: iter(work * 7))  # noqa: B023  # warm
            before = processor_seconds(server.processes())
            _clients(port, 1, lambda _: iter(work * 33))  # noqa: B023
            cpu_seconds[size.name] = (processor_seconds(server.processes()) - before) / (33 * len(work))
        by_clients = []
        for count in _CLIENTS:
            before, begun = processor_seconds(server.processes()), time.perf_counter()
            deadline = begun + _SECONDS
            took = _clients(port, count, lambda number: _until(deadline, files, number))  # noqa: B023
            seconds = time.perf_counter() - begun
            p50, p95, p99 = np.percentile(took, [50, 95, 99]).tolist()
            by_clients.append(
                {
                    "clients": count,
                    "rate": len(took) / seconds,
                    "mean": statistics.fmean(took),
                    "p50": p50,
                    "p95": p95,
                    "p99": p99,
                    "cpu_seconds": (processor_seconds(server.processes()) - before) / len(took),
                }
            )
    return {"cpu_seconds": cpu_seconds, "by_clients": by_clients}


def _upload(files: dict[Size, list[bytes]]) -> dict[str, Any]:
    """An event's CPU seconds in the function, storage's own not counted, and bytes of its log lines and of itself.

    For photos, and for the results that the function itself writes, whose events it skips.
    """
    with EmulatedStorage() as emulated:
        client = storage.Client("bench", AnonymousCredentials())  # type: ignore[no-untyped-call]
        bucket = client.create_bucket("garden")
        events: dict[str, list[tuple[bytes, dict[str, str]]]] = {"photo": [], "result": []}
        for number, photo in enumerate(_mix(files, _EVENTS, 0)):
            blob = bucket.blob(f"{number}.jpg")
            blob.upload_from_string(photo, "image/jpeg")
            headers, body = binary_event(description(blob))
            events["photo"].append((body, headers))
        surrounding = {"STORAGE_EMULATOR_HOST": emulated.url, "GOOGLE_CLOUD_PROJECT": "bench"}
        found: dict[str, Any] = {}
        with _serving("classify_upload", **surrounding) as (port, server, _):
            time.sleep(3)  # it answers no GET that would say when it is up
            for kind, work in events.items():
                _clients(port, 1, lambda _: iter(work[:20]))  # noqa: B023  # warm
                before, logged = processor_seconds(server.processes()), len(server.log.encode())
                begun = time.perf_counter()
                _clients(port, _THREADS, lambda number: iter(work[20 + number :: _THREADS]))  # noqa: B023
                seconds, count = time.perf_counter() - begun, _EVENTS - 20
                found[kind] = {
                    "cpu_seconds": (processor_seconds(server.processes()) - before) / count,
                    "rate": count / seconds,
                    "log_bytes": (len(server.log.encode()) - logged) / count,
                    "event_bytes": statistics.fmean(
                        len(body) + sum(len(name) + len(value) for name, value in headers.items())
                        for body, headers in work
                    ),
                }
                if kind == "photo":
                    for number in range(_EVENTS):
                        blob = bucket.get_blob(f"{number}.jpg.json")
                        headers, body = binary_event(description(blob))
                        events["result"].append((body, headers))
                    found["result_bytes"] = blob.size
        return found


def main() -> None:
    """Measures and writes the record."""
    files = photos()
    record = {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "threads": _THREADS,
        "shares": {size.name: size.share / 100 for size in files},
        "bytes": {size.name: round(statistics.fmean(map(len, found))) for size, found in files.items()},
        "start_seconds": statistics.median(_starts(files[SIZES[0]][0])),
        "http": _http(files),
        "upload": _upload(files),
    }
    OUT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
