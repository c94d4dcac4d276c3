"""Bound the work of one request with several images."""

from time import perf_counter

from ..documents import ImageDocument
from ..errors import InputError, UnavailableError

_MAX_SECONDS = 30.0


class RequestWork:
    """Count the pixels and the time that the images of a request take."""

    def __init__(self, max_pixels: int, max_seconds: float = _MAX_SECONDS) -> None:
        """Let the images have `max_pixels` pixels together, and begin up to `max_seconds` from now on."""
        self._max_pixels = max_pixels
        self._pixels = 0
        self._deadline = perf_counter() + max_seconds

    def check(self) -> None:
        """Raise `InputError` (IMAGE_TOO_LARGE) or `UnavailableError` if no further image may begin."""
        if self._pixels >= self._max_pixels:
            raise InputError(
                "IMAGE_TOO_LARGE",
                f"The images before this one have {self._pixels:,} pixels together. The limit of a request is "
                f"{self._max_pixels:,}. Scale them down, or send this one in another request.",
            )
        if perf_counter() > self._deadline:
            raise UnavailableError(
                "UNAVAILABLE", "The images before this one took too long. Send this one in another request."
            )

    def add(self, image: ImageDocument | None) -> None:
        """Count an image that was decoded."""
        if image:
            self._pixels += (image["width"] or 0) * (image["height"] or 0)
