"""The backfill of a bucket of many images, beside what the machine can do at most: `make bench-backfill`.

Its images are crops of the data set's photographs; one in a hundred is damaged. The bucket is fake-gcs-server on this
machine, so that it takes its part of the processors: its seconds are told apart.
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
from tests.support.paths import MAIN
from tests.support.server_process import ServerProcess, processor_seconds, surroundings
from tests.support.upload_server import UploadServer, acknowledged, serving

PROGRAM = (sys.executable, "-m", "backfill")


def crops(photos: list[Path], number: int) -> bytes:
    """A crop like no other number's; of each hundred one is cut off."""
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
    """Uploads that many images into twenty folders."""

    def upload(number: int) -> None:
        bucket.blob(f"2025/{number % 20:02}/{number}.jpg").upload_from_string(crops(photos, number), "image/jpeg")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upload, range(images)))


def ended_seconds() -> float:
    """What all programs that this one started have used of the processors, once they have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Run:
    """A run of the program, its memory watched; `started` and the times are of the clock `time.monotonic`."""

    def __init__(self, pattern: str, workers: int, folder: Path, url: str) -> None:
        command = [*PROGRAM, "--input", pattern, "--direct_num_workers", str(workers)]
        self.started = time.monotonic()
        self.process = ServerProcess(
            command,
            folder / f"run-{time.monotonic_ns()}.log",
            surroundings(STORAGE_EMULATOR_HOST=url, PYTHONPATH=str(MAIN.parent)),
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
        """Waits for the end; the seconds that it took."""
        self.process.process.wait()
        seconds = time.monotonic() - self.started
        self._thread.join()
        return seconds

    @property
    def megabytes(self) -> int:
        """The largest process's peak."""
        return max(self.peaks.values()) // 1024


def clear_results(bucket: storage.Bucket) -> None:
    """Deletes all results."""
    found = [blob for blob in bucket.list_blobs() if blob.name.endswith(".json")]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda blob: blob.delete(), found))


def results(bucket: storage.Bucket) -> dict[str, storage.Blob]:
    """All results by name."""
    return {blob.name: blob for blob in bucket.list_blobs() if blob.name.endswith(".json")}


def check(bucket: storage.Bucket) -> dict[str, int]:
    """How many images have exactly their own right result; fails for one that has not."""
    blobs = {blob.name: blob for blob in bucket.list_blobs()}
    counts = {"results": 0, "errors": 0}
    images = [blob for name, blob in blobs.items() if not name.endswith(".json")]
    assert len(blobs) == 2 * len(images), f"{len(images)} images, {len(blobs) - len(images)} results"
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
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.backfill", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/flowers102"), help="photographs in class folders")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="whose speed is measured")
    parser.add_argument("--speed-only", action="store_true", help="leave out the kill and the uploads")
    arguments = parser.parse_args()
    photos = sorted(arguments.data.glob("*/*/*.jpg"))
    images, pattern = arguments.images, "gs://garden/2025/**"
    sample = [data for number in range(1, 400) if number % 100 for data in (crops(photos, number),)]
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a disk would slow the bucket down
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
                f"{workers} workers: {images / seconds:.0f} images a second over all, {steady:.0f} without the "
                f"{idle:.1f} s of a run that has nothing to do; in-process limit {most:.0f} ({steady / most:.0%}); "
                f"milliseconds of processor an image: {1000 * used / images:.2f} of the program's, "
                f"{alone:.2f} at the limit, {served:.2f} of the bucket's; at most {run.megabytes} MB a process; "
                f"{check(bucket)}",
                flush=True,
            )
        if not arguments.speed_only:
            clear_results(bucket)
            killed(bucket, pattern, images, folder, server)
            clear_results(bucket)
            uploads(bucket, photos, images, pattern, folder, server)


def killed(bucket: storage.Bucket, pattern: str, images: int, folder: Path, server: EmulatedStorage) -> None:
    """kill -9 of all processes half way, and another run."""
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
        f"killed after {len(first)} of {images}; the next run took {seconds:.0f} s for {images - len(first)}, "
        f"wrote {rewritten} results a second time; {check(bucket)}\n{again.process.log.splitlines()[0]}",
        flush=True,
    )


def uploads(
    bucket: storage.Bucket, photos: list[Path], images: int, pattern: str, folder: Path, server: EmulatedStorage
) -> None:
    """A run while new photos and newer ones of old names are uploaded, with their events."""
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
        f"with {sent} uploads meanwhile: {seconds:.0f} s; afterwards {check(bucket)}\n"
        f"{run.process.log}\nthe run after it:\n{last.process.log}"
    )


def upload(bucket: storage.Bucket, photos: list[Path], images: int, number: int, function: UploadServer) -> None:
    """One more photo, or in every third case a newer one of an old name, and its event."""
    name = f"2025/new/{number}.jpg" if number % 3 else f"2025/{number % 20:02}/{number}.jpg"
    blob = bucket.blob(name)
    blob.upload_from_string(crops(photos, images + number), "image/jpeg")
    assert acknowledged(function.deliver(blob)[-1])


if __name__ == "__main__":
    main()
