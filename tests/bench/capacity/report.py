"""Write the tables for a user's own numbers, in Markdown that a terminal shows well."""

from collections.abc import Sequence
from dataclasses import replace

from tests.bench.capacity.assumptions import Prices, Workload
from tests.bench.capacity.cost import other_ways, sizes
from tests.bench.capacity.fleet import MEASURED, Route, measured_instances

VOLUMES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        padded = [first, *(cell.strip().rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def memory_text(gib: float) -> str:
    """Return a size of memory as infra/ writes it."""
    return "512Mi" if gib == 0.5 else f"{gib:g}Gi"


def measured_table() -> str:
    """Return what was measured of each instance size."""
    rows = []
    for each in MEASURED["instances"]:
        small, large = each["photos"]["0.1875"], each["photos"]["12"]
        rows.append(
            (
                f"{each['cpu']:g}, {each['concurrency']}",
                f"{small['per_second']:.0f}",
                f"{small['cpu_seconds'] * 1000:.1f}",
                f"{large['per_second']:.0f}",
                f"{large['cpu_seconds'] * 1000:.0f}",
                f"{large['p95_seconds'] * 1000:,.0f}",
                f"{large['peak_mib']}",
                f"{each['heaviest']['peak_mib']:,}",
                f"{each['cold_start_seconds']:.2f}",
            )
        )
    header = ["cpu, concurrency", "500 px: per second", "CPU ms", "12 MP: per second", "CPU ms", "p95 ms", "MiB"]
    return table([*header, "heaviest: MiB", "start s"], rows)


def sizes_table(route: Route, workload: Workload, prices: Prices) -> str:
    """Return all sizes of a function for a workload, the recommended one first."""
    instances = measured_instances()
    found = sizes(route, instances, workload, prices)
    names = ["**recommended**" if found[0].fast_enough else "too slow, the fastest"]
    names += ["" if each.fast_enough else "too slow" for each in found[1:]]
    header = ("", "cpu", "memory", "concurrency", "min_instances", "max_instances", "timeout_seconds")
    rows = [
        (
            name,
            f"{each.instance.cpu:g}",
            memory_text(each.memory_gib),
            *map(str, (each.instance.concurrency, each.min_instances, each.max_instances, each.timeout_seconds)),
            f"{each.peak_instances}",
            f"{each.p95_ms:,.0f}",
            f"{each.cost:.2f}",
            f"{each.cost / workload.images_per_month * 1000:.4f}",
        )
        for name, each in zip(names, found, strict=True)
    ]
    lines = [table([*header, "at the peak", "p95 ms", "$ a month", "$ per 1,000"], rows), ""]
    items = ", ".join(f"{item} {dollars:.2f}" for item, dollars in found[0].monthly.items())
    lines.append(f"Dollars a month of the first: {items}.")
    lines += [
        f"Not offered: {each.cpu:g} cpu with concurrency {each.concurrency} needs {each.peak_mib / 1024:.1f} GiB."
        for each in instances
        if each.memory_gib is None
    ]
    return "\n".join(lines)


def ways_table(workload: Workload, prices: Prices) -> str:
    """Return the dollars per month of each way to run it, by volume, without the photos' storage."""
    instances = measured_instances()
    costs: dict[int, dict[str, float]] = {}
    for volume in VOLUMES:
        at = replace(workload, images_per_day=volume)
        http, upload = (sizes(route, instances, at, prices)[0] for route in ("http", "upload"))
        functions = {"HTTPS function": http.cost, "upload function": upload.cost - upload.monthly["storage"]}
        costs[volume] = functions | other_ways(instances, at, prices)
    rows = [(f"{volume:,}", *(f"{dollars:,.2f}" for dollars in each.values())) for volume, each in costs.items()]
    return table(["images a day", *costs[VOLUMES[0]]], rows)


def report(workload: Workload, prices: Prices) -> str:
    """Return the whole answer for a user's numbers."""
    return f"""\
{workload.images_per_day:,.0f} photos a day of {workload.megapixels:g} megapixels, \
{workload.peak:g} times the average in the busiest minute, \
{workload.cold_share:.1%} cold starts, 95 % within {workload.latency_ms:g} ms.

## HTTPS function (`http` in infra/)

{sizes_table("http", workload, prices)}

## Upload function (`upload` in infra/)

{sizes_table("upload", workload, prices)}

## Dollars a month by volume, without the photos' storage

{ways_table(workload, prices)}

Machines are sized for the peak, instance-based billing only for the average.
The job classifies a day's uploads once a day.

## What was measured

{measured_table()}

`heaviest` are the images that take the most memory within the limits.
"""
