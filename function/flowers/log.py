"""Logs as lines of JSON that Cloud Logging understands."""

import logging
import os
import sys

from .documents import to_json

_TRACE = "logging.googleapis.com/trace"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {"severity": record.levelname, "message": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            entry["message"] += "\n" + self.formatException(record.exc_info)
        # Half of a surrogate pair, which no stream takes, becomes its escape in JSON.
        return to_json(entry).encode(errors="backslashreplace").decode()


def configure_logging(level: str) -> logging.Logger:
    """The logger of the function, writing one line of JSON an entry to standard output, from `level` upwards.

    Further fields of an entry are given as `extra={"fields": {…}}`.
    """
    # No entry says which line of code, thread or process it is from, so nobody has to find out
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter())
    logger = logging.getLogger("flowers")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
    return logger


def trace_fields(header: str | None) -> dict[str, str]:
    """The log field that ties an entry to its request, from `X-Cloud-Trace-Context: TRACE/SPAN;o=1`."""
    trace = (header or "").partition("/")[0]
    project = os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not trace:
        return {}
    return {_TRACE: f"projects/{project}/traces/{trace}" if project else trace}
