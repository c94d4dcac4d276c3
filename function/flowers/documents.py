"""The documents that users rely on, in an HTTP answer and beside an uploaded image alike."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NotRequired, TypedDict

from .errors import FlowersError

RESULT_SCHEMA: Literal["flowers.result/v1"] = "flowers.result/v1"
ERROR_SCHEMA: Literal["flowers.error/v1"] = "flowers.error/v1"


class Area(TypedDict):
    """A rectangle of the upright photo, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float


class Heatmap(TypedDict):
    """Where in the photo the evidence for a species lies, as `heatmap` defines it.

    `values` 0..1, row by row from the top left, `width` in a row and `height` rows; together they cover `area`.
    """

    width: int
    height: int
    values: list[float]
    area: Area


class Species(TypedDict):
    """A class of the model: a species, a genus, or a group of similar kinds, as `rank` says.

    `names` are common names by language. `inaturalist_taxon_id` is None if no taxon holds just this class; the other
    facts are None if the label is not in the catalogue.
    """

    label: str
    scientific_name: str | None
    names: dict[str, str]
    rank: Literal["species", "hybrid", "genus", "group"] | None
    family: str | None
    order: str | None
    inaturalist_taxon_id: int | None


class Prediction(TypedDict):
    """A candidate; `name` is in the language asked for, `confidence` is calibrated, 0..1.

    `heatmap` is there where it was asked for and the model has class maps.
    """

    label: str
    scientific_name: str | None
    name: str
    confidence: float
    family: str | None
    heatmap: NotRequired[Heatmap]


class ImageDocument(TypedDict):
    """The image: where it came from, and what it is as far as known. `width` and `height` in pixels, upright.

    For an object in a bucket, `sha256` is None where it was refused unread, `bytes` too where it was not even found.
    `truncated` is there, and true, for a JPEG that was classified although its last rows are missing.
    """

    uri: str | None
    generation: str | None
    format: str | None
    width: int | None
    height: int | None
    bytes: int | None
    sha256: str | None
    truncated: NotRequired[bool]


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
    """A classified image. `species` is None where none is `identified`.

    `images` lists all photos if the result is that of several photos of one plant; `image` is the first of them.
    `heatmap_absent` says why there are no heat maps where they were asked for.
    """

    schema: Literal["flowers.result/v1"]
    identified: bool
    species: Species | None
    confidence: float
    predictions: list[Prediction]
    heatmap_absent: NotRequired[str]
    image: ImageDocument
    model: ModelDocument
    classified_at: str
    timing_ms: Timing
    images: NotRequired[list[ImageDocument]]


class ErrorBody(TypedDict):
    """What is wrong and what to do. `request_id` finds the request or event in the log."""

    code: int
    status: str
    reason: str
    message: str
    request_id: NotRequired[str]


class ErrorDocument(TypedDict):
    """A refused image or request. `image` is None where there was none."""

    schema: Literal["flowers.error/v1"]
    error: ErrorBody
    image: ImageDocument | None
    classified_at: str


def timestamp() -> str:
    """Now, in UTC with milliseconds: `2026-11-22T12:00:00.000Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# JSON in one line, its letters as they are.
to_json = json.JSONEncoder(ensure_ascii=False).encode


def one_line(document: Mapping[str, object]) -> bytes:
    """A document as it is answered, stored and published: JSON in UTF-8, in one line, without its end."""
    return to_json(document).encode()


def without_heatmaps(document: ResultDocument) -> ResultDocument:
    """The document as it is when nobody asks for heat maps."""
    plain = document.copy()
    plain.pop("heatmap_absent", None)
    plain["predictions"] = [prediction.copy() for prediction in document["predictions"]]
    for prediction in plain["predictions"]:
        prediction.pop("heatmap", None)
    return plain


def error_document(error: FlowersError, image: ImageDocument | None = None) -> ErrorDocument:
    """The document of an error, with the image as far as it is known."""
    return {
        "schema": ERROR_SCHEMA,
        "error": {"code": error.code, "status": error.status, "reason": error.reason, "message": error.message},
        "image": image,
        "classified_at": timestamp(),
    }
