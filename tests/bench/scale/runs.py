"""The simulation of the two functions at so many images a day: with what infra/ deploys, and with what they need."""

import math
from dataclasses import dataclass, replace
from functools import cache

from tests.bench.deployed import deployed
from tests.bench.scale.model import BURST_SECONDS, BURST_SHARE, DAY_SECONDS, PEAK, Settings
from tests.bench.scale.service import Outcome
from tests.bench.scale.simulation import poisson, simulate

# A fleet is simulated by a part of it that gets so many images a second at the peak: larger parts are used as evenly.
_PART_RATE = 250.0
# Images that a stretch should have, within so many seconds.
_IMAGES, _LEAST_SECONDS, _MOST_SECONDS = 20_000, 300.0, 14_400.0
# More instances than the peak wants, for bursts; and memory for sixteen of the heaviest photos at once (`make sizing`).
_SPARE, _MEMORY_GIB = 1.5, 2.0


def defaults(function: str) -> Settings:
    """What infra/ deploys when nothing else is asked for."""
    size = deployed("http" if function == "http" else "upload")
    memory = float(size["memory"].removesuffix("Gi")) if size["memory"].endswith("Gi") else 0.5
    return Settings(function, int(size["cpu"]), memory, int(size["concurrency"]), int(size["max_instances"]))


def fitted(function: str, images: float) -> Settings:
    """Settings for so many images a day: slots for what waits, room for the peak, no events of results."""
    usual = defaults(function)
    memory = max(_MEMORY_GIB, usual.memory_gib)
    settings = replace(usual, memory_gib=memory, concurrency=16, separate_results=function == "upload")
    wanted = settings.instances_for(PEAK * images / DAY_SECONDS) * _SPARE
    rounded = 10 ** max(0, math.floor(math.log10(wanted)) - 1)
    return replace(settings, max_instances=max(10, math.ceil(wanted / rounded) * rounded))


@dataclass(frozen=True)
class Runs:
    """Outcomes of a part of a fleet, one of so many `parts`: in ordinary hours (average, then peak), and in a burst."""

    parts: int
    hours: Outcome
    burst: Outcome


@cache
def simulated(settings: Settings, images: float) -> Runs | None:
    """What so many images a day come to; None where their average is more than the instances can serve."""
    mean = images / DAY_SECONDS
    if mean >= settings.most_a_second:
        return None
    most = max(1, round(PEAK * mean / _PART_RATE))
    parts = next(parts for parts in range(most, 0, -1) if settings.max_instances % parts == 0)
    service = replace(settings.service, max_instances=settings.max_instances // parts)
    share = mean / parts
    warm = min(service.max_instances, settings.instances_for(share))
    seconds = min(max(_IMAGES / share, _LEAST_SECONDS), _MOST_SECONDS)

    def outcome(*stretches: tuple[float, float]) -> Outcome:
        requests = poisson([(length, rate * settings.requests) for length, rate in stretches])
        return simulate(service, settings.kinds, requests, warm)

    burst = images * BURST_SHARE / BURST_SECONDS / parts
    return Runs(
        parts,
        outcome((seconds, share), (seconds, PEAK * share)),
        outcome((60.0, share), (BURST_SECONDS, burst), (600.0, share)),
    )
