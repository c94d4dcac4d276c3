"""How many requests a second are offered when: the phases of a load test."""

from dataclasses import dataclass
from typing import Literal

PhaseName = Literal["steady", "ramp", "calm", "spike", "recovery", "soak"]
PROFILES = ("all", "steady", "ramp", "spike", "soak")


@dataclass(frozen=True)
class Phase:
    """`seconds` of load that goes evenly from `first` to `last` requests offered a second."""

    name: PhaseName
    seconds: float
    first: float
    last: float


@dataclass(frozen=True)
class Plan:
    """Phases one after the other. An offered request is a user's, who asks once a second on average."""

    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """How long all of it takes."""
        return sum(phase.seconds for phase in self.phases)

    def spans(self) -> list[tuple[Phase, float, float]]:
        """Each phase with its beginning and end, seconds from the start."""
        spans, start = [], 0.0
        for phase in self.phases:
            spans.append((phase, start, start + phase.seconds))
            start += phase.seconds
        return spans

    def offered(self, second: float) -> float | None:
        """Requests offered a second at a time from the start; None when it is over."""
        for phase, start, end in self.spans():
            if second < end:
                return phase.first + (phase.last - phase.first) * (second - start) / phase.seconds
        return None


def plan(profile: str, rate: float, peak: float, scale: float = 1.0, soak_minutes: float = 30.0) -> Plan:
    """The phases of a profile: `rate` is the steady load and `peak` the highest, requests a second.

    `scale` stretches all phases but a soak's. Raises `ValueError` for an unknown profile.
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
        raise ValueError(f"there is no profile {profile}: choose one of {', '.join(PROFILES)}")
    return Plan(phases[profile])
