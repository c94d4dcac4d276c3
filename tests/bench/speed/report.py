"""The table and the chart of what was measured, with the machine and the versions."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import matplotlib

from .contenders import ENVIRONMENTS
from .measure import Row

matplotlib.use("svg")
from matplotlib import pyplot

FOLDER = Path(__file__).parents[1]
_SHOWN = ("cold start", "12 megapixels", "throughput")
_VERSIONS = {
    "serve": ("functions-framework", "gunicorn", "onnxruntime", "pillow", "numpy"),
    "export": ("tensorflow",),
    "bench-litert": ("ai-edge-litert",),
    "bench-litserve": ("litserve",),
    "bench-bentoml": ("bentoml",),
    "bench-fastapi": ("fastapi", "uvicorn"),
}


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | measured | bound | | of |", "| --- | ---: | ---: | --- | --- |"]
    for row in rows:
        times = "" if row.unit == "MB" else " ×"
        bounds = {"≤": row.most, "≥": row.least}  # neither: a row for comparison
        bound = "".join(f"{sign} {value:g}{times}" for sign, value in bounds.items() if value is not None)
        met = "" if not bound else "met" if row.met else "**missed**"
        figures = "; ".join(f"{name} {value:.4g} {row.unit}" for name, value in row.figures.items())
        lines.append(f"| {row.what} | {row.value:.3g}{times} | {bound} | {met} | {figures} |")
    return "\n".join(lines)


def _machine() -> str:
    processor = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{processor}, {os.cpu_count()} cores of which {len(os.sched_getaffinity(0))} were used, {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def _versions() -> str:
    found = []
    for environment, names in _VERSIONS.items():
        (packages,) = (ENVIRONMENTS / environment / "lib").glob("python*/site-packages")
        installed = {entry.name.lower(): entry.version for entry in distributions(path=[str(packages)])}
        found += [f"{name} {installed[name]}" for name in names]
    return ", ".join(found)


def draw(rows: Sequence[Row], file: Path) -> None:
    """The figures of the rows that compare with others, as bars."""
    figure, axes = pyplot.subplots(1, len(_SHOWN), figsize=(13, 3.2), layout="constrained")
    for axis, kind in zip(axes, _SHOWN, strict=True):
        chosen = [row for row in rows if row.what.startswith(kind)]
        bars = {name: value for row in chosen for name, value in row.figures.items()}
        colours = ["#2b6cb0" if name == "this function" else "#b8c0cc" for name in bars]
        drawn = axis.barh(list(bars), list(bars.values()), color=colours)
        axis.bar_label(drawn, fmt=lambda value: f"{value:,.0f}", padding=3)
        axis.set_title(f"{kind} ({'photos a second' if chosen[0].unit == '/s' else 'milliseconds'})", fontsize=10)
        if max(bars.values()) > 10 * min(bars.values()):
            axis.set_xscale("log")
        axis.margins(x=0.15)
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    pyplot.rcParams["svg.fonttype"] = "none"
    figure.savefig(file, metadata={"Date": None})


def write(rows: Sequence[Row], load: float, minutes: float) -> None:
    """Writes RESULTS.md and results.svg into tests/bench."""
    draw(rows, FOLDER / "results.svg")
    (FOLDER / "RESULTS.md").write_text(
        f"""# Speed and memory, side by side

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, in {minutes:.0f} minutes; load before: {load:.1f}.

{table(rows)}

![The figures as bars](results.svg)

- Machine: {_machine()}.
- Versions: {_versions()}.
- Every server is a real process with an environment of its own, warmed alike; clients and servers share the cores.
  What is compared takes turns, and each figure is a median. A peer that names another species than this function on
  any of the photos stops the run.
- The peers run the same network in float and decode photos whole with Pillow, as their own examples do. LitServe,
  BentoML and FastAPI have two workers of one thread each. TensorFlow and LiteRT are functions on functions-framework.
- Memory is that of all the server's processes, pages that they share counted once (PSS).
- [PROFILE.md](profile/PROFILE.md) says where the time goes.
""",
        encoding="utf-8",
    )
