"""What each size of function costs, which one suits a user, and what other ways would cost: pure arithmetic.

The assumptions that are neither measured nor a user's number stand at the top, each with its reason.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.bench.sizing.model import (
    DAYS_A_MONTH,
    MEMORY_GIB,
    PLATFORM_START_SECONDS,
    Needs,
    Photo,
    Route,
    Setting,
    billed_seconds,
    instances_for,
    memory_gib,
    peak_instances,
    timeout_seconds,
    work,
)

Prices = Mapping[str, float]

# A 95th percentile does not see what happens to fewer requests than these.
UNSEEN_SHARE = 0.05
# The maximum of instances caps a bill, and should not refuse visitors: room for a peak so many times the foreseen one.
SPARE = 4
# A result document, and an event with its attributes (two of them a photo, each published and delivered).
ANSWER_BYTES, EVENT_BYTES = 1500, 2000
# A job or a machine that has nothing else to do is used so far.
BATCH_UTILIZATION = 0.9
# A task of a job is billed for a minute at least (https://cloud.google.com/run/pricing); it runs once a day.
LEAST_TASK_SECONDS = 60.0
MACHINE_CPUS = 2
HOURS_A_MONTH = 730
_GIB = 2**30


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


def option(route: Route, setting: Setting, needs: Needs, prices: Prices, fewest: int | None = None) -> Option | None:
    """What a setting comes to; None where Cloud Run does not give its cpu the memory that it takes.

    `fewest` are the peak's instances with the setting that gets by with the fewest; None if that is this one.
    """
    memory = memory_gib(setting)
    if memory is None:
        return None
    photo, rate = setting.photo(needs.megapixels), needs.average_rate
    places, cpu_seconds = work(route, setting, needs)
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
    count = instances_for(needs.average_rate, *work("http", setting, needs), setting)
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
    """Dollars a month of a Cloud Run job that classifies a day's uploads once a day, without the storage of photos.

    `setting` is one of one cpu.
    """
    photo = setting.photo(needs.megapixels)
    a_day = needs.images_per_day * photo.cpu_seconds / BATCH_UTILIZATION + setting.cold_start_seconds
    seconds = max(LEAST_TASK_SECONDS, a_day) * DAYS_A_MONTH
    memory = memory_gib(setting) or MEMORY_GIB[-1]
    computing = sum(_compute(prices, "instance", seconds, memory * seconds).values())
    return computing + _traffic("upload", photo, needs, prices)["operations"]


def crossing(cheaper: Callable[[Needs], bool], needs: Needs, least: float = 10, most: float = 1e7) -> float | None:
    """The images a day, to a tenth, from which on `cheaper` holds up to `most`; None where it does not there."""
    volume, found = most, None
    while volume >= least and cheaper(replace(needs, images_per_day=volume)):
        found, volume = volume, volume / 1.1
    return found
