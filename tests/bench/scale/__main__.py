"""Runs the simulation at 10^4 to 10^9 images a day, and writes its tables into infra/SCALE.md.

python -m tests.bench.scale     # or: make scale
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.scale.model import (
    DAY_SECONDS,
    EVENT_BYTES,
    FIRST_READS,
    FIRST_WRITES,
    MEASURED,
    MOST_FILES,
    PEAK,
    Backfill,
    Settings,
    dollars_a_million,
    log_bytes,
    ramp_minutes,
)
from tests.bench.scale.runs import defaults, fitted, simulated

DOCUMENT = Path(__file__).parents[3] / "infra" / "SCALE.md"
SCALES = (1e4, 1e6, 1e8, 1e9)
_BACKFILL_IMAGES, _BACKFILL_CPUS = 1e9, (100, 1000, 8000)

Row = Sequence[str]


def _power(images: float) -> str:
    return f"10^{math.log10(images):.0f}"


def _number(value: float) -> str:
    """Three digits at most, without a trailing point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{_number(value)} s"


def _share(part: float, whole: float) -> str:
    return "0" if not part else f"{part / whole:.2%}" if part / whole >= 0.0001 else "< 0.01%"


def _table(header: Row, rows: Sequence[Row]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _settings_cell(settings: Settings) -> str:
    bucket = ", results apart" if settings.separate_results else ""
    return f"concurrency {settings.concurrency}, max_instances {settings.max_instances:,}{bucket}"


def _service_table(function: str) -> str:
    """Instances, latency and refusals of a function at each scale, with the defaults and with what the scale needs."""
    rows = []
    for images in SCALES:
        for settings in dict.fromkeys((defaults(function), fitted(function, images))):
            rates = f"{_number(images / DAY_SECONDS)} / {_number(PEAK * images / DAY_SECONDS)}"
            begin = [_power(images), rates, _settings_cell(settings)]
            runs = simulated(settings, images)
            if not runs:
                lost = 1 - settings.most_a_second / (images / DAY_SECONDS)
                most = _number(settings.most_a_second)
                rows.append(
                    [
                        *begin,
                        f"all {settings.max_instances}",
                        f"too much: {most} images a second at most, {lost:.0%} lost",
                        *["–"] * 4,
                    ]
                )
                continue
            hours, burst, parts = runs.hours, runs.burst, runs.parts
            rows.append(
                [
                    *begin,
                    f"{_number(hours.mean_instances * parts)} / {_number(hours.peak_instances * parts)}",
                    f"{_seconds(hours.p50)} / {_seconds(hours.p99)}",
                    f"{_share(hours.cold, 1)}; {_share(hours.refused, hours.requests)}",
                    f"{_number(burst.peak_instances * parts)}",
                    f"{_seconds(burst.p50)} / {_seconds(burst.p99)}",
                    f"{_share(burst.refused, burst.requests)}; {_share(burst.lost, burst.requests)}",
                ]
            )
    header = [
        "images a day",
        "a second, mean / peak",
        "settings",
        "instances, mean / most",
        "latency p50 / p99",
        "cold starts; refused",
        "burst: instances",
        "burst: p50 / p99",
        "burst: refused; lost",
    ]
    return _table(header, rows)


def _costs() -> str:
    rows = []
    for images in SCALES:
        for settings in (defaults("upload"), fitted("upload", images)):
            if runs := simulated(settings, images):
                items = dollars_a_million(settings, runs.hours.billed_seconds * settings.requests / runs.hours.requests)
                streaming = items.pop("streaming")
                total = sum(items.values())
                cells = [f"{dollars:.2f}" for dollars in (*items.values(), total, streaming)]
                rows.append([_power(images), _settings_cell(settings), *cells, _number(images / 1e6 * total)])
    header = ["images a day", "settings", "instances", "requests", "storage calls", "events", "logs"]
    return _table([*header, "sum", "`streaming` on top", "$ a day"], rows)


def _demands() -> str:
    """What the peak asks of the services around the function, events of results not avoided and avoided."""
    beside = defaults("upload")
    apart = replace(beside, separate_results=True)

    def row(name: str, value: Callable[[float, float], str]) -> Row:
        return [name, *(value(images, PEAK * images / DAY_SECONDS) for images in SCALES)]

    def both(factor: Callable[[Settings], float], unit: str) -> Callable[[float, float], str]:
        return lambda _, peak: f"{_number(peak * factor(beside))} / {_number(peak * factor(apart))} {unit}"

    document = MEASURED["upload"]["result_bytes"]
    rows = [
        row("events pushed", both(lambda settings: settings.requests, "a second")),
        row("the same in bytes", both(lambda settings: settings.requests * EVENT_BYTES / 1e6, "MB/s")),
        row(
            "instances of 1 vCPU, used to 60 %",
            lambda images, peak: _number(fitted("upload", images).instances_for(peak)),
        ),
        row("bucket: writes (image, result)", both(lambda settings: settings.requests, "a second")),
        row("bucket: reads (look-up, image)", lambda _, peak: f"{_number(2 * peak)} a second"),
        row(
            "minutes to ramp up to that",
            lambda _, peak: _number(max(ramp_minutes(2 * peak, FIRST_WRITES), ramp_minutes(2 * peak, FIRST_READS))),
        ),
        row("log entries", both(lambda settings: 60 * log_bytes(settings) / 1e6, "MB a minute")),
        row("results published and written to BigQuery", lambda _, peak: f"{_number(peak * document / 1e6)} MB/s"),
        row("days until the external table has 10,000,000 files", lambda images, _: _number(MOST_FILES / images)),
    ]
    return _table(["at the peak of", *map(_power, SCALES)], rows)


def _backfills() -> str:
    rows = []
    for vcpus in _BACKFILL_CPUS:
        job = Backfill(_BACKFILL_IMAGES, vcpus)
        rows.append(
            [
                _number(vcpus),
                _number(job.rate),
                f"{_number(job.hours)} h",
                f"{_number(max(ramp_minutes(job.rate, FIRST_WRITES), ramp_minutes(job.rate, FIRST_READS)))} min",
                *(_number(dollars) for dollars in (job.worker_dollars, job.storage_dollars, job.event_dollars)),
            ]
        )
    header = ["vCPUs", "images (and writes) a second", "takes", "bucket's ramp", "$ workers", "$ storage calls"]
    return _table([*header, "$ events, unless results lie apart"], rows)


def _measurements() -> str:
    upload, http = MEASURED["upload"], MEASURED["http"]
    rows = [
        [f"a photo over HTTP, {size}", f"{seconds * 1000:.1f} ms of CPU"]
        for size, seconds in http["cpu_seconds"].items()
    ]
    mix = ", ".join(f"{share:.0%} {size}" for size, share in MEASURED["shares"].items())
    rows += [
        [f"an uploaded photo, the mix ({mix})", f"{upload['photo']['cpu_seconds'] * 1000:.1f} ms of CPU"],
        ["the event of a result, which is skipped", f"{upload['result']['cpu_seconds'] * 1000:.2f} ms of CPU"],
        ["a process's start to its first answer", f"{MEASURED['start_seconds']:.2f} s"],
        [
            "log line of a photo's event, of a result's",
            f"{upload['photo']['log_bytes']:.0f}, {upload['result']['log_bytes']:.0f} bytes",
        ],
        ["a result document", f"{upload['result_bytes']:,} bytes"],
    ]
    return _table([f"measured {MEASURED['measured']} on {MEASURED['machine']}, held to one", ""], rows)


TABLES: dict[str, Callable[[], str]] = {
    "measurements": _measurements,
    "uploads": lambda: _service_table("upload"),
    "http": lambda: _service_table("http"),
    "demands": _demands,
    "costs": _costs,
    "backfill": _backfills,
}


def with_table(text: str, name: str, table: str) -> str:
    """The document with a table between its marks. Raises `ValueError` where it has no such marks."""
    pattern = rf"(<!-- make scale: {name} -->\n).*?(<!-- end -->)"
    changed, count = re.subn(pattern, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{DOCUMENT} should have one place for the table {name}")
    return changed


def main() -> None:
    """Writes all tables."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        text = with_table(text, name, table())
        print(name, flush=True)
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
