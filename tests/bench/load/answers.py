"""What a load test's answers say: rates, percentiles, recovery, and the verdict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.load.plan import Plan

# 429 is Cloud Run's own answer where all instances are busy, 503 the function's; both ask to come again.
REFUSED = (429, 503)
NO_ANSWER = 0
MOST_RECOVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Sample:
    """A request: when it began (seconds from the start), what it took (seconds), and what came of it.

    `status` is the HTTP code, or NO_ANSWER with the reason in `error`; `size` names the photo's.
    """

    began: float
    took: float
    status: int
    size: str
    error: str = ""

    @property
    def answered(self) -> bool:
        """Whether it was answered with a result."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Summary:
    """Requests of a stretch of time: how many, results a second, seconds that results took, how many of each status."""

    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    statuses: dict[int, int]


def summarize(samples: Sequence[Sample], seconds: float) -> Summary:
    """The summary of samples that began within `seconds`; percentiles are NaN where nothing was answered."""
    took = [sample.took for sample in samples if sample.answered]
    p50, p95, p99 = np.percentile(took, [50, 95, 99]) if took else (np.nan,) * 3
    statuses = dict(sorted(Counter(sample.status for sample in samples).items()))
    return Summary(len(samples), len(took) / seconds, float(p50), float(p95), float(p99), statuses)


def between(samples: Sequence[Sample], start: float, end: float) -> list[Sample]:
    """The samples that began from `start` and before `end`."""
    return [sample for sample in samples if start <= sample.began < end]


def by_phase(samples: Sequence[Sample], plan: Plan) -> list[tuple[str, Summary]]:
    """A summary of each phase, by the phase's name."""
    return [(phase.name, summarize(between(samples, start, end), end - start)) for phase, start, end in plan.spans()]


def finished_per_second(samples: Sequence[Sample], seconds: int) -> list[int]:
    """Results that were complete in each second from the start."""
    counts = [0] * seconds
    for sample in samples:
        if sample.answered and sample.began + sample.took < seconds:
            counts[int(sample.began + sample.took)] += 1
    return counts


def most_sustained(samples: Sequence[Sample], seconds: int, window: int = 5) -> float:
    """The highest rate of results, a second, over any `window` seconds on end."""
    counts = finished_per_second(samples, seconds)
    return max((sum(counts[at : at + window]) / window for at in range(len(counts) - window + 1)), default=0.0)


def recovery_seconds(samples: Sequence[Sample], plan: Plan) -> float | None:
    """Seconds after the spike until things are as in the steady phase, to a second; infinite where they never are.

    They are as before once, in every later second, all requests get a result, half of them within twice the steady
    phase's 95th percentile. None for a plan without a spike.
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
    """What a server must not do and this one did; nothing where it passes."""
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
    if recovery is not None and recovery > MOST_RECOVERY_SECONDS:
        took = "did not end" if recovery == np.inf else f"took {recovery:.0f} s"
        found.append(f"recovery from the spike {took}; {MOST_RECOVERY_SECONDS:.0f} s is the most")
    return found
