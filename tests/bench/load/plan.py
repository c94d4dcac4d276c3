"""Plan the phases of a load test: how many requests per second are offered when."""

from dataclasses import dataclass
from typing import Literal

PhaseName = Literal["steady", "ramp", "calm", "spike", "recovery", "soak"]
PROFILES = ("all", "steady", "ramp", "spike", "soak")


@dataclass(frozen=True)
class Phase:
    """Hold a phase of load that changes evenly from `first` to `last` requests per second."""

    name: PhaseName
    seconds: float
    first: float
    last: float


@dataclass(frozen=True)
class Plan:
    """Hold phases in their order. Each offered request per second is one user, who asks once a second on average."""

    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """Return the length of all phases."""
        return sum(phase.seconds for phase in self.phases)

    def spans(self) -> list[tuple[Phase, float, float]]:
        """Return each phase with its start and end, seconds from the start of the test."""
        spans, start = [], 0.0
        for phase in self.phases:
            spans.append((phase, start, start + phase.seconds))
            start += phase.seconds
        return spans

    def offered(self, second: float) -> float | None:
        """Return the requests per second that are offered at a time, or None when the test is over."""
        for phase, start, end in self.spans():
            if second < end:
                return phase.first + (phase.last - phase.first) * (second - start) / phase.seconds
        return None


def plan(profile: str, rate: float, peak: float, scale: float = 1.0, soak_minutes: float = 30.0) -> Plan:
    """Return the phases of a profile: `rate` is the steady load and `peak` the highest, in requests per second.

    `scale` multiplies the length of all phases but a soak's. Raise `ValueError` for an unknown profile.
    """
    steady = Phase("steady", 40 * scale, rate, rate)
    ramp = Phase("ramp", 60 * scale, rate, peak)
    calm = Phase("calm", 15 * scale, rate, rate)
    spike = (Phase("spike", 20 * scale, peak, peak), Phase("recovery", 30 * scale, rate, rate))
    phases: dict[str, tuple[Phase, ...]] = {
        "all": (steady, ramp, calm, *spike),
        "steady": (steady,),
        "ramp": (steady, ramp, calm),
        "spike": (steady, *spike),
        "soak": (Phase("soak", soak_minutes * 60, rate, rate),),
    }
    if profile not in phases:
        raise ValueError(f"unknown profile {profile}; choose from {', '.join(PROFILES)}")
    return Plan(phases[profile])
