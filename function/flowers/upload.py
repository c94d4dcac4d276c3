"""The upload adapter: a storage event to one result object beside the image.

    event ── malformed ──────────────────────────────> logged as an error, acknowledged
      │
    object ── a result, a folder, plainly no image ──> skipped, acknowledged; nothing is read
      │
    result ── settled (the table in `results`) ──────> acknowledged; the image is not read
      │
    image ── gone or overwritten ────────────────────> acknowledged; the newer generation has an event of its own
      │  ├── faulty ────────────────────────────────> error document written, acknowledged
      │  └── classified ────────────────────────────> result document written, acknowledged
      │
    topic, where there is one ───────────────────────> the document is published between "written" and "acknowledged"
      │
    anywhere: a fault of the surroundings ───────────> raised, so that Eventarc sends the event again

A result never triggers another: it is recognised by its name's ending and by its metadata, and its type is no image's.
An image that is deleted after it was read keeps its result, as one deleted later does.

Publishing comes after the write and never touches it. Where it fails, the event is sent again, finds the result of its
generation in place (REPEATED) and publishes the stored document: each result is published at least once, also after a
crash between the two, and again for each repeated event. Readers know a document by its image's `uri` and `generation`,
and keep the newest by `classified_at`. A result that was replaced before it could be published is not, but its
successor is. No order is promised.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import flask
from cloudevents.http.event import CloudEvent
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from .classifier import Classifier
from .cloud.events import MalformedEventError, age_seconds, read_event
from .cloud.objects import ObjectMissingError, StoredObject, is_object_name
from .documents import RESULT_SCHEMA, ErrorDocument, ResultDocument, one_line
from .errors import InputError, SurroundingsError
from .results.stored_image import StoredImageClassifier, reason_to_skip
from .results.writer import Results, Standing, marks, marks_of
from .settings import Settings

if TYPE_CHECKING:
    from .cloud.pubsub import Topic
    from .cloud.storage import Storage

# https://cloud.google.com/pubsub/quotas#resource_limits (2026)
_MOST_MESSAGE_BYTES = 10_000_000

logger = logging.getLogger(__name__)


class UploadFunction:
    """Writes the result of each image that lands in a bucket."""

    def __init__(
        self,
        classifier: Classifier,
        settings: Settings,
        storage: Callable[[], "Storage"],
        topic: Callable[[], "Topic"] | None = None,
    ) -> None:
        """`storage` and `topic` give the adapters when the first event needs them; no `topic`: nothing is published."""
        self._classifier = classifier
        self._settings = settings
        self._storage = storage
        self._topic = topic
        self._images = StoredImageClassifier(classifier, settings)

    def __call__(self, event: CloudEvent) -> None:
        """Handles one event; returning acknowledges it. Raises `SurroundingsError` for one to be sent again."""
        try:
            image = read_event(event["type"], event.data)
        except MalformedEventError as error:
            fields = {"event": "malformed", "event_id": event["id"]}
            logger.error("acknowledged without doing anything: %s", error, extra={"fields": fields})
            return
        age = age_seconds(event.get("time"))
        try:
            self._handle(image, age)
        except SurroundingsError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            _log_image(logging.ERROR, "retry", f"to be sent again: {error.message}{cause}", image, age)
            raise
        except Exception as error:
            _log_image(logging.ERROR, "retry", "failed unexpectedly, to be sent again", image, age, traceback=True)
            raise SurroundingsError("INTERNAL", "The classifier failed. The fault is logged.") from error

    def _handle(self, image: StoredObject, age: float | None) -> None:
        if reason := reason_to_skip(image, self._settings.result_suffix):
            _log_image(logging.INFO, "skipped", f"skipped: {reason}", image, age)
            return
        storage = self._storage()
        settings, version = self._settings, self._classifier.identity["version"]
        results = Results(storage, settings.result_suffix, settings.result_bucket, version)
        if not is_object_name(results.address(image.address).name):
            _log_image(logging.ERROR, "skipped", "no result: its name would be too long; rename the image", image, age)
            return
        existing = results.look_up(image)
        standing = results.standing(image, existing)
        if not standing.settled:
            try:
                document = self._images.classify(storage, image)
            except ObjectMissingError:
                _log_image(logging.INFO, "gone", "gone or overwritten before it was read", image, age)
                return
            standing = results.write(image, document, existing)
            if standing is Standing.WRITTEN:
                _log_document(document, image, age)
                if self._topic:
                    attributes = marks(document["schema"], version, str(image.generation))
                    self._topic().publish(one_line(document), attributes)
                return
            if self._topic:
                existing = results.look_up(image)
        _log_standing(standing, image, age)
        if self._topic and standing is Standing.REPEATED and existing:
            self._publish_stored(self._topic(), storage, existing)

    def _publish_stored(self, topic: "Topic", storage: "Storage", result: StoredObject) -> None:
        """Publishes the document of a result that was written, though perhaps not published."""
        try:
            line = storage.read(result, _MOST_MESSAGE_BYTES)
        except ObjectMissingError:  # deleted, or replaced by one that is published itself
            return
        except InputError as error:
            fields = {"event": "not_published", "object": result.address.uri}
            logger.error("%s is no document to publish: %s", result.address.uri, error, extra={"fields": fields})
            return
        topic.publish(line.rstrip(b"\n"), marks_of(result))


def _log_document(document: ResultDocument | ErrorDocument, image: StoredObject, age: float | None) -> None:
    if document["schema"] == RESULT_SCHEMA:
        _log_image(logging.INFO, "classified", f"classified: {_answer(document)}", image, age)
    else:
        error = document["error"]
        _log_image(logging.INFO, "refused", f"refused: {error['reason']} {error['message']}", image, age)


def _answer(document: ResultDocument) -> str:
    best = document["predictions"][0]
    return f"{best['label']} {best['confidence']}{'' if document['identified'] else ', not identified'}"


def _log_standing(standing: Standing, image: StoredObject, age: float | None) -> None:
    if standing is Standing.FOREIGN:
        message = "no result: an object of that name, which is no result, is in its place and was left alone"
        _log_image(logging.ERROR, standing.value, message, image, age)
    else:
        _log_image(logging.INFO, standing.value, f"nothing to do: {standing.value}", image, age)


def _log_image(
    level: int, event: str, message: str, image: StoredObject, age: float | None, traceback: bool = False
) -> None:
    uri = image.address.uri
    fields = {"event": event, "object": uri, "generation": str(image.generation), "age_seconds": age}
    logger.log(level, f"{uri} {message}", extra={"fields": fields}, exc_info=traceback)


def acknowledge_what_is_no_event(app: flask.Flask) -> None:
    """Answers requests from which functions-framework reads no CloudEvent with 200 and an error log.

    Its own answers are 400 and 500, after which Eventarc would send them again for a day.
    """

    def answer(error: Exception) -> ResponseReturnValue:
        if isinstance(error, SurroundingsError):
            raise error
        if isinstance(error, HTTPException) and flask.request.method != "POST":
            return error
        # The text of an HTTPException would quote the request's headers, its token among them.
        reason = error.name if isinstance(error, HTTPException) else str(error)
        logger.error(
            "acknowledged a request that is no CloudEvent: %s", reason, extra={"fields": {"event": "malformed"}}
        )
        return "OK"

    app.register_error_handler(Exception, answer)
