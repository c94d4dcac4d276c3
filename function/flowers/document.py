"""The documents that users rely on, in an HTTP answer and beside an uploaded image alike."""

from datetime import UTC, datetime
from typing import Literal, TypedDict

from .errors import FlowersError
from .species import Species

RESULT_SCHEMA: Literal["flowers.result/v1"] = "flowers.result/v1"
ERROR_SCHEMA: Literal["flowers.error/v1"] = "flowers.error/v1"


class Prediction(TypedDict):
    """A candidate; `name` is in the language asked for, `confidence` is calibrated, 0..1."""

    label: str
    scientific_name: str | None
    name: str
    confidence: float


class ImageDocument(TypedDict):
    """The image: where it came from, and what it is as far as known. `width` and `height` in pixels, upright.

    For an object in a bucket, `sha256` is None where it was refused unread, `bytes` too where it was not even found.
    """

    uri: str | None
    generation: str | None
    format: str | None
    width: int | None
    height: int | None
    bytes: int | None
    sha256: str | None


class ModelDocument(TypedDict):
    """The model that answered."""

    name: str
    version: str
    sha256: str


class Timing(TypedDict):
    """Milliseconds."""

    decode: float
    inference: float
    total: float


class ResultDocument(TypedDict):
    """A classified image. `species` is None where none is `identified`."""

    schema: Literal["flowers.result/v1"]
    identified: bool
    species: Species | None
    confidence: float
    predictions: list[Prediction]
    image: ImageDocument
    model: ModelDocument
    classified_at: str
    timing_ms: Timing


class ErrorBody(TypedDict):
    """What is wrong and what to do."""

    code: int
    status: str
    reason: str
    message: str


class ErrorDocument(TypedDict):
    """A refused image or request. `image` is None where there was none."""

    schema: Literal["flowers.error/v1"]
    error: ErrorBody
    image: ImageDocument | None
    classified_at: str


def timestamp() -> str:
    """Now, in UTC with milliseconds: `2026-11-22T12:00:00.000Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_document(error: FlowersError, image: ImageDocument | None = None) -> ErrorDocument:
    """The document of an error, with the image as far as it is known."""
    return {
        "schema": ERROR_SCHEMA,
        "error": {"code": error.code, "status": error.status, "reason": error.reason, "message": error.message},
        "image": image,
        "classified_at": timestamp(),
    }
