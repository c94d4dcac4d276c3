"""Measure the backfill of a bucket, and the most that the machine classifies without one: `make bench-backfill`.

The images are crops of the data set's photographs. One in a hundred is damaged. The bucket is fake-gcs-server on this
machine. It shares the CPU, so its CPU time is reported separately.
"""

import argparse
import io
import json
import random
import re
import resource
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from google.cloud import storage
from PIL import Image

from tests.bench.backfill.limit import limit
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.paths import FLOWERS102, MAIN
from tests.support.server_process import ServerProcess, clean_environment, processor_seconds
from tests.support.upload_server import UploadServer, acknowledged, serving

PROGRAM = (sys.executable, "-m", "backfill")


def crops(photos: list[Path], number: int) -> bytes:
    """Return a crop that no other number has. One in a hundred is truncated."""
    chance = random.Random(number)  # noqa: S311  # chance, not secrecy
    with Image.open(photos[number % len(photos)]) as photo:
        share = chance.uniform(0.8, 1)
        width, height = int(photo.width * share), int(photo.height * share)
        left, top = chance.randrange(photo.width - width + 1), chance.randrange(photo.height - height + 1)
        file = io.BytesIO()
        photo.crop((left, top, left + width, top + height)).save(file, "JPEG", quality=87)
    data = file.getvalue()
    return data[: len(data) // 3] if number % 100 == 0 else data


def fill(bucket: storage.Bucket, photos: list[Path], images: int) -> None:
    """Upload that many images into twenty folders."""

    def upload(number: int) -> None:
        bucket.blob(f"2025/{number % 20:02}/{number}.jpg").upload_from_string(crops(photos, number), "image/jpeg")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upload, range(images)))


def ended_seconds() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Run:
    """Run the program and watch its memory."""

    def __init__(self, pattern: str, workers: int, folder: Path, url: str) -> None:
        command = [*PROGRAM, "--input", pattern, "--direct_num_workers", str(workers)]
        self.started = time.monotonic()
        self.process = ServerProcess(
            command,
            folder / f"run-{time.monotonic_ns()}.log",
            clean_environment(STORAGE_EMULATOR_HOST=url, PYTHONPATH=str(MAIN.parent)),
        )
        self.peaks: dict[int, int] = {}
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while self.process.process.poll() is None:
            for process in self.process.processes():
                try:
                    status = Path(f"/proc/{process}/status").read_text()
                except OSError:
                    continue
                if found := re.search(r"VmHWM:\s+(\d+)", status):
                    self.peaks[process] = max(self.peaks.get(process, 0), int(found[1]))
            time.sleep(0.5)

    def end(self) -> float:
        """Wait for the end. Return the seconds that the run took."""
        self.process.process.wait()
        seconds = time.monotonic() - self.started
        self._thread.join()
        return seconds

    @property
    def megabytes(self) -> int:
        """Return the peak memory of the largest process."""
        return max(self.peaks.values()) // 1024


def clear_results(bucket: storage.Bucket) -> None:
    """Delete all results."""
    found = [blob for blob in bucket.list_blobs() if blob.name.endswith(".json")]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda blob: blob.delete(), found))


def results(bucket: storage.Bucket) -> dict[str, storage.Blob]:
    """Return all results by name."""
    return {blob.name: blob for blob in bucket.list_blobs() if blob.name.endswith(".json")}


def check(bucket: storage.Bucket) -> dict[str, int]:
    """Count the images by kind of result. Fail if an image has not exactly its own result."""
    blobs = {blob.name: blob for blob in bucket.list_blobs()}
    counts = {"results": 0, "errors": 0}
    images = [blob for name, blob in blobs.items() if not name.endswith(".json")]
    assert len(blobs) == 2 * len(images), f"{len(images)} images have {len(blobs) - len(images)} results"
    for image in images:
        mark = blobs[f"{image.name}.json"].metadata
        assert mark["source-generation"] == str(image.generation), image.name
        counts["results" if mark["result-schema"] == "flowers.result/v1" else "errors"] += 1
    for image in random.Random(1).sample(images, min(200, len(images))):  # noqa: S311
        document = json.loads(blobs[f"{image.name}.json"].download_as_bytes())
        assert document["image"]["uri"] == f"gs://{bucket.name}/{image.name}"
        assert document["image"]["bytes"] == image.size
    return counts


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.backfill", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=FLOWERS102, help="photographs in class folders")
    parser.add_argument("--images", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="numbers of workers to measure")
    parser.add_argument("--speed-only", action="store_true", help="skip the kill and the uploads")
    arguments = parser.parse_args()
    photos = sorted(arguments.data.glob("*/*/*.jpg"))
    images, pattern = arguments.images, "gs://garden/2025/**"
    sample = [data for number in range(1, 400) if number % 100 for data in (crops(photos, number),)]
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a disk would slow the bucket
    with tempfile.TemporaryDirectory(dir=place) as scratch, EmulatedStorage(folder=Path(scratch)) as server:
        folder = Path(tempfile.mkdtemp())
        bucket = storage.Client().create_bucket("garden")
        fill(bucket, photos, images)
        for workers in arguments.workers:
            most = limit(sample, workers)
            clear_results(bucket)
            before, ended = processor_seconds([server.pid]), ended_seconds()
            run = Run(pattern, workers, folder, server.url)
            seconds = run.end()
            served = 1000 * (processor_seconds([server.pid]) - before) / images
            used, ended = ended_seconds() - ended, ended_seconds()
            idle = Run(pattern, workers, folder, server.url).end()
            used -= ended_seconds() - ended
            steady, alone = images / (seconds - idle), 1000 * workers / most
            print(
                f"{workers} workers: {images / seconds:.0f} images per second; {steady:.0f} without the {idle:.1f} s "
                f"of a run with nothing to do, {steady / most:.0%} of the {most:.0f} without a bucket. CPU ms: "
                f"{1000 * used / images:.2f} of the program, {served:.2f} of the bucket, {alone:.2f} without a bucket. "
                f"Peak memory of a process: {run.megabytes} MB. {check(bucket)}",
                flush=True,
            )
        if not arguments.speed_only:
            clear_results(bucket)
            killed(bucket, pattern, images, folder, server)
            clear_results(bucket)
            uploads(bucket, photos, images, pattern, folder, server)


def killed(bucket: storage.Bucket, pattern: str, images: int, folder: Path, server: EmulatedStorage) -> None:
    """Kill all processes half way, then run again."""
    run = Run(pattern, 2, folder, server.url)
    while sum(1 for _ in bucket.list_blobs(fields="items(name),nextPageToken")) < images * 1.5:
        time.sleep(0.5)
    run.process.kill()
    run.end()
    first = results(bucket)
    again = Run(pattern, 2, folder, server.url)
    seconds = again.end()
    second = results(bucket)
    rewritten = sum(1 for name, blob in first.items() if second[name].generation != blob.generation)
    print(
        f"killed after {len(first)} of {images} images; the next run took {seconds:.0f} s for the other "
        f"{images - len(first)} and rewrote {rewritten} results. {check(bucket)}\n{again.process.log.splitlines()[0]}",
        flush=True,
    )


def uploads(
    bucket: storage.Bucket, photos: list[Path], images: int, pattern: str, folder: Path, server: EmulatedStorage
) -> None:
    """Run while new photos, and new generations of old ones, are uploaded with their events."""
    with serving(folder, server.url) as function:
        run = Run(pattern, 2, folder, server.url)
        sent = 0
        while run.process.process.poll() is None:
            upload(bucket, photos, images, sent, function)
            sent += 1
        seconds = run.end()
    last = Run(pattern, 2, folder, server.url)
    last.end()
    print(
        f"with {sent} uploads at the same time: {seconds:.0f} s. Afterwards: {check(bucket)}\n"
        f"{run.process.log}\nThe run after it:\n{last.process.log}"
    )


def upload(bucket: storage.Bucket, photos: list[Path], images: int, number: int, function: UploadServer) -> None:
    """Upload a new photo, or in every third call a new generation of an old one, and deliver its event."""
    name = f"2025/new/{number}.jpg" if number % 3 else f"2025/{number % 20:02}/{number}.jpg"
    blob = bucket.blob(name)
    blob.upload_from_string(crops(photos, images + number), "image/jpeg")
    assert acknowledged(function.deliver(blob)[-1])


if __name__ == "__main__":
    main()
