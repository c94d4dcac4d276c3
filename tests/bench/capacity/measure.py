"""Measure what a photo costs: a real server held to a share of the CPU, with as many clients as it has slots.

python -m tests.bench.capacity.measure     # writes measured.json in 10 minutes, on a quiet machine
"""

import base64
import http.client
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from PIL import Image

from tests.bench.capacity.assumptions import HERE, MAX_IMAGE_BYTES
from tests.bench.local_server import PeakMemory, serving
from tests.bench.machine import machine
from tests.bench.photos import Size, photos
from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.server_process import processor_seconds
from tests.support.upload_server import UploadServer
from tests.support.upload_server import serving as serving_uploads

FILE = HERE / "measured.json"
# (cpu, concurrency). Below one CPU, Cloud Run allows one request at a time.
INSTANCES = ((0.5, 1), (1, 1), (1, 4), (1, 8), (1, 16), (2, 1), (2, 4), (2, 8), (2, 16))
SIZES = (Size("500 px", 500, 375, 1), Size("3 megapixels", 2000, 1500, 1), Size("12 megapixels", 4000, 3000, 1))
# The default of PIXEL_BUDGET.
MAX_PIXELS = 52_000_000
_STARTS = 3
_SECONDS = 4.0
_UPLOADS = 240
_TIMEOUT_SECONDS = 300.0

Request = tuple[str, bytes]
Answer = tuple[int, float]


def heaviest() -> list[Request]:
    """Return the requests that take the most memory: most pixels (WebP, floats) and most bytes (raw, in JSON)."""
    side = math.isqrt(MAX_PIXELS)
    large = draw_flower().resize((side, side), Image.Resampling.NEAREST)
    floats = Image.fromarray(np.asarray(large.convert("L")).astype(np.float32))
    # Cloud Run limits a request to 32 MiB. Base64 needs a quarter of it.
    content = base64.b64encode(_noise(MAX_IMAGE_BYTES * 3 // 4 - 1024)).decode()
    return [
        ("image/webp", encode(large, "WEBP", quality=30, method=0)),
        ("image/tiff", encode(floats, "TIFF", compression="tiff_adobe_deflate")),
        ("image/png", _noise(MAX_IMAGE_BYTES)),
        ("application/json", json.dumps({"image": {"content": content}}).encode()),
    ]


def _noise(size: int) -> bytes:
    """Return an incompressible PNG file of slightly less than `size` bytes."""
    side = math.isqrt(size // 3 - size // 100)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return encode(Image.fromarray(pixels), "PNG", compress_level=0)


def _ask(url: str, requests: Sequence[Request], wanted: Callable[[int], bool], clients: int = 1) -> list[Answer]:
    """Send each client's requests in turn, while `wanted(number of its answers)`. Return statuses and seconds."""

    def ask(client: int) -> list[Answer]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_SECONDS)
        answers: list[Answer] = []
        while wanted(len(answers)):
            kind, body = requests[(client + len(answers)) % len(requests)]
            started = time.perf_counter()
            connection.request("POST", "/", body, {"Content-Type": kind})
            response = connection.getresponse()
            response.read()
            answers.append((response.status, time.perf_counter() - started))
        connection.close()
        return answers

    with ThreadPoolExecutor(clients) as threads:
        return list(chain.from_iterable(threads.map(ask, range(clients))))


def _within(seconds: float) -> Callable[[int], bool]:
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() < end


def _measure_photos(url: str, processes: Sequence[int], clients: int, files: Sequence[bytes]) -> dict[str, Any]:
    """Return what photos of one size take when `clients` ask without a pause."""
    requests = [("image/jpeg", data) for data in files]
    with PeakMemory(processes) as peak:
        cpu, started = processor_seconds(processes), time.perf_counter()
        answers = _ask(url, requests, _within(_SECONDS), clients)
        wall, cpu = time.perf_counter() - started, processor_seconds(processes) - cpu
    if refused := [status for status, _ in answers if status != http.HTTPStatus.OK]:
        raise RuntimeError(f"the function answered {refused[:3]} to {len(refused)} of {len(answers)} photos")
    return {
        "bytes": round(statistics.mean(map(len, files))),
        "per_second": round(len(answers) / wall, 1),
        "cpu_seconds": round(cpu / len(answers), 5),
        "p95_seconds": round(float(np.percentile([seconds for _, seconds in answers], 95)), 4),
        "peak_mib": round(peak.mib),
    }


def measure_instance(cpu: float, concurrency: int) -> dict[str, Any]:
    """Return what one instance size does: its cold start, photos by megapixels, and the heaviest requests."""
    files, heavy = photos(SIZES), heaviest()
    small = [("image/jpeg", data) for data in files[SIZES[0]]]
    rounds = len(heavy) if concurrency == 1 else 2
    starts = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(_STARTS):
            started = time.perf_counter()
            with serving(Path(folder) / "log", concurrency, cpu) as (url, server):
                _ask(url, small, lambda done: done < 1)
                starts.append(time.perf_counter() - started)
                if start < _STARTS - 1:
                    continue
                processes = server.processes()
                _ask(url, small, _within(1.0))
                found = {
                    f"{size.width * size.height / 1e6:g}": _measure_photos(url, processes, concurrency, data)
                    for size, data in files.items()
                }
                with PeakMemory(processes) as peak:
                    answers = _ask(url, heavy, lambda done: done < rounds, concurrency)
    return {
        "cpu": cpu,
        "concurrency": concurrency,
        "cold_start_seconds": round(statistics.median(starts), 2),
        "photos": found,
        "heaviest": {"seconds": round(max(seconds for _, seconds in answers), 1), "peak_mib": round(peak.mib)},
    }


def measure_uploads(http_cpu_seconds: float) -> dict[str, Any]:
    """Return what an upload's event takes beyond the same photo over HTTP, and what a skipped event takes."""
    files = photos(SIZES[:1])[SIZES[0]]
    with tempfile.TemporaryDirectory() as folder, EmulatedStorage() as emulated:
        client = storage.Client("bench", AnonymousCredentials())  # type: ignore[no-untyped-call]
        bucket = client.create_bucket("garden")
        images = [bucket.blob(f"{number}.jpg") for number in range(_UPLOADS)]
        for number, image in enumerate(images):
            image.upload_from_string(files[number % len(files)], "image/jpeg")
        with serving_uploads(Path(folder), emulated.url) as server:
            image_cpu, image_log = _deliver(server, images)
            results = [bucket.get_blob(f"{image.name}.json") for image in images]
            skipped_cpu, skipped_log = _deliver(server, results)
    return {
        "added_cpu_seconds": round(image_cpu - http_cpu_seconds, 5),
        "skipped_cpu_seconds": round(skipped_cpu, 5),
        "log_bytes": round(image_log),
        "skipped_log_bytes": round(skipped_log),
        "result_bytes": results[-1].size,
    }


def _deliver(server: UploadServer, objects: Sequence[storage.Blob]) -> tuple[float, float]:
    """Deliver the objects' events in turn. Return the CPU seconds and log bytes of one, after a warm-up."""
    warm_up = len(objects) // 10
    for number, each in enumerate(objects):
        if number == warm_up:
            cpu, logged = processor_seconds(server.processes()), len(server.log.encode())
        server.deliver(each)
    count = len(objects) - warm_up
    used = processor_seconds(server.processes()) - cpu
    return used / count, (len(server.log.encode()) - logged) / count


def main() -> None:
    """Measure everything and write measured.json."""
    found = []
    for cpu, concurrency in INSTANCES:
        found.append(measure_instance(cpu, concurrency))
        print(json.dumps(found[-1]), flush=True)
    usual = next(each for each in found if (each["cpu"], each["concurrency"]) == (1, 8))
    uploads = measure_uploads(usual["photos"]["0.1875"]["cpu_seconds"])
    packages = ("functions-framework", "gunicorn", "numpy", "onnxruntime", "pillow")
    document = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": {name: version(name) for name in packages},
        "instances": found,
        "upload": uploads,
    }
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
