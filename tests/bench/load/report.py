"""Write the report of a load test: tables, charts as PNG, and one HTML file with both."""

import base64
import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from tests.bench.load.answers import (
    NO_ANSWER,
    Sample,
    Summary,
    between,
    by_phase,
    faults,
    finished_per_second,
    max_sustained,
    recovery_seconds,
    summarize,
)
from tests.bench.load.plan import Plan

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_CHARTS = {"load.png": "Over time", "saturation.png": "Latency against load"}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Load test: {verdict}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
body {{ color: #222; background: #fff }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
td, th {{ padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd }}
td:first-child, th:first-child {{ text-align: left }}
img {{ max-width: 100% }}
.PASSED {{ color: #060 }}
.FAILED {{ color: #a00 }}
</style>
<h1>Load test: <span class="{verdict}">{verdict}</span></h1>
<p>{target}<br>{when}<br>{machine}</p>
<ul>{findings}</ul>
<h2>By phase</h2>{phases}
<h2>By size of photo, steady</h2>{sizes}
{charts}
</html>
"""


@dataclass(frozen=True)
class Run:
    """Hold a finished load test: what, when, where, its plan and samples, and (second, MiB) of a local server."""

    target: str
    when: str
    machine: str
    plan: Plan
    samples: tuple[Sample, ...]
    memory: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> int:
        """Return the seconds until the last answer, rounded up."""
        return math.ceil(max((sample.began + sample.took for sample in self.samples), default=self.plan.seconds))


Row = tuple[str, ...]
_HEADER: Row = ("", "requests", "results/s", "p50 ms", "p95 ms", "p99 ms", "statuses")


def _cells(name: str, summary: Summary) -> Row:
    statuses = ", ".join(f"{status or 'no answer'}: {count}" for status, count in summary.statuses.items())
    latency = ("–" if math.isnan(p) else f"{p * 1000:.0f}" for p in (summary.p50, summary.p95, summary.p99))
    return name, str(summary.requests), f"{summary.rate:.1f}", *latency, statuses


def _phase_rows(run: Run) -> list[Row]:
    return [_cells(name, summary) for name, summary in by_phase(run.samples, run.plan)]


def _size_rows(run: Run) -> list[Row]:
    _, start, end = run.plan.spans()[0]
    steady = between(run.samples, start, end)
    names = dict.fromkeys(sample.size for sample in run.samples)
    rows = [(name, [each for each in steady if each.size == name]) for name in names]
    return [_cells(name, summarize(these, end - start)) for name, these in rows]


def findings(run: Run) -> list[str]:
    """Return what the run shows, in sentences."""
    told = [f"Highest rate over five seconds: {max_sustained(run.samples, run.seconds):.1f} results per second."]
    recovery = recovery_seconds(run.samples, run.plan)
    if recovery is not None:
        told.append("No recovery from the spike." if math.isinf(recovery) else f"Recovery in {recovery:.0f} s.")
    if run.memory:
        held = [mib for _, mib in run.memory]
        told.append(
            f"Memory: {held[0]:.0f} MiB at first, {max(held):.0f} MiB at the peak, {held[-1]:.0f} MiB at the end."
        )
    return told + [f"Fault: {fault}." for fault in faults(run.samples, run.plan)]


def _table(rows: Sequence[Row]) -> str:
    widths = [max(len(row[column]) for row in (_HEADER, *rows)) for column in range(len(_HEADER))]
    texts = (0, len(_HEADER) - 1)

    def line(row: Row) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(cell.ljust(width) if at in texts else cell.rjust(width) for at, (cell, width) in cells)

    return "\n".join(line(row).rstrip() for row in (_HEADER, *rows))


def _html_table(rows: Sequence[Row]) -> str:
    def line(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(_HEADER, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def _draw_latency(axis: Any, places: Sequence[float], summaries: Sequence[Summary], style: str) -> None:
    for name in ("p50", "p95", "p99"):
        axis.plot(places, [getattr(summary, name) * 1000 for summary in summaries], style, label=name, markersize=4)
    if not all(math.isnan(summary.p50) for summary in summaries):
        axis.set_yscale("log")
    axis.set_ylabel("latency, ms")
    axis.legend(loc="upper left")


def _chart_over_time(run: Run) -> Any:
    """Draw offered and answered requests, latency, refusals and memory by the second."""
    panels = 3 if run.memory else 2
    figure, axes = plt.subplots(panels, 1, figsize=(10, 2.6 * panels), sharex=True, layout="constrained")
    seconds = range(run.seconds)
    begun = np.zeros(run.seconds)
    for sample in run.samples:
        begun[int(sample.began)] += 1
    axes[0].plot(seconds, [run.plan.offered(second) or 0 for second in seconds], "--", color="grey", label="offered")
    axes[0].plot(seconds, finished_per_second(run.samples, run.seconds), label="results")
    statuses = sorted({sample.status for sample in run.samples if not sample.answered})
    for status in statuses:
        counts = np.zeros(run.seconds)
        for sample in run.samples:
            if sample.status == status:
                counts[min(int(sample.began + sample.took), run.seconds - 1)] += 1
        axes[0].plot(seconds, counts, label="no answer" if status == NO_ANSWER else str(status))
    axes[0].set_ylabel("per second")
    axes[0].legend(loc="upper left")
    windows = [summarize(between(run.samples, second, second + 1), 1.0) for second in seconds]
    _draw_latency(axes[1], seconds, windows, "-")
    if run.memory:
        axes[2].plot(*zip(*run.memory, strict=True))
        axes[2].set(ylabel="memory, MiB", ylim=0)
    axes[-1].set_xlabel("seconds")
    for phase, start, _ in run.plan.spans():
        for axis in axes:
            axis.axvline(start, color="lightgrey", zorder=0)
        axes[0].annotate(phase.name, (start, 1), xycoords=("data", "axes fraction"), fontsize=8, va="bottom")
    return figure


def _chart_saturation(run: Run) -> Any:
    """Draw results and latency against the offered load, in steps of five seconds."""
    figure, (rates, latency) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    done = finished_per_second(run.samples, run.seconds)
    steps = [(start, start + 5) for start in range(0, max(1, int(run.plan.seconds) - 4), 5)]
    offered = [float(np.mean([run.plan.offered(second) or 0 for second in range(*step)])) for step in steps]
    rates.scatter(offered, [np.mean(done[slice(*step)]) for step in steps])
    rates.set(xlabel="offered per second", ylabel="results per second", xlim=0, ylim=0)
    _draw_latency(latency, offered, [summarize(between(run.samples, *step), 5.0) for step in steps], "o")
    latency.set(xlabel="offered per second", xlim=0)
    return figure


def write_report(run: Run, folder: Path) -> str:
    """Write load.html, load.txt, load.png and saturation.png into `folder`; return the report as text."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Run], Any]] = {"load.png": _chart_over_time, "saturation.png": _chart_saturation}
    charts = ""
    for name, draw in drawings.items():
        figure = draw(run)
        figure.savefig(folder / name, dpi=110)
        plt.close(figure)
        image = base64.b64encode((folder / name).read_bytes()).decode()
        charts += f'<h2>{_CHARTS[name]}</h2><img alt="{_CHARTS[name]}" src="data:image/png;base64,{image}">\n'
    page = _PAGE.format(
        verdict="FAILED" if faults(run.samples, run.plan) else "PASSED",
        target=html.escape(run.target),
        when=html.escape(run.when),
        machine=html.escape(run.machine),
        findings="".join(f"<li>{html.escape(finding)}</li>" for finding in findings(run)),
        phases=_html_table(_phase_rows(run)),
        sizes=_html_table(_size_rows(run)),
        charts=charts,
    )
    (folder / "load.html").write_text(page, encoding="utf-8")
    tables = _table(_phase_rows(run)), "", _table(_size_rows(run)), ""
    text = "\n".join([f"{run.target}, {run.when}", run.machine, "", *tables, *findings(run), ""])
    (folder / "load.txt").write_text(text, encoding="utf-8")
    return f"{text}Report: {folder / 'load.html'}"
