"""Sizing's answer: tables as text, and a chart of cost against volume."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from tests.bench.sizing.cost import Option, Prices, always_on, crossing, job, machines, options
from tests.bench.sizing.model import Needs, Route, Setting, memory_gib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

VOLUMES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_HEADER = (
    "",
    "cpu",
    "memory",
    "at once",
    "min",
    "max",
    "timeout",
    "peak",
    "p95 ms",
    "$ a month",
    "$ per 1,000",
)


def memory_text(gib: float) -> str:
    """A size of memory as Terraform has it."""
    return "512Mi" if gib == 0.5 else f"{gib:g}Gi"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(lines)


def _row(name: str, option: Option, needs: Needs) -> tuple[str, ...]:
    return (
        name,
        f"{option.cpu:g}",
        memory_text(option.memory_gib),
        str(option.concurrency),
        str(option.min_instances),
        str(option.max_instances),
        f"{option.timeout_seconds} s",
        str(option.peak_instances),
        f"{option.p95_ms:.0f}",
        f"{option.cost:.2f}",
        f"{option.cost / needs.images_a_month * 1000:.4f}",
    )


def _options_table(route: Route, settings: Sequence[Setting], needs: Needs, prices: Prices) -> str:
    found = options(route, settings, needs, prices)
    names = ["recommended" if found[0].fast_enough else "too slow, the best", *[""] * (len(found) - 1)]
    names = [name if option.fast_enough else name or "too slow" for name, option in zip(names, found, strict=True)]
    rows = [_HEADER, *(_row(name, option, needs) for name, option in zip(names, found, strict=True))]
    items = ", ".join(f"{item} {dollars:.2f}" for item, dollars in found[0].monthly.items())
    left_out = [
        f"not offered: {setting.cpu:g} cpu, {setting.concurrency} at once; they take {setting.peak_mib / 1024:.1f} GiB"
        for setting in settings
        if memory_gib(setting) is None
    ]
    return "\n".join([_table(rows), *left_out, f"the recommended one's dollars a month: {items}"])


def one_cpu(settings: Sequence[Setting]) -> Setting:
    """The setting that a machine's and a job's arithmetic go by: one cpu, one photo after the other."""
    return next(each for each in settings if each.cpu == 1 and each.concurrency == 1)


def _costs(settings: Sequence[Setting], needs: Needs, prices: Prices) -> dict[str, float]:
    """Dollars a month of each way to run it, without the storage of photos, which is the same for all."""
    single, best = one_cpu(settings), options("http", settings, needs, prices)[0]
    chosen = next(each for each in settings if (each.cpu, each.concurrency) == (best.cpu, best.concurrency))
    upload = options("upload", settings, needs, prices)[0]
    return {
        "HTTPS function": best.cost,
        "billed by instance": always_on(chosen, needs, prices),
        "upload function": upload.cost - upload.monthly["storage"],
        "machines (e2-standard-2)": machines(single, needs, prices)[1],
        "job once a day": job(single, needs, prices),
    }


def _volumes_table(settings: Sequence[Setting], needs: Needs, prices: Prices) -> str:
    costs = {volume: _costs(settings, replace(needs, images_per_day=volume), prices) for volume in VOLUMES}
    head = ("images a day", *next(iter(costs.values())))
    rows = [(f"{volume:,}", *(f"{dollars:,.2f}" for dollars in each.values())) for volume, each in costs.items()]
    return _table([head, *rows])


def _crossings(settings: Sequence[Setting], needs: Needs, prices: Prices) -> list[str]:
    def first(dearer: str, cheaper: str, remark: str) -> str:
        def holds(at: Needs) -> bool:
            costs = _costs(settings, at, prices)
            return costs[cheaper] < costs[dearer]

        volume = crossing(holds, needs)
        if volume is None:
            return f"{cheaper}: dearer than the {dearer} at any volume"
        return f"{cheaper}: cheaper than the {dearer} from about {volume:,.0f} images a day on{remark}"

    return [
        first("HTTPS function", "billed by instance", ", where the load is even"),
        first("HTTPS function", "machines (e2-standard-2)", ", if running them costs nothing"),
        first("upload function", "job once a day", ", where results may wait for a day"),
    ]


def draw_costs(settings: Sequence[Setting], needs: Needs, prices: Prices, file: Path) -> None:
    """Writes the chart of cost against volume, a PNG."""
    volumes = np.logspace(2, 7, 101)
    costs = [_costs(settings, replace(needs, images_per_day=float(volume)), prices) for volume in volumes]
    figure: Any
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in costs[0]:
        monthly = np.array([each[name] for each in costs])
        axes[0].plot(volumes, np.maximum(monthly, 0.01), label=name)
        axes[1].plot(volumes, np.maximum(monthly / (volumes * 365 / 12) * 1000, 1e-5), label=name)
    for axis, label in zip(axes, ("$ a month", "$ per 1,000 images"), strict=True):
        axis.axvline(needs.images_per_day, color="lightgrey", zorder=0)
        axis.set(xlabel="images a day", ylabel=label, xscale="log", yscale="log")
    axes[0].legend()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def report(settings: Sequence[Setting], needs: Needs, prices: Prices) -> str:
    """Everything that sizing has to say, for one user's numbers."""
    load = f"{needs.images_per_day:,.0f} photos a day of {needs.megapixels:g} megapixels, {needs.peak:g} times as many"
    quality = f"{needs.cold_share:.1%} cold starts, 95 of 100 within {needs.latency_ms:g} ms"
    return "\n".join(
        [
            f"For {load} in the busiest minute, {quality}:",
            "",
            "HTTPS function (infra/: http)",
            _options_table("http", settings, needs, prices),
            "",
            "upload function (infra/: upload)",
            _options_table("upload", settings, needs, prices),
            "",
            "Dollars a month by volume, each way sized for it and with all free amounts; without the photos' storage",
            _volumes_table(settings, needs, prices),
            *_crossings(settings, needs, prices),
        ]
    )
