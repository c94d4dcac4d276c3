"""Compute what an instance size costs for a workload, and what other ways of running it would cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.capacity import assumptions as assumed
from tests.bench.capacity import fleet
from tests.bench.capacity.assumptions import Prices, Workload
from tests.bench.capacity.fleet import MEASURED, Instance, Route, instances_started, work


@dataclass(frozen=True)
class Size:
    """Hold an instance size for a workload in the terms of infra/, and its dollars per month by item.

    `list_price` is for the instances alone, without free amounts: other services of the account may use those up.
    """

    instance: Instance
    memory_gib: float
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
        """Return the dollars per month."""
        return sum(self.monthly.values())


def requests_per_image(route: Route, workload: Workload) -> int:
    """Return the function's requests for one image. A result beside its image causes a second event."""
    return 2 if route == "upload" and not workload.separate_results else 1


def log_bytes(route: Route, workload: Workload) -> float:
    """Return the bytes of log entries for one image."""
    requests = requests_per_image(route, workload)
    lines = MEASURED["upload"]["log_bytes"] + (requests - 1) * MEASURED["upload"]["skipped_log_bytes"]
    return float(lines + requests * (assumed.LOG_ENTRY_BYTES + assumed.REQUEST_LOG_BYTES))


def _beyond_free(used: float, free: float, price: float) -> float:
    return max(0.0, used - free) * price


def _compute(prices: Prices, billing: str, cpu_seconds: float, gib_seconds: float) -> dict[str, float]:
    used = {"cpu": cpu_seconds, "gib": gib_seconds}
    return {
        unit: _beyond_free(seconds, prices[f"{billing}_free_{unit}_seconds"], prices[f"{billing}_{unit}_second"])
        for unit, seconds in used.items()
    }


def traffic(route: Route, bytes_per_photo: float, workload: Workload, prices: Prices) -> dict[str, float]:
    """Return the dollars per month beside computing. Storage is that of one month's photos for one month."""
    images, requests = workload.images_per_month, requests_per_image(route, workload)
    result_bytes = MEASURED["upload"]["result_bytes"]
    log_gib = images * log_bytes(route, workload) / assumed.GIB
    common = {
        "requests": _beyond_free(images * requests, prices["free_requests"], prices["million_requests"] / 1e6),
        "logs": _beyond_free(log_gib, prices["log_free_gib"], prices["log_gib"]),
    }
    if route == "http":
        return common | {"egress": images * result_bytes / assumed.GIB * prices["egress_gib"]}
    # Two writes: photo and result. Three reads: the result's look-up, the photo, the result by its user.
    operations = 2 * prices["thousand_class_a"] + 3 * prices["thousand_class_b"]
    # Each event is published and delivered.
    event_gib = images * requests * 2 * assumed.EVENT_BYTES / assumed.GIB
    return common | {
        "operations": images / 1000 * operations,
        "events": _beyond_free(event_gib, prices["event_free_gib"], prices["event_tib"] / 1024),
        "storage": images * (bytes_per_photo + result_bytes) / assumed.GIB * prices["storage_gib_month"],
    }


def size(
    route: Route, instance: Instance, workload: Workload, prices: Prices, fewest: int | None = None
) -> Size | None:
    """Return an instance size for a workload, or None if Cloud Run does not offer its memory.

    `fewest` is the smallest number of instances at the peak among all sizes. `cold_share` holds for that one: more
    instances start more often.
    """
    memory = instance.memory_gib
    if memory is None:
        return None
    photo, needed = instance.photo(workload.megapixels), work(route, instance, workload)
    at_peak = instances_started(workload.rate * workload.peak, needed, instance)
    cold_share = min(1.0, workload.cold_share * at_peak / (fewest or at_peak))
    start = assumed.PLACING_SECONDS + instance.cold_start_seconds
    too_cold = cold_share > assumed.HIDDEN_SHARE and (start + photo.p95_seconds) * 1000 > workload.latency_ms
    kept = at_peak if too_cold else 0
    billed = fleet.billed_seconds(workload.rate, needed, instance)
    billed += 0.0 if kept else cold_share * instance.cold_start_seconds
    active = workload.images_per_month * billed
    list_price = active * (instance.cpu * prices["request_cpu_second"] + memory * prices["request_gib_second"])
    monthly = _compute(prices, "request", instance.cpu * active, memory * active)
    if kept:
        idle = max(0.0, kept * assumed.HOURS_PER_MONTH * 3600 - active)
        monthly["idle"] = idle * (instance.cpu * prices["idle_cpu_second"] + memory * prices["idle_gib_second"])
        list_price += monthly["idle"]
    return Size(
        instance,
        memory,
        kept,
        max(kept, fleet.instances_needed(workload.rate * workload.peak * assumed.HEADROOM, needed, instance)),
        fleet.timeout_seconds(route, instance, workload),
        at_peak,
        photo.p95_seconds * 1000,
        photo.p95_seconds * 1000 <= workload.latency_ms,
        list_price,
        monthly | traffic(route, photo.bytes, workload, prices),
    )


def sizes(route: Route, instances: Sequence[Instance], workload: Workload, prices: Prices) -> list[Size]:
    """Return all sizes that Cloud Run offers, the recommended one first.

    That is the cheapest one that is fast enough. Within 1 % of its price, more slots win: a burst then meets fewer cold
    starts. If none is fast enough, the fastest comes first.
    """
    fewest = min(
        instances_started(workload.rate * workload.peak, work(route, each, workload), each) for each in instances
    )
    found = [each for instance in instances if (each := size(route, instance, workload, prices, fewest))]
    lowest = min((each.list_price for each in found if each.fast_enough), default=0.0)

    def order(each: Size) -> tuple[bool, float, float]:
        if not each.fast_enough:
            return True, each.p95_ms, 0.0
        if each.list_price <= lowest * 1.01:
            return False, lowest, -each.instance.concurrency
        return False, each.list_price, each.p95_ms

    return sorted(found, key=order)


def other_ways(instances: Sequence[Instance], workload: Workload, prices: Prices) -> dict[str, float]:
    """Return the dollars per month of other ways to classify the photos, without storing them.

    Instance-based billing and machines answer HTTPS requests. The job classifies a day's uploads once a day. Machines
    are sized for the peak, the instances for the average only, which flatters them.
    """
    single = next(each for each in instances if (each.cpu, each.concurrency) == (1, 1))
    chosen = sizes("http", instances, workload, prices)[0]
    photo = single.photo(workload.megapixels)
    beside = {route: traffic(route, photo.bytes, workload, prices) for route in ("http", "upload")}
    always_on = instances_started(workload.rate, work("http", chosen.instance, workload), chosen.instance)
    seconds = always_on * assumed.HOURS_PER_MONTH * 3600
    computing = _compute(prices, "instance", chosen.instance.cpu * seconds, chosen.memory_gib * seconds)
    machines = math.ceil(
        workload.rate * workload.peak * photo.cpu_seconds / (assumed.BATCH_UTILIZATION * assumed.MACHINE_CPUS)
    )
    task = workload.images_per_day * photo.cpu_seconds / assumed.BATCH_UTILIZATION + single.cold_start_seconds
    task = max(assumed.MIN_TASK_SECONDS, task) * assumed.DAYS_PER_MONTH
    job = _compute(prices, "instance", task, (single.memory_gib or 0.0) * task)
    return {
        "billed by instance": sum(computing.values()) + beside["http"]["egress"],
        "e2-standard-2 machines": machines * assumed.HOURS_PER_MONTH * prices["machine_hour"]
        + beside["http"]["egress"],
        "job once a day": sum(job.values()) + beside["upload"]["operations"],
    }
