"""What is simulated: a service on Cloud Run, the requests that it gets, and what became of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """What is deployed: processors of an instance, requests it takes at once, most and fewest instances, and the
    seconds from an instance's start until it can answer. `retries`: refused requests come again, as events do."""

    cpu: float
    concurrency: int
    max_instances: int
    start_seconds: float
    min_instances: int = 0
    retries: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of requests: how many of all (in proportion to the others' `share`), seconds of one processor, and before
    those seconds of waiting for storage, which hold the slot. Latency is of those that somebody `awaits`."""

    share: float
    cpu_seconds: float
    waiting_seconds: float = 0.0
    awaited: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of the requests of `seconds`, and what served them.

    `refused` counts answers of 429, `lost` requests that never got another.
    Latency is in seconds from the first arrival, queue and retries included; NaN where nothing was served. `cold` is
    the share that waited for an instance's start. Billed are the seconds in which instances start or have requests.
    """

    seconds: float
    requests: int
    served: int
    refused: int
    lost: int
    mean: float
    p50: float
    p95: float
    p99: float
    cold: float
    peak_instances: int
    mean_instances: float
    billed_seconds: float
