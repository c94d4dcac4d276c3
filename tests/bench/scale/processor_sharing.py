"""Processors that requests share: n of them get one each, or where there are fewer, an n-th of all."""

from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Generic, TypeVar

Job = TypeVar("Job")


class SharedProcessors(Generic[Job]):
    """The processors of one instance and the jobs on them.

    Jobs get the same at any moment, so that one number tells what each has had, and a heap which is done first.
    """

    __slots__ = ("_attained", "_count", "_jobs", "_number", "_updated", "due")

    def __init__(self, number: float, now: float = 0.0) -> None:
        """`number` of processors, at least one; times are in seconds."""
        self._number, self._updated, self._attained = number, now, 0.0
        self._jobs: list[tuple[float, int, Job]] = []
        self._count = count()
        self.due = inf  # when the next job is done, if none is added before

    @property
    def busy(self) -> float:
        """How many processors are in use."""
        return min(float(len(self._jobs)), self._number)

    def add(self, now: float, seconds: float, job: Job) -> None:
        """A job that needs `seconds` of a processor begins."""
        self._attain(now)
        heappush(self._jobs, (self._attained + seconds, next(self._count), job))
        self._foresee()

    def take(self) -> Job:
        """Removes the job that is done at `due`."""
        self._updated = self.due
        self._attained, _, job = heappop(self._jobs)
        self._foresee()
        return job

    def _slowness(self) -> float:
        return max(1.0, len(self._jobs) / self._number)

    def _attain(self, now: float) -> None:
        self._attained += (now - self._updated) / self._slowness()
        self._updated = now

    def _foresee(self) -> None:
        jobs = self._jobs
        self.due = self._updated + max(0.0, jobs[0][0] - self._attained) * self._slowness() if jobs else inf
