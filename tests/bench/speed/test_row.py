"""Test the rows of the table of results."""

import pytest

from tests.bench.speed.row import Row, combined, table


def runs(*values: float) -> Row:
    """Return a row of several runs with a bound of 1.5."""
    return combined([Row("start", value, {"this": 100 * value}, "ms", max_value=1.5) for value in values])


def test_combined_row_has_median_and_spread() -> None:
    row = runs(1.7, 1.2, 1.3)
    assert (row.value, row.spread, row.figures) == (1.3, (1.2, 1.7), {"this": 130})


@pytest.mark.parametrize(
    ("values", "verdict"), [((1.2, 1.5), "met"), ((1.2, 1.6), "undecided"), ((1.6, 1.7), "**missed**")]
)
def test_verdict_depends_on_all_runs(values: tuple[float, ...], verdict: str) -> None:
    assert runs(*values).verdict == verdict
    assert table([runs(*values)]).endswith(f"| ≤ 1.5 × | {verdict} | this {50 * sum(values):.4g} ms |")


def test_row_without_bounds_has_no_verdict() -> None:
    assert Row("memory", 12.0, {}, "MB").verdict == ""
    assert Row("memory", 12.0, {}, "MB", min_value=13).verdict == "**missed**"
