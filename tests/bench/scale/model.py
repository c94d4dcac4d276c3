"""What so many images a day ask of the services around the function, and what they cost: arithmetic and assumptions.

Measurements are those of single_machine.json, prices those of prices.json. What is neither stands here with its reason.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.scale.autoscaler import TARGET
from tests.bench.scale.service import Kind, Service

HERE = Path(__file__).parent
MEASURED: Mapping[str, Any] = json.loads((HERE / "single_machine.json").read_text(encoding="utf-8"))
PRICES: Mapping[str, float] = {
    name: price[0]
    for name, price in json.loads((HERE.parent / "prices.json").read_text(encoding="utf-8"))["prices"].items()
}
DAY_SECONDS = 86_400.0
# The busiest hours' rate over the day's average; and a burst, one in a hundred of the day's images within a minute.
PEAK = 3.0
BURST_SHARE, BURST_SECONDS = 0.01, 60.0

# Assumed, since neither can be measured without the cloud: a call to Cloud Storage from its own region; what Cloud Run
# takes to place and start a container before the process in it starts; how fast a caller's photo arrives.
STORAGE_CALL_SECONDS = 0.05
PLACING_SECONDS = 1.0
UPLINK_BITS = 20e6
# Of an image: its result is looked up, it is read, its result is written (function/flowers/upload.py).
STORAGE_CALLS = 3
# An event as Pub/Sub counts it, with an object's full description (more than fake-gcs-server's 0.5 kB), and a log entry
# beside its text; Cloud Run writes one of its own for each request. Assumed.
EVENT_BYTES = 2_000
ENTRY_BYTES, REQUEST_ENTRY_BYTES = 500, 1_000
# https://cloud.google.com/stackdriver/pricing and https://cloud.google.com/pubsub/pricing, dollars, as read on
# 2026-11-23 from stored copies of September 2026; free amounts are left out.
LOG_GIB, BIGQUERY_TIB = 0.50, 50.0
# https://cloud.google.com/dataflow/pricing (us-central1) as in Apache Beam's dataflow_cost_consts.py: an hour of a vCPU
# and of a GB in a batch job. A worker has 4 GB a vCPU, and is busy for nine tenths of the job.
DATAFLOW_CPU_HOUR, DATAFLOW_GB_HOUR, WORKER_GB, WORKER_BUSY = 0.056, 0.003557, 4.0, 0.9
# https://cloud.google.com/storage/docs/request-rate: a bucket's writes and reads a second at first; either may double
# every twenty minutes.
FIRST_WRITES, FIRST_READS, DOUBLING_MINUTES = 1_000.0, 5_000.0, 20.0
# https://docs.cloud.google.com/bigquery/quotas: files of an external table.
MOST_FILES = 10_000_000
LISTED_AT_ONCE = 1_000
_GIB, _TIB = 2**30, 2**40


@dataclass(frozen=True)
class Settings:
    """A deployment: `http` or `upload` as in infra/, and whether results go to a bucket that causes no events."""

    function: str
    cpu: int
    memory_gib: float
    concurrency: int
    max_instances: int
    separate_results: bool = False

    @property
    def service(self) -> Service:
        """The service to simulate."""
        start_seconds = MEASURED["start_seconds"] + PLACING_SECONDS
        return Service(self.cpu, self.concurrency, self.max_instances, start_seconds, retries=self.function == "upload")

    @property
    def requests(self) -> int:
        """Requests of the function an image: the event of a result beside it is another."""
        return 2 if self.function == "upload" and not self.separate_results else 1

    @property
    def kinds(self) -> list[Kind]:
        """What it is asked: photos by size, and the events of results."""
        seconds, shares = MEASURED["http"]["cpu_seconds"], MEASURED["shares"]
        if self.function == "http":
            return [Kind(shares[size], seconds[size], MEASURED["bytes"][size] * 8 / UPLINK_BITS) for size in shares]
        # What the storage client adds is the same for a photo of any size.
        added = MEASURED["upload"]["photo"]["cpu_seconds"] - sum(seconds[size] * shares[size] for size in shares)
        waiting = STORAGE_CALLS * STORAGE_CALL_SECONDS
        photos = [Kind(shares[size], seconds[size] + added, waiting) for size in shares]
        result = Kind(1.0, MEASURED["upload"]["result"]["cpu_seconds"], awaited=False)
        return photos if self.separate_results else [*photos, result]

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds an image, the event of its result included."""
        return sum(kind.share * kind.cpu_seconds for kind in self.kinds)

    @property
    def slot_seconds(self) -> float:
        """Seconds that an image holds a slot, where instances are used as far as the autoscaler wants."""
        return sum(kind.share * (kind.waiting_seconds + kind.cpu_seconds / (1 - TARGET)) for kind in self.kinds)

    @property
    def most_a_second(self) -> float:
        """Images a second that all instances together can serve, with all processors or all slots in use."""
        slots = (
            self.concurrency
            * self.max_instances
            / sum(kind.share * (kind.waiting_seconds + kind.cpu_seconds) for kind in self.kinds)
        )
        return min(self.cpu * self.max_instances / self.cpu_seconds, slots)

    def instances_for(self, rate: float) -> int:
        """Instances that the autoscaler wants for so many images a second."""
        by_processors = rate * self.cpu_seconds / self.cpu
        return math.ceil(max(by_processors, rate * self.slot_seconds / self.concurrency) / TARGET)


def ramp_minutes(rate: float, first: float) -> float:
    """Minutes in which a bucket that takes `first` requests a second may be led to `rate`."""
    return DOUBLING_MINUTES * math.log2(max(1.0, rate / first))


def log_bytes(settings: Settings) -> float:
    """Bytes of log entries an image (uploads)."""
    lines = MEASURED["upload"]["photo"]["log_bytes"]
    if settings.requests == 2:
        lines += MEASURED["upload"]["result"]["log_bytes"]
    return float(lines + settings.requests * (ENTRY_BYTES + REQUEST_ENTRY_BYTES))


def dollars_a_million(settings: Settings, billed_seconds: float) -> dict[str, float]:
    """Dollars for a million uploads, by item; `billed_seconds` of an instance an image. Free amounts are left out."""
    instance = settings.cpu * PRICES["request_cpu_second"] + settings.memory_gib * PRICES["request_gib_second"]
    return {
        "instances": 1e6 * billed_seconds * instance,
        "requests": settings.requests * PRICES["million_requests"],
        # The upload itself and the result are written, the result looked up, the image read.
        "storage": 1e3 * (2 * PRICES["thousand_class_a"] + 2 * PRICES["thousand_class_b"]),
        "events": 1e6 * settings.requests * 2 * EVENT_BYTES / _TIB * PRICES["event_tib"],  # published and delivered
        "logs": 1e6 * log_bytes(settings) / _GIB * LOG_GIB,
        "streaming": 1e6 * MEASURED["upload"]["result_bytes"] / _TIB * (PRICES["event_tib"] + BIGQUERY_TIB),
    }


@dataclass(frozen=True)
class Backfill:
    """A job over `images` on so many vCPUs: its hours, images a second, and dollars for workers and for storage."""

    images: float
    vcpus: int

    @property
    def rate(self) -> float:
        """Images a second."""
        return float(self.vcpus * WORKER_BUSY / MEASURED["upload"]["photo"]["cpu_seconds"])

    @property
    def hours(self) -> float:
        """From the first image to the last."""
        return self.images / self.rate / 3600

    @property
    def worker_dollars(self) -> float:
        """For vCPUs and memory; the same on few workers as on many."""
        return self.hours * self.vcpus * (DATAFLOW_CPU_HOUR + WORKER_GB * DATAFLOW_GB_HOUR)

    @property
    def storage_dollars(self) -> float:
        """Images and results are listed; an image is read and its result written."""
        writes = self.images + 2 * self.images / LISTED_AT_ONCE
        return (writes * PRICES["thousand_class_a"] + self.images * PRICES["thousand_class_b"]) / 1000

    @property
    def event_dollars(self) -> float:
        """For the events of results beside the images, which the upload function skips, and their log entries."""
        events = 2 * EVENT_BYTES / _TIB * PRICES["event_tib"] + PRICES["million_requests"] / 1e6
        logs = (MEASURED["upload"]["result"]["log_bytes"] + ENTRY_BYTES + REQUEST_ENTRY_BYTES) / _GIB * LOG_GIB
        return float(self.images * (events + logs))
