"""A service on Cloud Run, request by request: what its users wait for, and what its owner pays for.

    arrival ── a free slot ────────────────> waits for storage ──> shares the instance's processors ──> answered
       │  └── none ──> queue ── slot free or instance started in time ──────┘
       │                └── else 429 ──> an upload's event comes again later; a caller's request is lost
       └── meanwhile the autoscaler looks every five seconds at the last minute

Traffic goes to the least busy of the instances that the autoscaler wants, so that the others fall idle and end; how
Cloud Run routes is not documented.

Not on simpy: it has no processor sharing and no autoscaler, and its event loop, which would be left, is two lines here.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import accumulate, count
from math import ceil, inf, nan
from typing import Any

import numpy as np

from tests.bench.scale.autoscaler import IDLE_SECONDS, TICK_SECONDS, Autoscaler
from tests.bench.scale.processor_sharing import SharedProcessors
from tests.bench.scale.service import Kind, Outcome, Service

# https://cloud.google.com/run/docs/about-instance-autoscaling, as read on 2026-11-23 from stored copies: a request
# without an instance waits 10 s, or 3.5 times as long as a start takes if that is longer, and then gets a 429.
_PATIENCE_SECONDS, _PATIENCE_STARTS = 10.0, 3.5
# https://cloud.google.com/eventarc/docs/retry-events, likewise: pauses from 10 s to 600 s, given up after 24 hours.
_FIRST_PAUSE, _LONGEST_PAUSE, RETENTION_SECONDS = 10.0, 600.0, 86_400.0
# Active time is billed in steps of 100 ms: https://cloud.google.com/run/pricing
_BILLED_STEPS = 10


def poisson(stretches: Sequence[tuple[float, float]], seed: int = 1) -> Iterator[float]:
    """Times of arrivals at random, for stretches of (seconds, arrivals a second) one after the other."""
    draw = random.Random(seed).expovariate  # noqa: S311  # the same in each run
    end = 0.0
    for seconds, rate in stretches:
        start, end = end, end + seconds
        time = start + draw(rate)
        while time < end:
            yield time
            time += draw(rate)


class _Request:
    __slots__ = ("arrived", "attempts", "cold", "instance", "kind", "queued")
    instance: "_Instance"

    def __init__(self, arrived: float, kind: Kind) -> None:
        self.arrived, self.kind, self.attempts, self.queued, self.cold = arrived, kind, 0, False, False


class _Instance:
    """`active`, and billed, while it starts or has requests; `since` is when that last changed."""

    __slots__ = ("active", "in_flight", "processors", "ready", "since", "started")

    def __init__(self, cpu: float, now: float, ready: bool) -> None:
        self.ready, self.active, self.started, self.since, self.in_flight = ready, not ready, now, now, 0
        self.processors: SharedProcessors[_Request] = SharedProcessors(cpu, now)


class _Simulation:
    def __init__(self, service: Service, kinds: Sequence[Kind], warm: int, clients: int, seed: int) -> None:
        self.service, self.kinds, self.clients = service, kinds, clients
        self.now, self.billed, self.lived, self.peak, self.wanted = 0.0, 0.0, 0.0, warm, warm
        self.instances = [_Instance(service.cpu, 0.0, ready=True) for _ in range(warm)]
        self.autoscaler = Autoscaler(service.cpu, service.concurrency)
        self.events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self.number = count()
        self.queue: deque[_Request] = deque()
        self.patience = max(_PATIENCE_SECONDS, _PATIENCE_STARTS * service.start_seconds)
        self.requests = self.refused = self.lost = self.cold = self.served = self.open = 0
        self.latencies: list[float] = []
        self.random = random.Random(f"kinds {seed}")  # noqa: S311  # not the draws of `poisson`
        self.shares = list(accumulate(kind.share for kind in kinds))

    def run(self, arrivals: Iterator[float], until: float) -> None:
        self.at(TICK_SECONDS, self.scale, None)
        coming = next(arrivals, inf)
        while coming < inf or self.open:
            if min(coming, self.events[0][0]) > until:
                self.now = until
                break
            if coming <= self.events[0][0]:
                self.now = coming
                self.arrive()
                coming = next(arrivals, inf)
            else:
                self.now, _, act, subject = heappop(self.events)
                act(subject)
        self.open = 0
        for instance in self.instances:
            self.rest(instance)
            self.lived += self.now - instance.started

    def at(self, time: float, act: Callable[[Any], None], subject: Any) -> None:
        heappush(self.events, (time, next(self.number), act, subject))

    def arrive(self) -> None:
        self.requests += 1
        self.open += 1
        (kind,) = self.random.choices(self.kinds, cum_weights=self.shares)
        self.offer(_Request(self.now, kind))

    def offer(self, request: _Request) -> None:
        if not self.queue and (instance := self.free()):
            self.serve(request, instance)
            return
        request.queued = True
        self.queue.append(request)
        self.at(self.now + self.patience, self.give_up, request)
        if len(self.queue) > self.service.concurrency * sum(not each.ready for each in self.instances):
            self.start(1)

    def free(self) -> _Instance | None:
        best, fewest = None, self.service.concurrency
        for place, instance in enumerate(self.instances):
            if best and (not fewest or place >= self.wanted):
                break
            if instance.ready and instance.in_flight < fewest:
                best, fewest = instance, instance.in_flight
        return best

    def serve(self, request: _Request, instance: _Instance) -> None:
        self.autoscaler.change(self.now, slots=1)
        if not instance.active:
            instance.active, instance.since = True, self.now
        instance.in_flight += 1
        request.instance = instance
        self.at(self.now + request.kind.waiting_seconds, self.compute, request)

    def compute(self, request: _Request) -> None:
        processors = request.instance.processors
        before = processors.busy
        processors.add(self.now, request.kind.cpu_seconds, request)
        self.autoscaler.change(self.now, processors=processors.busy - before)
        self.at(processors.due, self.complete, request.instance)

    def complete(self, instance: _Instance) -> None:
        processors = instance.processors
        if self.now != processors.due:
            return  # others came since this was foreseen
        before = processors.busy
        request = processors.take()
        self.autoscaler.change(self.now, processors=processors.busy - before, slots=-1)
        if processors.due < inf:
            self.at(processors.due, self.complete, instance)
        instance.in_flight -= 1
        self.open -= 1
        self.served += 1
        if request.kind.awaited:
            self.cold += request.cold
            self.latencies.append(self.now - request.arrived)
        self.fill(instance, cold=False)
        if self.clients:
            self.arrive()
        self.rest(instance)

    def fill(self, instance: _Instance, cold: bool) -> None:
        while self.queue and instance.in_flight < self.service.concurrency:
            request = self.queue.popleft()
            request.queued, request.cold = False, cold
            self.serve(request, instance)

    def rest(self, instance: _Instance) -> None:
        """Bills its active time if it has no more to do, or all is over."""
        if instance.active and (not instance.in_flight or not self.open):
            self.billed += ceil(round((self.now - instance.since) * _BILLED_STEPS, 6)) / _BILLED_STEPS
            instance.active, instance.since = False, self.now

    def give_up(self, request: _Request) -> None:
        if not request.queued:
            return
        self.queue.popleft()  # all wait equally long, so that it is the first
        request.queued = False
        self.refused += 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**request.attempts)
        if self.service.retries and self.now + pause - request.arrived <= RETENTION_SECONDS:
            request.attempts += 1
            self.at(self.now + pause, self.offer, request)
        else:
            self.lost += 1
            self.open -= 1

    def start(self, more: int) -> None:
        for _ in range(min(more, self.service.max_instances - len(self.instances))):
            instance = _Instance(self.service.cpu, self.now, ready=False)
            self.instances.append(instance)
            self.at(self.now + self.service.start_seconds, self.ready, instance)
        self.peak = max(self.peak, len(self.instances))

    def ready(self, instance: _Instance) -> None:
        instance.ready = True
        self.fill(instance, cold=True)
        self.rest(instance)

    def scale(self, _: None) -> None:
        fewest = self.service.min_instances
        self.wanted = min(max(self.autoscaler.wanted(self.now), fewest), self.service.max_instances)
        self.start(self.wanted - len(self.instances))
        kept: list[_Instance] = []
        for instance in self.instances:
            if len(kept) < fewest or instance.active or instance.since > self.now - IDLE_SECONDS:
                kept.append(instance)
            else:
                self.lived += self.now - instance.started
        self.instances = kept
        self.at(self.now + TICK_SECONDS, self.scale, None)


def simulate(
    service: Service,
    kinds: Sequence[Kind],
    arrivals: Iterable[float] = (),
    warm: int = 0,
    clients: int = 0,
    seconds: float = inf,
    seed: int = 1,
) -> Outcome:
    """Serves requests that arrive at these times, in order, or `clients` who each ask again once they are answered.

    `warm` instances run at the beginning. Ends after `seconds`, or when all is answered.
    """
    run = _Simulation(service, kinds, warm, clients, seed)
    run.run(iter([0.0] * clients if clients else arrivals), seconds)
    took = run.latencies or [nan]
    return Outcome(
        seconds=run.now,
        requests=run.requests,
        served=run.served,
        refused=run.refused,
        lost=run.lost,
        mean=float(np.mean(took)),
        p50=float(np.percentile(took, 50)),
        p95=float(np.percentile(took, 95)),
        p99=float(np.percentile(took, 99)),
        cold=run.cold / len(took),
        peak_instances=run.peak,
        mean_instances=run.lived / run.now,
        billed_seconds=run.billed,
    )
