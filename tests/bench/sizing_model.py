"""What size of function suits whom, and what it costs: pure arithmetic on measurements, prices and a user's numbers.

The assumptions that are neither measured nor a user's number stand at the top, each with its reason.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Prices = Mapping[str, float]
Route = Literal["http", "upload"]

# Cloud Run adds instances above these shares of a cpu and of the concurrency, over a minute
# (https://cloud.google.com/run/docs/about-instance-autoscaling).
CPU_TARGET = CONCURRENCY_TARGET = 0.6
# Billed time is rounded up to it (https://cloud.google.com/run/pricing).
BILLED_STEP_SECONDS = 0.1
# Of the requests at the peak, no more may find every place in every instance taken.
MOST_WAITING = 0.01
# A 95th percentile does not see what happens to fewer requests than these.
UNSEEN_SHARE = 0.05
# The maximum of instances caps a bill, and should not refuse visitors: room for a peak so many times the foreseen one.
SPARE = 4
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
# The longest such a call is tried (`CALL_SECONDS` and the last try's timeout in function/flowers/storage.py).
LONGEST_CALL_SECONDS = 28.0
# The event of the result itself, which the upload function skips.
SKIPPED_SECONDS, SKIPPED_CPU_SECONDS = 0.01, 0.005
# The largest request (MAX_IMAGE_BYTES), and the wait for room in memory (`WAIT_SECONDS` in function/flowers/budget.py).
MOST_BYTES, BUDGET_WAIT_SECONDS = 32 * 2**20, 10.0
# A result document, and an event with its attributes (two of them a photo, each published and delivered).
ANSWER_BYTES, EVENT_BYTES = 1500, 2000
# A job or a machine that has nothing else to do is used so far.
BATCH_UTILIZATION = 0.9
# A task of a job is billed for a minute at least (https://cloud.google.com/run/pricing); it runs once a day.
LEAST_TASK_SECONDS = 60.0
MACHINE_CPUS = 2
DAYS_A_MONTH = 365 / 12
HOURS_A_MONTH = 730
_GIB = 2**30


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


@dataclass(frozen=True)
class Option:
    """A setting for a user's numbers: its size as infra/ would have it, and what it comes to.

    `monthly` is in dollars by item; `list_price` is what the instances would come to without any free amounts, which
    others in the account may have used up; `p95_ms` is in a full instance.
    """

    cpu: float
    memory_gib: float
    concurrency: int
    min_instances: int
    max_instances: int
    timeout_seconds: int
    peak_instances: int
    p95_ms: float
    fast_enough: bool
    list_price: float
    monthly: Mapping[str, float]

    @property
    def cost(self) -> float:
        """Dollars a month."""
        return sum(self.monthly.values())


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


def _work(route: Route, setting: Setting, needs: Needs) -> tuple[float, float]:
    """Of a photo, its seconds in an instance and its seconds of cpu."""
    photo = setting.photo(needs.megapixels)
    in_flight = wait_seconds(route, photo, needs) + photo.cpu_seconds / min(1.0, setting.cpu)
    if route == "upload":
        return in_flight + SKIPPED_SECONDS, photo.cpu_seconds + SKIPPED_CPU_SECONDS
    return in_flight, photo.cpu_seconds


def peak_instances(route: Route, setting: Setting, needs: Needs) -> int:
    """Instances in the busiest minute."""
    return instances_for(needs.average_rate * needs.peak, *_work(route, setting, needs), setting)


def option(route: Route, setting: Setting, needs: Needs, prices: Prices, fewest: int | None = None) -> Option | None:
    """What a setting comes to; None where Cloud Run does not give its cpu the memory that it takes.

    `fewest` are the peak's instances with the setting that gets by with the fewest; None if that is this one.
    """
    memory = memory_gib(setting)
    if memory is None:
        return None
    photo, rate = setting.photo(needs.megapixels), needs.average_rate
    places, cpu_seconds = _work(route, setting, needs)
    at_peak = peak_instances(route, setting, needs)
    # More instances start more often.
    cold_share = min(1.0, needs.cold_share * at_peak / (fewest or at_peak))
    p95 = photo.p95_seconds
    start = PLATFORM_START_SECONDS + setting.cold_start_seconds
    starts_show = cold_share > UNSEEN_SHARE and (start + p95) * 1000 > needs.latency_ms
    kept = at_peak if starts_show else 0
    billed = billed_seconds(rate, places, cpu_seconds, setting)
    billed += 0.0 if kept else cold_share * setting.cold_start_seconds
    active = needs.images_a_month * billed
    list_price = active * (setting.cpu * prices["request_cpu_second"] + memory * prices["request_gib_second"])
    monthly = _compute(prices, "request", setting.cpu * active, memory * active)
    requests = needs.images_a_month * (2 if route == "upload" else 1)  # the second is the result's own event
    monthly["requests"] = max(0.0, requests - prices["free_requests"]) / 1e6 * prices["million_requests"]
    if kept:
        idle = max(0.0, kept * HOURS_A_MONTH * 3600 - active)
        monthly["idle"] = idle * (setting.cpu * prices["idle_cpu_second"] + memory * prices["idle_gib_second"])
        list_price += monthly["idle"]
    return Option(
        setting.cpu,
        memory,
        setting.concurrency,
        kept,
        max(kept, instances_for(rate * needs.peak * SPARE, places, cpu_seconds, setting)),
        timeout_seconds(route, setting, needs),
        at_peak,
        p95 * 1000,
        p95 * 1000 <= needs.latency_ms,
        list_price,
        monthly | _traffic(route, photo, needs, prices),
    )


def _compute(prices: Prices, billing: str, cpu_seconds: float, gib_seconds: float) -> dict[str, float]:
    def beyond(used: float, unit: str) -> float:
        return max(0.0, used - prices[f"{billing}_free_{unit}_seconds"]) * prices[f"{billing}_{unit}_second"]

    return {"cpu": beyond(cpu_seconds, "cpu"), "memory": beyond(gib_seconds, "gib")}


def _traffic(route: Route, photo: Photo, needs: Needs, prices: Prices) -> dict[str, float]:
    """What a photo costs beside computing; an upload's storage is that of one month's photos for a month."""
    images = needs.images_a_month
    if route == "http":
        return {"egress": images * ANSWER_BYTES / _GIB * prices["egress_gib"]}
    # The photo and its result are written; the result is looked up, the photo read, the result read.
    operations = 2 * prices["thousand_class_a"] + 3 * prices["thousand_class_b"]
    events = max(0.0, images * 2 * 2 * EVENT_BYTES / _GIB - prices["event_free_gib"])
    return {
        "operations": images / 1000 * operations,
        "events": events / 1024 * prices["event_tib"],
        "storage": images * (photo.bytes + ANSWER_BYTES) / _GIB * prices["storage_gib_month"],
    }


def options(route: Route, settings: Sequence[Setting], needs: Needs, prices: Prices) -> list[Option]:
    """All settings that Cloud Run offers, the recommended one first.

    Of those fast enough the one with the lowest list price; where that is the same to a hundredth, the one that takes
    the most requests at once: a burst then meets fewer cold starts. Where none is fast enough, the fastest.
    """
    fewest = min(peak_instances(route, setting, needs) for setting in settings)
    found = [each for setting in settings if (each := option(route, setting, needs, prices, fewest))]
    fast = [each for each in found if each.fast_enough]
    least = min((each.list_price for each in fast), default=0.0)

    def order(each: Option) -> tuple[bool, float, float]:
        if not each.fast_enough:
            return True, each.p95_ms, 0.0
        same = each.list_price <= least * 1.01
        return False, least if same else each.list_price, -each.concurrency if same else each.p95_ms

    return sorted(found, key=order)


def always_on(setting: Setting, needs: Needs, prices: Prices) -> float:
    """Dollars a month of the HTTPS function billed by instance, with as many as the average minute takes.

    What the peak takes beside them is left out, which flatters it.
    """
    count = instances_for(needs.average_rate, *_work("http", setting, needs), setting)
    seconds = count * HOURS_A_MONTH * 3600
    computing = _compute(prices, "instance", setting.cpu * seconds, (memory_gib(setting) or MEMORY_GIB[-1]) * seconds)
    return sum(computing.values()) + sum(_traffic("http", setting.photo(needs.megapixels), needs, prices).values())


def machines(setting: Setting, needs: Needs, prices: Prices) -> tuple[int, float]:
    """Virtual machines for the peak, which run all month, and dollars for it; `setting` is one of one cpu."""
    cpu_seconds = setting.photo(needs.megapixels).cpu_seconds
    count = max(1, math.ceil(needs.average_rate * needs.peak * cpu_seconds / (BATCH_UTILIZATION * MACHINE_CPUS)))
    egress = needs.images_a_month * ANSWER_BYTES / _GIB * prices["egress_gib"]
    return count, count * HOURS_A_MONTH * prices["machine_hour"] + egress


def job(setting: Setting, needs: Needs, prices: Prices) -> float:
    """Dollars a month of a Cloud Run job that classifies a day's uploads once a day; `setting` is one of one cpu."""
    photo = setting.photo(needs.megapixels)
    a_day = needs.images_per_day * photo.cpu_seconds / BATCH_UTILIZATION + setting.cold_start_seconds
    seconds = max(LEAST_TASK_SECONDS, a_day) * DAYS_A_MONTH
    memory = memory_gib(setting) or MEMORY_GIB[-1]
    computing = sum(_compute(prices, "instance", seconds, memory * seconds).values())
    traffic = _traffic("upload", photo, needs, prices)
    return computing + traffic["operations"] + traffic["storage"]


def crossing(cheaper: Callable[[Needs], bool], needs: Needs, least: float = 10, most: float = 1e7) -> float | None:
    """The images a day, to a tenth, from which on `cheaper` holds up to `most`; None where it does not there."""
    volume, found = most, None
    while volume >= least and cheaper(replace(needs, images_per_day=volume)):
        found, volume = volume, volume / 1.1
    return found
