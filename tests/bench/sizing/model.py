"""What a size of function does for a user's numbers: pure arithmetic on measurements.

The assumptions that are neither measured nor a user's number stand at the top, each with its reason.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Route = Literal["http", "upload"]

# Cloud Run adds instances above these shares of a cpu and of the concurrency, over a minute
# (https://cloud.google.com/run/docs/about-instance-autoscaling).
CPU_TARGET = CONCURRENCY_TARGET = 0.6
# Billed time is rounded up to it (https://cloud.google.com/run/pricing).
BILLED_STEP_SECONDS = 0.1
# Of the requests at the peak, no more may find every place in every instance taken.
MOST_WAITING = 0.01
# Memory stays below this share, above which infra/ alerts (`memory_share`).
MEMORY_SHARE = 0.9
# (from this cpu, up to this memory in GiB), https://cloud.google.com/run/docs/configuring/services/cpu, which also says
# that less than one cpu takes one request at a time. Memory as infra/ lets one choose it.
MOST_MEMORY_GIB = ((0.08, 0.5), (0.5, 1.0), (1, 4.0), (2, 8.0))
MEMORY_GIB = (0.5, 1.0, 2.0, 4.0, 8.0)
# What Cloud Run takes to place an instance before its process starts; assumed, since nothing here can measure it.
PLATFORM_START_SECONDS = 1.0
# Photos that arrive so much slower than the usual ones are still waited for.
SLOWEST_UPLINK = 1 / 4
# A call to Cloud Storage within the region; an upload looks its result up, reads the photo, writes the result.
STORAGE_CALL_SECONDS, STORAGE_CALLS = 0.05, 3
# The longest such a call is tried (`CALL_SECONDS` and the last try's timeout in function/flowers/cloud/storage.py).
LONGEST_CALL_SECONDS = 28.0
# The event of the result itself, which the upload function skips.
SKIPPED_SECONDS, SKIPPED_CPU_SECONDS = 0.01, 0.005
# The largest request (MAX_IMAGE_BYTES), and the wait for room in memory (`WAIT_SECONDS` in flowers/imaging/memory.py).
MOST_BYTES, BUDGET_WAIT_SECONDS = 32 * 2**20, 10.0
DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True)
class Needs:
    """A user's numbers.

    `peak`: the busiest minute's rate over the day's average. `cold_share` (0..1): the share of requests that start an
    instance, with the setting that gets by with the fewest. `latency_ms`: the most that 95 of 100 photos may take once
    they have arrived. `uplink_mbit`: how fast photos arrive over HTTP, Mbit/s; an instance is billed meanwhile.
    """

    images_per_day: float = 10_000
    peak: float = 50
    cold_share: float = 0.01
    latency_ms: float = 800
    megapixels: float = 12
    uplink_mbit: float = 20

    @property
    def average_rate(self) -> float:
        """Photos a second."""
        return self.images_per_day / 86_400

    @property
    def images_a_month(self) -> float:
        """Photos a month."""
        return self.images_per_day * DAYS_A_MONTH


@dataclass(frozen=True)
class Photo:
    """What a photo of one size took: CPU seconds, and the 95th percentile of seconds in a full instance."""

    megapixels: float
    bytes: float
    cpu_seconds: float
    p95_seconds: float


@dataclass(frozen=True)
class Setting:
    """A measured setting: seconds of a cold start, photos by size, and of the heaviest requests seconds and MiB."""

    cpu: float
    concurrency: int
    cold_start_seconds: float
    photos: tuple[Photo, ...]
    heaviest_seconds: float
    peak_mib: float

    def photo(self, megapixels: float) -> Photo:
        """A photo of a size between or beyond the measured ones, on the straight line; the smallest for any smaller."""
        lower, upper = self.photos[0], self.photos[1]
        for one, next_one in zip(self.photos, self.photos[1:], strict=False):
            if megapixels >= one.megapixels:
                lower, upper = one, next_one
        share = max(0.0, (megapixels - lower.megapixels) / (upper.megapixels - lower.megapixels))

        def between(read: Callable[[Photo], float]) -> float:
            return read(lower) + share * (read(upper) - read(lower))

        return Photo(
            megapixels,
            between(lambda photo: photo.bytes),
            between(lambda photo: photo.cpu_seconds),
            between(lambda photo: photo.p95_seconds),
        )


def settings_of(document: Mapping[str, Any]) -> list[Setting]:
    """The settings in the measurements' file."""
    return [
        Setting(
            each["cpu"],
            each["concurrency"],
            each["cold_start_seconds"],
            tuple(
                Photo(float(megapixels), photo["bytes"], photo["cpu_seconds"], photo["p95_seconds"])
                for megapixels, photo in each["photos"].items()
            ),
            each["heaviest"]["seconds"],
            each["heaviest"]["peak_mib"],
        )
        for each in document["settings"]
    ]


def places_for(load: float, most_waiting: float = MOST_WAITING) -> int:
    """The least places of which all are taken for no more than `most_waiting` of the requests (Erlang's formula B).

    `load` are in flight on average.
    """
    places, taken = 0, 1.0
    while taken > most_waiting:
        places += 1
        taken = load * taken / (places + load * taken)
    return places


def memory_gib(setting: Setting) -> float | None:
    """The least memory that holds the setting's measured peak; None where Cloud Run gives its cpu none so large."""
    most = max(memory for cpu, memory in MOST_MEMORY_GIB if setting.cpu >= cpu)
    return next(
        (size for size in MEMORY_GIB if setting.peak_mib / 1024 <= MEMORY_SHARE * size <= MEMORY_SHARE * most), None
    )


def wait_seconds(route: Route, photo: Photo, needs: Needs) -> float:
    """Seconds of a request in which its instance does not compute: the photo arrives, or Cloud Storage answers."""
    if route == "upload":
        return STORAGE_CALLS * STORAGE_CALL_SECONDS
    return photo.bytes * 8 / (needs.uplink_mbit * 1e6)


def instances_for(rate: float, in_flight: float, cpu_seconds: float, setting: Setting) -> int:
    """Instances for `rate` photos a second, each `in_flight` seconds in an instance and `cpu_seconds` on its cpu."""
    for_cpu = math.ceil(rate * cpu_seconds / (CPU_TARGET * setting.cpu))
    return max(for_cpu, math.ceil(places_for(rate * in_flight) / setting.concurrency))


def billed_seconds(rate: float, in_flight: float, cpu_seconds: float, setting: Setting) -> float:
    """Seconds that an instance is billed for a photo, on average.

    Few photos are alone in their instance: each is billed its own time, rounded up. Of many, several share it: the time
    in which any is there, for random arrivals. It cannot fall below what the targets of the autoscaler leave.
    """
    alone = math.ceil(round(in_flight / BILLED_STEP_SECONDS, 6)) * BILLED_STEP_SECONDS
    if setting.concurrency == 1:
        return alone
    shared = (1 - math.exp(-rate * alone)) / rate
    busiest = max(cpu_seconds / (CPU_TARGET * setting.cpu), in_flight / (CONCURRENCY_TARGET * setting.concurrency))
    return max(shared, busiest)


def timeout_seconds(route: Route, setting: Setting, needs: Needs) -> int:
    """Seconds that a request may take: the slowest that was measured and a cold start, twice; and what they wait for.

    Over HTTP that is the largest photo's arrival at the slowest; for an upload Cloud Storage's longest calls and room
    in memory. Rounded up to half minutes.
    """
    if route == "http":
        wait = MOST_BYTES * 8 / (needs.uplink_mbit * SLOWEST_UPLINK * 1e6)
    else:
        wait = STORAGE_CALLS * LONGEST_CALL_SECONDS + BUDGET_WAIT_SECONDS
    measured = PLATFORM_START_SECONDS + setting.cold_start_seconds + setting.heaviest_seconds
    return math.ceil((wait + 2 * measured) / 30) * 30


def work(route: Route, setting: Setting, needs: Needs) -> tuple[float, float]:
    """Of a photo, its seconds in an instance and its seconds of cpu."""
    photo = setting.photo(needs.megapixels)
    in_flight = wait_seconds(route, photo, needs) + photo.cpu_seconds / min(1.0, setting.cpu)
    if route == "upload":
        return in_flight + SKIPPED_SECONDS, photo.cpu_seconds + SKIPPED_CPU_SECONDS
    return in_flight, photo.cpu_seconds


def peak_instances(route: Route, setting: Setting, needs: Needs) -> int:
    """Instances in the busiest minute."""
    return instances_for(needs.average_rate * needs.peak, *work(route, setting, needs), setting)
