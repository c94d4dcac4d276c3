"""Hold the rows of the table of results, of one run or of several."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

RUNS = 3


class Row(NamedTuple):
    """Hold a line of the table: a ratio (×) or megabytes, the figures behind it in `unit`, and its bounds.

    `spread` has the lowest and the highest value of several runs.
    """

    what: str
    value: float
    figures: Mapping[str, float]
    unit: str
    max_value: float | None = None
    min_value: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def verdict(self) -> str:
        """Return whether all runs keep the bounds, none does, or some do. Without bounds, return an empty text."""
        if self.max_value is None and self.min_value is None:
            return ""
        low, high = self.spread or (self.value, self.value)
        kept = [
            (self.max_value is None or value <= self.max_value) and (self.min_value is None or value >= self.min_value)
            for value in (low, high)
        ]
        return "met" if all(kept) else "undecided" if any(kept) else "**missed**"


def combined(runs: Sequence[Row]) -> Row:
    """Return the row of several runs: the medians, and the spread of its value."""
    values = [run.value for run in runs]
    figures = {name: statistics.median(run.figures[name] for run in runs) for name in runs[0].figures}
    return runs[0]._replace(value=statistics.median(values), figures=figures, spread=(min(values), max(values)))


def table(rows: Sequence[Row]) -> str:
    """Return the rows in Markdown."""
    lines = ["| what | median | lowest to highest | bound | | of |", "| --- | ---: | ---: | ---: | --- | --- |"]
    for row in rows:
        times = "" if row.unit == "MB" else " ×"
        low, high = row.spread or (row.value, row.value)
        bounds = {"≤": row.max_value, "≥": row.min_value}
        bound = "".join(f"{sign} {value:g}{times}" for sign, value in bounds.items() if value is not None)
        figures = "; ".join(f"{name} {value:.4g} {row.unit}" for name, value in row.figures.items())
        spread = f"{low:.3g} to {high:.3g}"
        lines.append(f"| {row.what} | {row.value:.3g}{times} | {spread} | {bound} | {row.verdict} | {figures} |")
    return "\n".join(lines)
