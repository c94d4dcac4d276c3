"""Write the table and the chart of what was measured, with the machine and the versions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import matplotlib

from tests.bench.machine import machine

from .contenders import ENVIRONMENTS
from .row import RUNS, Row, table

matplotlib.use("svg")
from matplotlib import pyplot

FOLDER = Path(__file__).parents[1]
_NO_EMPTY_CACHE = """\
- Starts from an empty page cache were left out: they need root, to drop the cache.
"""
_SHOWN = ("cold start", "12 megapixels", "throughput")
_VERSIONS = {
    "serve": ("functions-framework", "gunicorn", "onnxruntime", "pillow", "numpy"),
    "export": ("tensorflow",),
    "bench-litert": ("ai-edge-litert",),
    "bench-litserve": ("litserve",),
    "bench-bentoml": ("bentoml",),
    "bench-fastapi": ("fastapi", "uvicorn"),
}


def _versions() -> str:
    found = []
    for environment, names in _VERSIONS.items():
        (packages,) = (ENVIRONMENTS / environment / "lib").glob("python*/site-packages")
        installed = {entry.name.lower(): entry.version for entry in distributions(path=[str(packages)])}
        found += [f"{name} {installed[name]}" for name in names]
    return ", ".join(found)


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw the figures of the rows that compare with others, as bars."""
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
    """Write RESULTS.md and results.svg into tests/bench."""
    draw(rows, FOLDER / "results.svg")
    (FOLDER / "RESULTS.md").write_text(
        f"""# Speed and memory, side by side

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, in {minutes:.0f} minutes; load before: {load:.1f}.

{table(rows)}

![The figures as bars](results.svg)

- Machine: {machine()}.
- Versions: {_versions()}.
- `median` and `lowest to highest` are of {RUNS} runs. In each, what is compared takes turns. A bound is `undecided` if
  some runs keep it. No bound fails the run.
- A cold start has the function's bytecode as the cloud's build writes it: checked by hash, with all times reset.
{"" if any(row.what.startswith("start from") for row in rows) else _NO_EMPTY_CACHE}\
- Every server has processes and an environment of its own and is warmed up alike. Clients and servers share the cores.
  A peer that names another species than this function on any photo stops the run.
- The peers run the same network in float and decode whole photos with Pillow, as their own examples do. LitServe,
  BentoML and FastAPI have two workers of one thread each. TensorFlow and LiteRT are functions on functions-framework.
- Memory is that of all processes of the server, with shared pages counted once (PSS).
- [README.md](README.md) says what each program measures, and [profile.txt](profile/profile.txt) where the time goes.
""",
        encoding="utf-8",
    )
