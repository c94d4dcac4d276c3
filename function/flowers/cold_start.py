"""What an instance's start took, phase by phase, told once: in the log entry of its first answer."""

import logging
import os
import time
from pathlib import Path

# Fields that an entry has which tells of an answer: of a request, of an event's object, of a malformed event.
_ANSWERS = frozenset({"httpRequest", "object", "event_id"})

_loaded = time.perf_counter()


def _age_of_process() -> float | None:
    """Seconds since this process was started, to a hundredth; None where the system does not say."""
    try:
        # Field 22 of proc(5)'s stat, in ticks since boot; the second, a name in brackets, may hold spaces.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError):  # macOS and Windows have neither
        return None


_age_when_loaded = _age_of_process()


class ColdStart(logging.Filter):
    """Adds `cold_start` and `startup_ms` to the first entry of a log that tells of an answer.

    The phases, in milliseconds, one after the other: `framework` from the start of the process until this package is
    loaded, what `end` names, and `first_answer`: the server's own start, the wait for a request, and its answer. A
    forked worker tells its own first answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ended = _loaded
        self._phases = {} if _age_when_loaded is None else {"framework": round(_age_when_loaded * 1000, 1)}
        self._untold = [True]

    def end(self, phase: str) -> None:
        """Ends a phase of the start, and begins the next."""
        now = time.perf_counter()
        self._phases[phase] = round((now - self._ended) * 1000, 1)
        self._ended = now

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass; one of the answers that several threads give first gets the fields."""
        fields = getattr(record, "fields", {})
        if self._untold and not _ANSWERS.isdisjoint(fields):
            try:
                self._untold.pop()
            except IndexError:  # another thread was faster
                return True
            self.end("first_answer")
            record.fields = {**fields, "cold_start": True, "startup_ms": self._phases}
        return True
