"""Define the documents of HTTP answers and uploaded images, on which users rely."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NotRequired, TypedDict

from .errors import FlowersError

RESULT_SCHEMA: Literal["flowers.result/v1"] = "flowers.result/v1"
ERROR_SCHEMA: Literal["flowers.error/v1"] = "flowers.error/v1"
CORRECTION_SCHEMA: Literal["flowers.correction/v1"] = "flowers.correction/v1"
MAX_COMMENT = 500  # characters of a correction's comment


class Area(TypedDict):
    """Describe a rectangle of the upright photo, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float


class Heatmap(TypedDict):
    """Show where in the photo the evidence for a species is, as `heatmap` defines it.

    `values` are 0..1, row by row from the top left, `width` in each of `height` rows. They cover `area`.
    """

    width: int
    height: int
    values: list[float]
    area: Area


class Species(TypedDict):
    """Describe a class of the model: a species, a hybrid, a genus, or a group of similar kinds, as `rank` says.

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
    """Describe a candidate: `name` in the requested language, calibrated `confidence` 0..1.

    `heatmap` is present if it was requested and the model has class maps.
    """

    label: str
    scientific_name: str | None
    name: str
    confidence: float
    family: str | None
    heatmap: NotRequired[Heatmap]


class ImageDocument(TypedDict):
    """Describe an image as far as known: its source, format, and upright size in pixels.

    `sha256` is None if a stored object was not read, and `bytes` is None if it was not found.
    `truncated` is present, and true, if a JPEG was classified although its last rows or scans are missing.
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
    """Identify the model that answered."""

    name: str
    version: str
    sha256: str


class Timing(TypedDict):
    """Hold milliseconds."""

    decode: float
    inference: float
    total: float


class ResultDocument(TypedDict):
    """Hold the result of an image. `species` is None if `identified` is false.

    `images` lists all photos if the result is that of several photos of one plant; `image` is the first of them.
    `heatmap_absent` says why requested heat maps are missing.
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
    """Say what is wrong and what to do. `request_id` finds the request or event in the log."""

    code: int
    status: str
    reason: str
    message: str
    request_id: NotRequired[str]


class ErrorDocument(TypedDict):
    """Hold the error of an image or a request. `image` is None if the request has no image."""

    schema: Literal["flowers.error/v1"]
    error: ErrorBody
    image: ImageDocument | None
    classified_at: str


class CorrectedImage(TypedDict):
    """Name an archived photo. `sha256` is the digest of the photo as it was sent."""

    uri: str
    generation: str
    sha256: str


class CorrectionDocument(TypedDict):
    """Hold what a person says that a photo shows: a `label` of the model or a free `text`. The other one is None.

    `classified_at` is that of the corrected result.
    """

    schema: Literal["flowers.correction/v1"]
    label: str | None
    text: str | None
    comment: str | None
    image: CorrectedImage
    classified_at: str
    corrected_at: str


def timestamp() -> str:
    """Return the present time in UTC with milliseconds: `2026-11-22T12:00:00.000Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# JSON in one line, without escapes for letters.
to_json = json.JSONEncoder(ensure_ascii=False).encode


def one_line(document: Mapping[str, object]) -> bytes:
    """Return a document as one line of JSON in UTF-8, without the line's end."""
    return to_json(document).encode()


def without_heatmaps(document: ResultDocument) -> ResultDocument:
    """Return the document without heat maps, as if they had not been requested."""
    plain = document.copy()
    plain.pop("heatmap_absent", None)
    plain["predictions"] = [prediction.copy() for prediction in document["predictions"]]
    for prediction in plain["predictions"]:
        prediction.pop("heatmap", None)
    return plain


def error_document(error: FlowersError, image: ImageDocument | None = None) -> ErrorDocument:
    """Return the document of an error, with what is known of the image."""
    return {
        "schema": ERROR_SCHEMA,
        "error": {"code": error.code, "status": error.status, "reason": error.reason, "message": error.message},
        "image": image,
        "classified_at": timestamp(),
    }
