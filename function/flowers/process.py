"""Change what concerns the whole process: environment variables, memory, garbage collection, the server's defaults.

The package imports this module first, so that environment variables are set before the libraries that read them.
"""

import ctypes
import functools
import gc
import importlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
# Smaller blocks hold a photo's bytes and what a draft decodes; larger ones whole pictures, in Pillow's 16 MiB blocks.
_LARGE_BLOCK_BYTES = 4 * 1024 * 1024
# Google's front ends keep idle connections to a server for 600 seconds
# (https://cloud.google.com/load-balancing/docs/https/request-distribution).
_IDLE_SECONDS = 650

LOADED_AT = time.perf_counter()


def _age_of_process() -> float | None:
    """Return the seconds since this process was started, or None if the system does not tell."""
    try:
        # Field 22 of proc(5)'s stat, in ticks since boot; the second, a name in brackets, may hold spaces.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError):  # macOS and Windows have neither
        return None


AGE_WHEN_LOADED = _age_of_process()

# NumPy's linear algebra, unused here, otherwise starts a thread for each processor at its import and after a fork.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# onnxruntime otherwise sends usage data to its maker, from a thread on which a forked worker hangs at its end (its
# Privacy.md documents the variable).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Cloud Storage's client otherwise asks for the bucket after each look-up that finds nothing, for traces unused here.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")


def return_large_blocks() -> None:
    """Tune glibc malloc so that large freed blocks return to the system. Do nothing with other C libraries.

    By default glibc keeps such blocks for each thread: eight threads that decode a large picture one after the other
    hold eight pictures, and `PixelBudget` limits nothing (mallopt(3), "Dynamic threshold"). Smaller blocks are kept for
    the next photo.
    """
    with suppress(OSError, AttributeError):
        glibc = ctypes.CDLL(None)
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        glibc.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE_BLOCK_BYTES)


def keep_connections() -> None:
    """Let gunicorn keep idle connections longer than callers do, so that callers close them.

    gunicorn closes after two seconds by default, and a request sent at that moment is reset. functions-framework has no
    option for it. It starts gunicorn after the function is loaded, with these defaults.
    """
    with suppress(ImportError):  # Windows has another server
        from gunicorn.config import Keepalive

        Keepalive.default = _IDLE_SECONDS


def listen_on_vertex_port() -> None:
    """Let functions-framework listen where Vertex AI asks for it (`AIP_HTTP_PORT`), whatever its own option says.

    functions-framework reads its port before it loads the function, and starts the server afterwards.
    https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
    """
    if port := os.environ.get("AIP_HTTP_PORT"):
        command_line: Any = importlib.import_module("functions_framework._cli")
        command_line.create_server = functools.partial(command_line.create_server, bind=f"0.0.0.0:{int(port)}")


def answer_bad_requests(answer: Callable[[int], tuple[int, bytes]]) -> None:
    """Let gunicorn answer requests that it cannot read with JSON; `answer` returns status and body for its status.

    gunicorn has no option for it, and answers with HTML.
    """
    with suppress(ImportError):  # Windows has another server
        util: Any = importlib.import_module("gunicorn.util")

        def write_error(connection: Any, status: int, *_: str) -> None:
            code, body = answer(status)
            head = f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            util.write_nonblock(connection, head.encode() + body)

        util.write_error = write_error


def log_server_errors(handler: logging.Handler) -> None:
    """Let gunicorn write its log with `handler`.

    functions-framework has no option for it. gunicorn would set a handler of its own once it starts.
    """
    with suppress(ImportError):  # Windows has another server
        server_logs: Any = importlib.import_module("gunicorn.glogging")
        set_up = server_logs.Logger.setup

        def set_up_with_handler(logger: Any, configuration: Any) -> None:
            set_up(logger, configuration)
            logger.error_log.handlers = [handler]

        server_logs.Logger.setup = set_up_with_handler


@contextmanager
def permanent_objects() -> Iterator[None]:
    """Exclude what the block makes from garbage collection, since it stays until the process ends.

    Collecting it would slow the start and copy memory that the server's workers share
    (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
