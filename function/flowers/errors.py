"""Name what can go wrong: invalid input, or an unavailable dependency."""

from typing import Literal, NamedTuple

Reason = Literal[
    "EMPTY_IMAGE",
    "MALFORMED_REQUEST",
    "INVALID_PARAMETER",
    "BUCKET_NOT_ALLOWED",
    "OBJECT_NOT_ALLOWED",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "REQUEST_TIMEOUT",
    "IMAGE_TOO_LARGE",
    "UNSUPPORTED_FORMAT",
    "UNDECODABLE_IMAGE",
    "TOO_MANY_REQUESTS",
    "HEADERS_TOO_LARGE",
    "UNAVAILABLE",
    "INTERNAL",
]

# HTTP status code and canonical status (the names of google.rpc.Code) of each reason.
CODES: dict[Reason, tuple[int, str]] = {
    "EMPTY_IMAGE": (400, "INVALID_ARGUMENT"),
    "MALFORMED_REQUEST": (400, "INVALID_ARGUMENT"),
    "INVALID_PARAMETER": (400, "INVALID_ARGUMENT"),
    "BUCKET_NOT_ALLOWED": (403, "PERMISSION_DENIED"),
    "OBJECT_NOT_ALLOWED": (403, "PERMISSION_DENIED"),
    "NOT_FOUND": (404, "NOT_FOUND"),
    "METHOD_NOT_ALLOWED": (405, "INVALID_ARGUMENT"),
    "REQUEST_TIMEOUT": (408, "DEADLINE_EXCEEDED"),
    "IMAGE_TOO_LARGE": (413, "INVALID_ARGUMENT"),
    "UNSUPPORTED_FORMAT": (415, "INVALID_ARGUMENT"),
    "UNDECODABLE_IMAGE": (422, "INVALID_ARGUMENT"),
    "TOO_MANY_REQUESTS": (429, "RESOURCE_EXHAUSTED"),
    "HEADERS_TOO_LARGE": (431, "INVALID_ARGUMENT"),
    "UNAVAILABLE": (503, "UNAVAILABLE"),
    "INTERNAL": (500, "INTERNAL"),
}


class ImageFacts(NamedTuple):
    """Hold what is known of an image so far: format, upright size in pixels, whether its end is missing."""

    format: str | None = None
    width: int | None = None
    height: int | None = None
    truncated: bool = False


class FlowersError(Exception):
    """Report a failure by a reason of the contract and a message that says what to do."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message

    @property
    def code(self) -> int:
        """Return the HTTP status code."""
        return CODES[self.reason][0]

    @property
    def status(self) -> str:
        """Return the canonical status."""
        return CODES[self.reason][1]


class InputError(FlowersError):
    """Report invalid input: a retry gives the same answer. `facts` are those known so far."""

    facts = ImageFacts()


class UnavailableError(FlowersError):
    """Report an unavailable dependency: the same input may succeed after `retry_after` seconds."""

    def __init__(self, reason: Reason, message: str, retry_after: int = 1) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after


def with_cause(error: BaseException) -> str:
    """Return an error's text, and its cause's if it has one, for the log."""
    return f"{error} ({error.__cause__})" if error.__cause__ else str(error)
