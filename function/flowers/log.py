"""Write logs as lines of JSON that Cloud Logging understands."""

import logging
import os
import re
import sys
import threading
import time
from types import TracebackType

from . import process
from .documents import ResultDocument, to_json

_TRACE = "logging.googleapis.com/trace"
_GOOGLE_TRACE = re.compile(r"([0-9A-Za-z_-]{1,64})(?:/|$)")
_W3C_TRACE = re.compile(
    r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*"
)  # www.w3.org/TR/trace-context
# An entry with one of these fields is about an answer: to a request, an upload, or a malformed event.
_ANSWERS = frozenset({"httpRequest", "object", "event_id"})


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {"severity": record.levelname, "message": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            entry["message"] += "\n" + self.formatException(record.exc_info)
        # No stream takes half of a surrogate pair: write it as an escape.
        return to_json(entry).encode(errors="backslashreplace").decode()


def configure_logging() -> logging.Logger:
    """Return the function's logger. It writes entries as lines of JSON to standard output, by default from INFO.

    Pass further fields of an entry as `extra={"fields": {…}}`.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter())
    logger = logging.getLogger("flowers")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def log_everything() -> None:
    """Also write the logs of other libraries, Python's warnings and uncaught errors as lines of JSON.

    On a terminal, they stay plain text. Call `configure_logging` first.
    """
    if sys.stderr.isatty():
        return
    (handler,) = logging.getLogger("flowers").handlers
    root = logging.getLogger()
    root.handlers = [*(one for one in root.handlers if not isinstance(one.formatter, _JsonFormatter)), handler]
    logging.captureWarnings(True)
    process.log_server_errors(handler)
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _log_uncaught
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda uncaught: _log_uncaught(*uncaught[:3])


def _log_uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    found = error or kind()
    logging.getLogger("flowers").critical("%s: %s", kind.__name__, found, exc_info=(kind, found, traceback))


def trace_id(google: str | None, w3c: str | None) -> str | None:
    """Return the trace of a request from `X-Cloud-Trace-Context: TRACE/SPAN;o=1`, or else W3C's `traceparent`."""
    match = _GOOGLE_TRACE.match(google or "") or _W3C_TRACE.fullmatch(w3c or "")
    return match[1] if match else None


def trace_fields(google: str | None, w3c: str | None = None) -> dict[str, str]:
    """Return the log field that ties an entry to its request, from the headers that `trace_id` reads."""
    trace = trace_id(google, w3c)
    project = os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not trace:
        return {}
    return {_TRACE: f"projects/{project}/traces/{trace}" if project else trace}


def result_fields(document: ResultDocument) -> dict[str, str | float | bool]:
    """Return the log fields that the metrics of quality count (infra/monitoring.tf)."""
    return {
        "event": "classified",
        "label": document["predictions"][0]["label"],
        "confidence": document["confidence"],
        "identified": document["identified"],
    }


class ColdStart(logging.Filter):
    """Add `cold_start` and `startup_ms` to the first log entry about an answer.

    The phases, in milliseconds, follow each other: `framework` from the start of the process until this package is
    loaded, what `end` names, and `first_answer`: the server's start, the wait for a request, and its answer. Each
    forked worker reports its own first answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ended = process.LOADED_AT
        self._phases = (
            {} if process.AGE_WHEN_LOADED is None else {"framework": round(process.AGE_WHEN_LOADED * 1000, 1)}
        )
        self._untold = [True]

    def end(self, phase: str) -> None:
        """End a phase of the start, and begin the next."""
        now = time.perf_counter()
        self._phases[phase] = round((now - self._ended) * 1000, 1)
        self._ended = now

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, and add the fields to the first one about an answer."""
        fields = getattr(record, "fields", {})
        if self._untold and not _ANSWERS.isdisjoint(fields):
            try:
                self._untold.pop()
            except IndexError:  # another thread was faster
                return True
            self.end("first_answer")
            record.fields = {**fields, "cold_start": True, "startup_ms": self._phases}
        return True
