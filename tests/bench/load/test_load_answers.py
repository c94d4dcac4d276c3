"""Test the plan and the summary of a load test on cases computed by hand."""

import math
from collections.abc import Iterator

import pytest

from tests.bench.load.answers import (
    NO_ANSWER,
    Sample,
    by_phase,
    faults,
    finished_per_second,
    max_sustained,
    recovery_seconds,
    summarize,
)
from tests.bench.load.plan import PROFILES, plan

# steady 0..40 s, spike 40..60 s, recovery 60..90 s
SPIKE = plan("spike", rate=1, peak=10)


def even(start: int, end: int, took: float, status: int = 200) -> Iterator[Sample]:
    """Yield two requests in each second."""
    return (Sample(second + half, took, status, "small") for second in range(start, end) for half in (0.0, 0.5))


def test_plan_rises_jumps_and_falls() -> None:
    whole = plan("all", rate=10, peak=200)
    assert [phase.name for phase in whole.phases] == ["steady", "ramp", "calm", "spike", "recovery"]
    offered = {second: whole.offered(second) for second in (0, 39.9, 70, 100, 114.9, 115, 134.9, 135, 164.9, 165)}
    assert list(offered.values()) == [10, 10, 105, 10, 10, 200, 200, 10, 10, None]
    assert plan("soak", 5, 10, soak_minutes=60).seconds == 3600
    assert all(plan(profile, 1, 2, scale=0.1).seconds < 1900 for profile in PROFILES)
    with pytest.raises(ValueError, match="choose from all, steady"):
        plan("wave", 1, 2)


def test_summary_times_only_results() -> None:
    samples = [Sample(0, (number + 1) / 100, 200, "small") for number in range(101)]
    summary = summarize([*samples, Sample(1, 30, 503, "small"), Sample(1, 60, NO_ANSWER, "small", "Timeout")], 10)
    assert summary.statuses == {0: 1, 200: 101, 503: 1}
    assert (summary.requests, summary.rate) == (103, 10.1)
    assert (summary.p50, summary.p95, summary.p99) == pytest.approx((0.51, 0.96, 1.0))
    assert math.isnan(summarize([], 1).p50)


def test_results_count_when_they_are_complete() -> None:
    samples = [Sample(0.2, 0.1, 200, "small"), Sample(0.9, 0.2, 200, "small"), Sample(1.5, 0.1, 503, "small")]
    assert finished_per_second(samples, 3) == [1, 1, 0]
    assert max_sustained(samples, 3, window=2) == 1.0
    assert [name for name, _ in by_phase(samples, SPIKE)] == ["steady", "spike", "recovery"]


def test_recovery_ends_when_answers_stay_quick() -> None:
    before, during = [*even(0, 40, 0.1)], [*even(40, 60, 5.0)]
    assert recovery_seconds([*before, *during, *even(60, 90, 0.1)], SPIKE) == 0
    assert recovery_seconds([*before, *during, *even(60, 64, 0.3), *even(64, 90, 0.2)], SPIKE) == 4
    relapse = [*even(60, 70, 0.1), *even(70, 71, 0.1, 503), *even(71, 90, 0.1)]
    assert recovery_seconds([*before, *during, *relapse], SPIKE) == 11
    assert recovery_seconds([*before, *during, *even(60, 90, 0.3)], SPIKE) == math.inf
    assert recovery_seconds(before, plan("steady", 1, 1)) is None


def test_faults_allow_results_and_refusals() -> None:
    assert faults([*even(0, 40, 0.1), *even(40, 60, 1, 429), *even(60, 90, 0.1), *even(41, 42, 9, 503)], SPIKE) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Sample(50, 0.1, 500, "small", "HTTPError"), "1 requests got 500; HTTPError (1)"),
        (Sample(50, 0.1, 400, "small"), "1 requests got 400"),
        (Sample(50, 60, NO_ANSWER, "small", "ReadTimeout"), "1 requests had no answer; ReadTimeout (1)"),
    ],
)
def test_faults_name_other_statuses(wrong: Sample, told: str) -> None:
    assert faults([*even(0, 90, 0.1), wrong], SPIKE) == [told]


def test_faults_name_late_recovery_and_no_result() -> None:
    assert faults([*even(0, 40, 0.1), *even(40, 75, 5), *even(75, 90, 0.1)], SPIKE) == [
        "recovery from the spike took 15 s; the limit is 10 s"
    ]
    assert faults([*even(0, 40, 0.1), *even(40, 90, 5)], SPIKE) == [
        "recovery from the spike did not end; the limit is 10 s"
    ]
    assert faults([*even(0, 30, 0.1, 429)], plan("steady", 1, 1)) == ["no request got a result"]
