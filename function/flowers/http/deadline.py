"""Bound the time in which the body of a request arrives."""

import socket
import threading
from contextlib import suppress
from types import TracebackType

from flask import Request

from ..errors import FlowersError, InputError

_MAX_SECONDS = 60.0


class BodyDeadline:
    """End the body of a request that is still arriving after some time, while the block runs.

    gunicorn waits for as long as bytes trickle in, and has no option for it. Its socket is closed for reading, so
    that reading the body fails as if it ended early. The answer can still be sent.
    """

    def __init__(self, request: Request) -> None:
        """Do nothing for a request without a body, or if the server is not gunicorn."""
        has_body = request.content_length or "Transfer-Encoding" in request.headers
        self._socket: socket.socket | None = request.environ.get("gunicorn.socket") if has_body else None
        self._timer = threading.Timer(_MAX_SECONDS, self._end)
        self._timer.daemon = True
        self._passed = False

    def __enter__(self) -> "BodyDeadline":
        """Start the clock."""
        if self._socket:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the clock."""
        self._timer.cancel()

    def error(self, found: FlowersError) -> FlowersError:
        """Return the error to answer with: the deadline's own if it made `found`."""
        if not self._passed or found.reason != "MALFORMED_REQUEST":
            return found
        return InputError(
            "REQUEST_TIMEOUT",
            f"The body did not arrive within {_MAX_SECONDS:.0f} seconds. Scale the image down, or retry on a faster "
            "connection.",
        )

    def _end(self) -> None:
        self._passed = True
        if self._socket:
            with suppress(OSError):  # the client is gone
                self._socket.shutdown(socket.SHUT_RD)
