"""A semaphore counted in pixels: it bounds the memory of decoded images, however many requests run at once."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import InputError, SurroundingsError

WAIT_SECONDS = 10.0


class PixelBudget:
    """At most `total` pixels are reserved at any time. First come, first served, so that no large image starves."""

    def __init__(self, total: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self.total = total
        self._wait_seconds = wait_seconds
        self._free = total
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Holds `pixels` of the budget while the block runs.

        Raises `InputError` (IMAGE_TOO_LARGE) when they can never fit, `SurroundingsError` (UNAVAILABLE) when they do
        not become free within the waiting time.
        """
        if pixels > self.total:
            raise InputError(
                "IMAGE_TOO_LARGE",
                f"Decoding this image takes {pixels:,} pixels; {self.total:,} is the most here. "
                "Send a smaller picture, or a baseline JPEG, which is decoded at a fraction of its size.",
            )
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                ready = self._changed.wait_for(
                    lambda: self._queue[0] is ticket and pixels <= self._free, self._wait_seconds
                )
                if not ready:
                    raise SurroundingsError("UNAVAILABLE", "Too many large images at once. Try again in a few seconds.")
                self._free -= pixels
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
