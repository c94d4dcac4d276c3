"""How many instances Cloud Run wants, by what its documentation says of it."""

from collections import deque
from math import ceil

# https://cloud.google.com/run/docs/about-instance-autoscaling, as read on 2026-11-23 from stored copies: it aims
# at 60 % of processors and of concurrency over one minute, looks every 5 s, and keeps an idle instance for 15 minutes.
TARGET = 0.6
_WINDOW_SECONDS = 60.0
TICK_SECONDS = 5.0
IDLE_SECONDS = 900.0


class Autoscaler:
    """Sums up what is in use, and says from the last minute how many instances should serve."""

    def __init__(self, cpu: float, concurrency: int) -> None:
        """`cpu` processors and `concurrency` slots an instance."""
        self._cpu, self._concurrency = cpu, concurrency
        self._processors = self._slots = self._processor_seconds = self._slot_seconds = self._now = 0.0
        self._past = deque([(0.0, 0.0, 0.0)])

    def change(self, now: float, processors: float = 0.0, slots: int = 0) -> None:
        """So many more (or fewer) processors and slots are in use from `now` on."""
        elapsed, self._now = now - self._now, now
        self._processor_seconds += self._processors * elapsed
        self._slot_seconds += self._slots * elapsed
        self._processors += processors
        self._slots += slots

    def wanted(self, now: float) -> int:
        """The number of instances that would be used to 60 %; to be asked every `TICK_SECONDS`."""
        self.change(now)
        self._past.append((now, self._processor_seconds, self._slot_seconds))
        if now - self._past[0][0] > _WINDOW_SECONDS:
            self._past.popleft()
        since, processor_seconds, slot_seconds = self._past[0]
        by_processors = (self._processor_seconds - processor_seconds) / self._cpu
        by_slots = (self._slot_seconds - slot_seconds) / self._concurrency
        return ceil(max(by_processors, by_slots) / (now - since) / TARGET)
