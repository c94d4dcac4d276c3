"""Bound the memory of images, however many requests run at once, with semaphores that count bytes or pixels."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..errors import InputError, UnavailableError

WAIT_SECONDS = 10.0
# What a pixel takes at most in any decoder.
_PIXEL_BYTES = 16


def check_memory(pixels: int) -> None:
    """Raise `MemoryError` if the system has no memory to decode so many pixels.

    libjpeg, libtiff and others report a lack of memory as they report a corrupt file. The memory is not touched.
    """
    np.empty(_PIXEL_BYTES * pixels, np.uint8)


class Budget:
    """Let at most `total` units be reserved at any time. First come, first served, so that no large image starves."""

    def __init__(self, total: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self.total = total
        self._wait_seconds = wait_seconds
        self._free = total
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, units: int) -> Iterator[None]:
        """Hold `units` (at most `total`) while the block runs.

        Raise `UnavailableError` (UNAVAILABLE) when they do not become free within the waiting time.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                ready = self._changed.wait_for(
                    lambda: self._queue[0] is ticket and units <= self._free, self._wait_seconds
                )
                if not ready:
                    raise UnavailableError("UNAVAILABLE", "Too many large images at once. Retry in a few seconds.")
                self._free -= units
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += units
                self._changed.notify_all()


class PixelBudget(Budget):
    """Limit the decoded pixels."""

    @contextmanager
    def reserve(self, units: int) -> Iterator[None]:
        """Hold `units` pixels while the block runs.

        Raise `InputError` (IMAGE_TOO_LARGE) when they can never fit, and as `Budget.reserve` does.
        """
        if units > self.total:
            raise InputError(
                "IMAGE_TOO_LARGE",
                f"Decoding this image takes {units:,} pixels; the limit is {self.total:,}. "
                "Send a smaller picture, or a baseline JPEG, which is decoded at a fraction of its size.",
            )
        with super().reserve(units):
            yield
