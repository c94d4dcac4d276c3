"""Write the tables of infra/SCALE.md: what 10^4 to 10^9 images a day need and cost."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

from tests.bench.capacity import assumptions as assumed
from tests.bench.capacity.assumptions import Workload, read_prices
from tests.bench.capacity.cost import Size, log_bytes, requests_per_image, sizes
from tests.bench.capacity.fleet import MEASURED, Route, instances_started, max_rate, measured_instances, work
from tests.bench.capacity.report import table
from tests.bench.deployed import deployed
from tests.support.paths import ROOT

DOCUMENT = ROOT / "infra" / "SCALE.md"
_POWERS = (4, 6, 8, 9)
_BACKFILL_IMAGES, _BACKFILL_CPUS = 1e9, (100, 1_000, 8_000)


def _number(value: float) -> str:
    """Return a number with at most three significant digits."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return "< 0.01" if 0 < value < 0.01 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{_number(seconds / length)} {unit}"
    return f"{_number(seconds)} s"


def recommended(route: Route, workload: Workload) -> Size:
    """Return the recommended size for a workload at list prices."""
    return sizes(route, measured_instances(), workload, read_prices())[0]


def default_rate(route: Route) -> float:
    """Return the photos per second that a function with the defaults of infra/ can serve."""
    defaults = deployed(route)
    size = float(defaults["cpu"]), int(defaults["concurrency"])
    instance = next(each for each in measured_instances() if (each.cpu, each.concurrency) == size)
    return max_rate(int(defaults["max_instances"]), work(route, instance, Workload()), instance)


def ramp_minutes(rate: float, initial: float) -> float:
    """Return the minutes until a bucket that starts with `initial` requests per second serves `rate`."""
    return assumed.DOUBLING_MINUTES * math.log2(max(1.0, rate / initial))


def demands_table() -> str:
    """Return what each volume asks of the functions and of the services around them, and what it costs."""
    loads = [Workload(images_per_day=10**power, peak=assumed.SCALE_PEAK) for power in _POWERS]

    def row(name: str, value: Callable[[Workload], str]) -> list[str]:
        return [name, *map(value, loads)]

    def both(figure: Callable[[Workload], float]) -> Callable[[Workload], str]:
        """Return a cell with a figure for results beside the images / in a bucket of their own."""

        def cell(load: Workload) -> str:
            beside, apart = (figure(each) for each in (load, replace(load, separate_results=True)))
            return _number(beside) if beside == apart else f"{_number(beside)} / {_number(apart)}"

        return cell

    def at_peak(factor: Callable[[Workload], float]) -> Callable[[Workload], str]:
        return both(lambda load: load.rate * load.peak * factor(load))

    def dollars(load: Workload) -> float:
        size = recommended("upload", load)
        return size.cost - size.monthly["storage"]

    def instances(route: Route) -> Callable[[Workload], str]:
        def cell(load: Workload) -> str:
            size = recommended(route, load)
            mean = instances_started(load.rate, work(route, size.instance, load), size.instance)
            kind = f"{size.instance.cpu:g} × {size.instance.concurrency}"
            return f"{kind}: {mean:,} / {size.peak_instances:,} / {size.max_instances:,}"

        return cell

    def lost(route: Route) -> Callable[[Workload], str]:
        return lambda load: f"{100 * max(0.0, 1 - default_rate(route) / load.rate):.3g} %"

    rows = [
        row("images a second, mean / peak", lambda load: f"{_number(load.rate)} / {_number(load.rate * load.peak)}"),
        row("upload: cpu × concurrency: mean / peak / `max_instances`", instances("upload")),
        row("HTTPS: cpu × concurrency: mean / peak / `max_instances`", instances("http")),
        row("share of uploads beyond the defaults", lost("upload")),
        row("share of HTTPS requests beyond the defaults", lost("http")),
        row(
            f"{assumed.BURST_SHARE:.0%} of a day's uploads at once takes the defaults",
            lambda load: _duration(load.images_per_day * assumed.BURST_SHARE / default_rate("upload")),
        ),
        row("events pushed, per second", at_peak(lambda load: requests_per_image("upload", load))),
        row(
            "events pushed, MB/s", at_peak(lambda load: requests_per_image("upload", load) * assumed.EVENT_BYTES / 1e6)
        ),
        row("bucket: writes per second (image, result)", at_peak(lambda load: 1 if load.separate_results else 2)),
        row("bucket: reads per second (look-up, image)", at_peak(lambda _: 2)),
        row(
            "bucket: ramp to both",
            lambda load: _duration(
                60
                * max(
                    ramp_minutes(2 * load.rate * load.peak, first)
                    for first in (assumed.INITIAL_WRITES, assumed.INITIAL_READS)
                )
            ),
        ),
        row("log entries, MB a minute", at_peak(lambda load: 60 * log_bytes("upload", load) / 1e6)),
        row("results to BigQuery, MB/s", at_peak(lambda _: MEASURED["upload"]["result_bytes"] / 1e6)),
        row(
            f"external table full ({assumed.MAX_EXTERNAL_TABLE_FILES:,} files)",
            lambda load: _duration(86_400 * assumed.MAX_EXTERNAL_TABLE_FILES / load.images_per_day),
        ),
        row("$ for a million uploads", both(lambda load: dollars(load) / load.images_per_month * 1e6)),
        row("$ a month for uploads", both(dollars)),
        row("$ a month for HTTPS", lambda load: _number(recommended("http", load).cost)),
    ]
    return table(["images a day", *(f"10^{power}" for power in _POWERS)], rows)


def backfill_table() -> str:
    """Return the time and the dollars of a backfill by the number of vCPUs."""
    prices = read_prices()
    single = next(each for each in measured_instances() if (each.cpu, each.concurrency) == (1, 1))
    cpu_seconds = work("upload", single, Workload(separate_results=True)).cpu_seconds
    # Each image is read and its result written. Images and results are listed once. Workers cost the same on few CPUs.
    hours = _BACKFILL_IMAGES * cpu_seconds / assumed.BATCH_UTILIZATION / 3600
    workers = hours * (prices["dataflow_cpu_hour"] + assumed.WORKER_GB_PER_CPU * prices["dataflow_gb_hour"])
    operations = (1 + 2 / assumed.LISTING_PAGE) * prices["thousand_class_a"] + prices["thousand_class_b"]
    # A result beside its image causes an event, which is published, delivered, skipped and logged.
    event = 2 * assumed.EVENT_BYTES / assumed.TIB * prices["event_tib"] + prices["million_requests"] / 1e6
    entry = MEASURED["upload"]["skipped_log_bytes"] + assumed.LOG_ENTRY_BYTES + assumed.REQUEST_LOG_BYTES
    event += entry / assumed.GIB * prices["log_gib"]
    dollars = (workers, _BACKFILL_IMAGES / 1000 * operations, _BACKFILL_IMAGES * event)
    rows = []
    for cpus in _BACKFILL_CPUS:
        rate = _BACKFILL_IMAGES / (hours / cpus * 3600)
        ramp = max(ramp_minutes(rate, first) for first in (assumed.INITIAL_WRITES, assumed.INITIAL_READS))
        times = (_duration(hours / cpus * 3600), _duration(60 * ramp))
        rows.append([f"{cpus:,}", _number(rate), *times, *map(_number, dollars)])
    header = ["vCPUs", "images (and writes) per second", "takes", "bucket's ramp", "$ workers"]
    return table([*header, "$ operations", "$ events, unless results lie apart"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "demands": demands_table,
    "backfill": backfill_table,
}


def with_tables(text: str) -> str:
    """Return the document with all tables renewed. Raise `ValueError` if one has no place or several."""
    for name, make in TABLES.items():
        pattern = rf"(<!-- make capacity: {name} -->\n).*?(<!-- end -->)"
        fresh = make()
        text, count = re.subn(pattern, lambda found: f"{found[1]}{fresh}\n{found[2]}", text, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            raise ValueError(f"found {count} places for the table {name} in {DOCUMENT}; give it exactly one")
    return text
