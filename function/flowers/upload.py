"""Handle storage events: one event, one call of `ResultWriter.process`, one entry in the log.

    event ── malformed ──────────────────────────────> logged as an error, acknowledged
      │
    object ── a result, a folder, not an image ──────> skipped without reading, acknowledged
      │
    result ── settled (results/result_objects) ──────> acknowledged; the image is not read
      │
    image ── gone or overwritten ────────────────────> acknowledged; the newer generation has its own event
      │  ├── invalid ────────────────────────────────> error document written, acknowledged
      │  └── classified ─────────────────────────────> result document written, acknowledged
      │
    topic, if there is one ──────────────────────────> the document is published after the write
      │
    anywhere: a dependency unavailable ──────────────> raised, so that Eventarc retries the event

Results never retrigger the function: they are known by their suffix and metadata, and are not images. An image that is
deleted after it was read keeps its result.
"""

import logging
from collections.abc import Mapping

import flask
from cloudevents.http.event import CloudEvent
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from .cloud.events import MalformedEventError, age_seconds, read_event
from .cloud.objects import StoredObject
from .documents import RESULT_SCHEMA, ErrorDocument, ResultDocument
from .errors import UnavailableError, with_cause
from .log import result_fields
from .results.result_objects import ResultState
from .results.writer import Outcome, ResultWriter

logger = logging.getLogger(__name__)


class UploadFunction:
    """Write the result of each image that lands in a bucket."""

    def __init__(self, writer: ResultWriter) -> None:
        self.writer = writer

    def __call__(self, event: CloudEvent) -> None:
        """Handle one event; returning acknowledges it. Raise `UnavailableError` to have it retried."""
        try:
            image = read_event(event["type"], event.data)
        except MalformedEventError as error:
            fields = {"event": "malformed", "event_id": event["id"]}
            logger.error("event acknowledged without effect: %s", error, extra={"fields": fields})
            return
        age = age_seconds(event.get("time"))
        try:
            outcome = self.writer.process(image, request_id=str(event["id"]))
            _log(*_entry(outcome), image, age, quality=_quality(outcome))
            if isinstance(outcome.unpublished, UnavailableError):
                raise outcome.unpublished
            if outcome.unpublished:
                _log(logging.ERROR, "not_published", f"result not published: {outcome.unpublished}", image, age)
        except UnavailableError as error:
            _log(logging.ERROR, "retry", f"to be retried: {with_cause(error)}", image, age)
            raise
        except Exception as error:
            _log(logging.ERROR, "retry", "failed unexpectedly, to be retried", image, age, traceback=True)
            raise UnavailableError("INTERNAL", "Internal error, which is logged.") from error


def _entry(outcome: Outcome) -> tuple[int, str, str]:
    """Return the level, the event and the message of an outcome's log entry."""
    if outcome.document and outcome.state is ResultState.WRITTEN:
        return logging.INFO, *_of_document(outcome.document)
    event = outcome.state.value
    match outcome.state:
        case ResultState.SKIPPED:
            return logging.INFO, event, f"skipped: {outcome.reason}"
        case ResultState.NAME_TOO_LONG:
            return logging.ERROR, "skipped", "no result: its name would be too long; rename the image"
        case ResultState.FORBIDDEN:
            return logging.ERROR, event, f"no result: {outcome.reason}"
        case ResultState.GONE:
            return logging.INFO, event, "gone or overwritten before it was read"
        case ResultState.FOREIGN:
            return logging.ERROR, event, "no result: an object that is not a result has its name and was left alone"
    return logging.INFO, event, f"nothing to do: {event}"


def _of_document(document: ResultDocument | ErrorDocument) -> tuple[str, str]:
    if document["schema"] != RESULT_SCHEMA:
        return "refused", f"refused: {document['error']['reason']} {document['error']['message']}"
    best = document["predictions"][0]
    unsure = "" if document["identified"] else ", not identified"
    return "classified", f"classified: {best['label']} {best['confidence']}{unsure}"


def _quality(outcome: Outcome) -> Mapping[str, object] | None:
    document = outcome.document
    if document and document["schema"] == RESULT_SCHEMA and outcome.state is ResultState.WRITTEN:
        return result_fields(document)
    return None


def _log(
    level: int,
    event: str,
    message: str,
    image: StoredObject,
    age: float | None,
    traceback: bool = False,
    quality: Mapping[str, object] | None = None,
) -> None:
    uri = image.address.uri
    fields = {**(quality or {}), "event": event, "object": uri, "generation": str(image.generation), "age_seconds": age}
    logger.log(level, f"{uri} {message}", extra={"fields": fields}, exc_info=traceback)


def acknowledge_malformed_requests(app: flask.Flask) -> None:
    """Answer requests from which functions-framework reads no CloudEvent with 200 and an error log.

    Its own answers are 400 and 500, after which Eventarc would retry for a day.
    """

    def answer(error: Exception) -> ResponseReturnValue:
        if isinstance(error, UnavailableError):  # it is logged; raised, Flask would add a traceback of many lines
            return "retry", 500
        if isinstance(error, HTTPException) and flask.request.method != "POST":
            return error
        # The text of an HTTPException would quote the request's headers, its token among them.
        reason = error.name if isinstance(error, HTTPException) else str(error)
        logger.error("request acknowledged that is no CloudEvent: %s", reason, extra={"fields": {"event": "malformed"}})
        return "OK"

    app.register_error_handler(Exception, answer)
