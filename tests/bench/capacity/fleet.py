"""Compute how many instances a workload needs, from the measurements of one instance."""

import json
import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any, Literal

from tests.bench.capacity import assumptions as assumed
from tests.bench.capacity.assumptions import Workload

Route = Literal["http", "upload"]
MEASURED: Mapping[str, Any] = json.loads((assumed.HERE / "measured.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Photo:
    """Hold the measured cost of one photo: CPU seconds, and the 95th percentile of seconds in a full instance."""

    megapixels: float
    bytes: float
    cpu_seconds: float
    p95_seconds: float


@dataclass(frozen=True)
class Instance:
    """Hold a measured instance size: its cold start, photos by size, and the heaviest requests."""

    cpu: float
    concurrency: int
    cold_start_seconds: float
    photos: tuple[Photo, ...]
    heaviest_seconds: float
    peak_mib: float

    def photo(self, megapixels: float) -> Photo:
        """Return a photo interpolated between the measured sizes. The smallest one stands for all smaller ones."""
        pairs = list(zip(self.photos, self.photos[1:], strict=False))
        lower, upper = next((pair for pair in reversed(pairs) if megapixels >= pair[0].megapixels), pairs[0])
        share = max(0.0, (megapixels - lower.megapixels) / (upper.megapixels - lower.megapixels))
        return Photo(*(low + share * (high - low) for low, high in zip(astuple(lower), astuple(upper), strict=True)))

    @property
    def memory_gib(self) -> float | None:
        """Return the least memory that holds the measured peak, or None if this CPU cannot have it."""
        largest = max(memory for cpu, memory in assumed.MAX_MEMORY_GIB if self.cpu >= cpu)
        sizes = [size for size in assumed.MEMORY_GIB if self.peak_mib <= 1024 * assumed.MEMORY_SHARE * size]
        return sizes[0] if sizes and sizes[0] <= largest else None


@dataclass(frozen=True)
class Work:
    """Hold the seconds that one photo occupies a slot of its instance, and its CPU seconds."""

    slot_seconds: float
    cpu_seconds: float


def measured_instances() -> list[Instance]:
    """Return every measured instance size."""
    names = ("bytes", "cpu_seconds", "p95_seconds")
    return [
        Instance(
            each["cpu"],
            each["concurrency"],
            each["cold_start_seconds"],
            tuple(Photo(float(size), *(found[name] for name in names)) for size, found in each["photos"].items()),
            each["heaviest"]["seconds"],
            each["heaviest"]["peak_mib"],
        )
        for each in MEASURED["instances"]
    ]


def work(route: Route, instance: Instance, workload: Workload) -> Work:
    """Return what one photo takes, including the skipped event of its result."""
    photo = instance.photo(workload.megapixels)
    if route == "http":
        waiting, cpu = photo.bytes * 8 / (workload.uplink_mbit * 1e6), photo.cpu_seconds
    else:
        upload = MEASURED["upload"]
        waiting = assumed.STORAGE_CALLS * assumed.STORAGE_CALL_SECONDS
        cpu = photo.cpu_seconds + upload["added_cpu_seconds"]
        cpu += 0 if workload.separate_results else upload["skipped_cpu_seconds"]
    return Work(waiting + cpu / min(1.0, instance.cpu), cpu)


def slots_for(busy: float, max_waiting: float = assumed.MAX_WAITING_SHARE) -> int:
    """Return the least slots that are all taken for at most `max_waiting` of the requests (Erlang B).

    `busy` is the average number of requests in progress.
    """
    slots, taken = 0, 1.0
    while taken > max_waiting:
        slots += 1
        taken = busy * taken / (slots + busy * taken)
    return slots


def instances_needed(rate: float, photo: Work, instance: Instance) -> int:
    """Return the fewest instances that serve `rate` photos per second."""
    by_cpu = math.ceil(rate * photo.cpu_seconds / (assumed.TARGET * instance.cpu))
    return max(by_cpu, math.ceil(slots_for(rate * photo.slot_seconds) / instance.concurrency))


def instances_started(rate: float, photo: Work, instance: Instance) -> int:
    """Return the instances that Cloud Run starts for `rate` photos per second."""
    by_slots = math.ceil(rate * photo.slot_seconds / (assumed.TARGET * instance.concurrency))
    return max(instances_needed(rate, photo, instance), by_slots)


def max_rate(count: int, photo: Work, instance: Instance) -> float:
    """Return the photos per second at which `count` instances have every CPU or every slot in use."""
    return count * min(instance.cpu / photo.cpu_seconds, instance.concurrency / photo.slot_seconds)


def billed_seconds(rate: float, photo: Work, instance: Instance) -> float:
    """Return the average instance seconds that are billed for one photo.

    A photo alone in its instance is billed its own time, rounded up. Photos that share one are billed the time in which
    any is present, for random arrivals. The autoscaler's targets set the lower limit.
    """
    alone = math.ceil(round(photo.slot_seconds / assumed.BILLED_STEP_SECONDS, 6)) * assumed.BILLED_STEP_SECONDS
    if instance.concurrency == 1:
        return alone
    shared = (1 - math.exp(-rate * alone)) / rate
    return max(
        shared,
        photo.cpu_seconds / (assumed.TARGET * instance.cpu),
        photo.slot_seconds / (assumed.TARGET * instance.concurrency),
    )


def timeout_seconds(route: Route, instance: Instance, workload: Workload) -> int:
    """Return a request's timeout: twice the slowest measured answer with a cold start, plus its longest wait.

    The wait is for the largest photo at the slowest uplink, or for Cloud Storage and free memory. Rounded up to 30 s.
    """
    if route == "http":
        wait = assumed.MAX_IMAGE_BYTES * 8 / (workload.uplink_mbit * assumed.SLOWEST_UPLINK * 1e6)
    else:
        wait = assumed.STORAGE_CALLS * assumed.LONGEST_CALL_SECONDS + assumed.BUDGET_WAIT_SECONDS
    slowest = assumed.PLACING_SECONDS + instance.cold_start_seconds + instance.heaviest_seconds
    return math.ceil((wait + 2 * slowest) / 30) * 30
