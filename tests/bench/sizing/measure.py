"""Measures what a photo costs: a real server, held to a share of the processor, asked by as many clients as it takes.

The measurements of tests/bench/sizing/sizing.json, which `make sizing` goes by, and `make sizing MEASURE=1` makes anew.
"""

import http.client
import json
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from tests.bench.local_server import memory_mib, serving
from tests.bench.sizing.photos import Request, heaviest, ordinary

FILE = Path(__file__).with_name("sizing.json")
# (cpu, concurrency); Cloud Run gives less than one processor to one request at a time only.
SETTINGS = ((0.5, 1), (1, 1), (1, 4), (1, 8), (1, 16), (2, 1), (2, 4), (2, 8), (2, 16))
_STARTS = 3
_SECONDS = 4.0
_ROUNDS = 2  # of a client with the heaviest requests; a single client sends each of them
_TIMEOUT_SECONDS = 300.0
_SAMPLE_SECONDS = 0.05


class _PeakMemory:
    """The most memory of some processes while the block runs, MiB, looked at twenty times a second."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self._processes, self._end, self.mib = processes, Event(), 0.0

    def __enter__(self) -> "_PeakMemory":
        self._thread = Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            self.mib = max(self.mib, memory_mib(self._processes))


def _ask(connection: http.client.HTTPConnection, request: Request) -> tuple[int, float]:
    """The status of an answer and the seconds until all of it was there."""
    kind, body = request
    started = time.perf_counter()
    connection.request("POST", "/", body, {"Content-Type": kind})
    response = connection.getresponse()
    response.read()
    return response.status, time.perf_counter() - started


def _ask_until(url: str, requests: Sequence[Request], first: int, seconds: float) -> list[tuple[int, float]]:
    """One client's answers: one request after the other until the time is up."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_SECONDS)
    answers: list[tuple[int, float]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answers.append(_ask(connection, requests[(first + len(answers)) % len(requests)]))
    connection.close()
    return answers


def _ask_rounds(url: str, requests: Sequence[Request], first: int, rounds: int) -> list[tuple[int, float]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_SECONDS)
    answers = [_ask(connection, requests[(first + round_) % len(requests)]) for round_ in range(rounds)]
    connection.close()
    return answers


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    seconds = 0.0
    for process in processes:
        times = process.cpu_times()
        seconds += times.user + times.system
    return seconds


def _measure_photos(url: str, processes: list[psutil.Process], clients: int, requests: list[Request]) -> dict[str, Any]:
    """What photos of one size take with `clients` asking without a pause."""
    with _PeakMemory(processes) as peak, ThreadPoolExecutor(clients) as threads:
        cpu, started = _cpu_seconds(processes), time.perf_counter()
        per_client = threads.map(lambda client: _ask_until(url, requests, client, _SECONDS), range(clients))
        answers = [answer for answers in per_client for answer in answers]
        wall, cpu = time.perf_counter() - started, _cpu_seconds(processes) - cpu
    assert {status for status, _ in answers} == {200}, Counter(status for status, _ in answers)
    p50, p95 = np.percentile([seconds for _, seconds in answers], [50, 95])
    return {
        "bytes": round(statistics.mean(len(body) for _, body in requests)),
        "images": len(answers),
        "per_second": round(len(answers) / wall, 1),
        "cpu_seconds": round(cpu / len(answers), 5),
        "p50_seconds": round(float(p50), 4),
        "p95_seconds": round(float(p95), 4),
        "peak_mib": round(peak.mib),
    }


def measure(cpu: float, concurrency: int) -> dict[str, Any]:
    """What one setting does: seconds of a cold start, MiB at rest, photos by megapixels, and the heaviest requests."""
    photos, heavy = ordinary(), heaviest()
    small, rounds = min(photos), len(heavy) if concurrency == 1 else _ROUNDS
    starts = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(_STARTS):
            started = time.perf_counter()
            with serving(Path(folder) / "log", concurrency, cpu) as (url, server):
                _ask_until(url, photos[small], 0, 0.001)
                starts.append(time.perf_counter() - started)
                if start < _STARTS - 1:
                    continue
                processes = [psutil.Process(process) for process in server.processes()]
                rest = memory_mib(processes)
                _ask_until(url, photos[small], 0, 1.0)
                found = {
                    f"{megapixels:g}": _measure_photos(url, processes, concurrency, requests)
                    for megapixels, requests in photos.items()
                }
                with _PeakMemory(processes) as peak, ThreadPoolExecutor(concurrency) as threads:
                    per_client = threads.map(lambda client: _ask_rounds(url, heavy, client, rounds), range(concurrency))
                    answers = [answer for answers in per_client for answer in answers]
    return {
        "cpu": cpu,
        "concurrency": concurrency,
        "cold_start_seconds": round(statistics.median(starts), 2),
        "rest_mib": round(rest),
        "photos": found,
        "heaviest": {
            "seconds": round(max(seconds for _, seconds in answers), 1),
            "peak_mib": round(peak.mib),
            "statuses": {str(status): count for status, count in Counter(status for status, _ in answers).items()},
        },
    }


def machine() -> dict[str, Any]:
    """When and where the measurements were made, and with what."""
    processor = platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    packages = ("functions-framework", "gunicorn", "numpy", "onnxruntime", "pillow")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{processor}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def measure_all(settings: Sequence[tuple[float, int]] = SETTINGS) -> None:
    """Measures the settings one after the other and writes each into the file, in place of what stood there of it."""
    for cpu, concurrency in settings:
        found = measure(cpu, concurrency)
        print(json.dumps(found), flush=True)
        kept: list[dict[str, Any]] = json.loads(FILE.read_text())["settings"] if FILE.exists() else []
        kept = [old for old in kept if (old["cpu"], old["concurrency"]) != (cpu, concurrency)]
        document = {
            **machine(),
            "settings": sorted([*kept, found], key=lambda each: (each["cpu"], each["concurrency"])),
        }
        FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
