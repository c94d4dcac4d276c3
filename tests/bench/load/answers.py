"""Summarize a load test's answers: rates, percentiles, recovery and faults."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.load.plan import Plan

# Cloud Run answers 429 when all instances are busy, the function 503 when memory is. A client retries both.
REFUSED = (429, 503)
NO_ANSWER = 0
MAX_RECOVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Sample:
    """Hold a request: when it began (seconds from the start), how long it took, and its result.

    `status` is the HTTP status, or NO_ANSWER with the reason in `error`. `size` is the name of the photo's size.
    """

    began: float
    took: float
    status: int
    size: str
    error: str = ""

    @property
    def answered(self) -> bool:
        """Return whether it was answered with a result."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Summary:
    """Hold the requests of a period: their number, results per second, percentiles of seconds, and statuses."""

    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    statuses: dict[int, int]


def summarize(samples: Sequence[Sample], seconds: float) -> Summary:
    """Return the summary of samples that began within `seconds`. Percentiles without any answer are NaN."""
    took = [sample.took for sample in samples if sample.answered]
    p50, p95, p99 = np.percentile(took, [50, 95, 99]) if took else (np.nan,) * 3
    statuses = dict(sorted(Counter(sample.status for sample in samples).items()))
    return Summary(len(samples), len(took) / seconds, float(p50), float(p95), float(p99), statuses)


def between(samples: Sequence[Sample], start: float, end: float) -> list[Sample]:
    """Return the samples that began from `start` and before `end`."""
    return [sample for sample in samples if start <= sample.began < end]


def by_phase(samples: Sequence[Sample], plan: Plan) -> list[tuple[str, Summary]]:
    """Return the name and the summary of each phase."""
    return [(phase.name, summarize(between(samples, start, end), end - start)) for phase, start, end in plan.spans()]


def finished_per_second(samples: Sequence[Sample], seconds: int) -> list[int]:
    """Return the number of results that were complete in each second from the start."""
    counts = [0] * seconds
    for sample in samples:
        if sample.answered and sample.began + sample.took < seconds:
            counts[int(sample.began + sample.took)] += 1
    return counts


def max_sustained(samples: Sequence[Sample], seconds: int, window: int = 5) -> float:
    """Return the highest rate of results per second over `window` seconds."""
    counts = finished_per_second(samples, seconds)
    return max((sum(counts[at : at + window]) / window for at in range(len(counts) - window + 1)), default=0.0)


def recovery_seconds(samples: Sequence[Sample], plan: Plan) -> float | None:
    """Return the whole seconds after the spike until answers are as before, or infinity.

    They are as before if, in every later second, all requests get a result and half of them within twice the steady
    phase's 95th percentile. Return None for a plan without a spike.
    """
    spans = {phase.name: (start, end) for phase, start, end in plan.spans()}
    if "recovery" not in spans:
        return None
    usual = 2 * summarize(between(samples, *spans["steady"]), 1.0).p95
    start, end = spans["recovery"]
    recovered = None
    second = start
    while second < end:
        these = between(samples, second, min(second + 1, end))
        calm = all(sample.answered for sample in these) and np.median([s.took for s in these] or [0.0]) <= usual
        recovered = (second if recovered is None else recovered) if calm else None
        second += 1
    return np.inf if recovered is None else recovered - start


def faults(samples: Sequence[Sample], plan: Plan) -> list[str]:
    """Return what the server did wrong, in sentences."""
    found = []
    for status, count in sorted(Counter(sample.status for sample in samples).items()):
        if 200 <= status < 300 or status in REFUSED:
            continue
        errors = Counter(sample.error for sample in samples if sample.status == status and sample.error)
        reason = "".join(f"; {error} ({times})" for error, times in errors.most_common(3))
        found.append(f"{count} requests {'had no answer' if status == NO_ANSWER else f'got {status}'}{reason}")
    if not any(sample.answered for sample in samples):
        found.append("no request got a result")
    recovery = recovery_seconds(samples, plan)
    if recovery is not None and recovery > MAX_RECOVERY_SECONDS:
        took = "did not end" if recovery == np.inf else f"took {recovery:.0f} s"
        found.append(f"recovery from the spike {took}; the limit is {MAX_RECOVERY_SECONDS:.0f} s")
    return found
