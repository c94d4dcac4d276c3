"""Give a stored image its result: decide, read, classify, write, publish.

Publishing follows the write and never touches it. A repeated event publishes the stored document again, so each result
is published at least once, even after a crash between the two.
"""

from typing import NamedTuple

from ..classifier import Classifier, Source, image_error
from ..cloud.clients import Cloud
from ..cloud.objects import ObjectMissingError, StoredObject, is_object_name
from ..documents import ERROR_SCHEMA, ErrorDocument, ResultDocument, one_line
from ..errors import FlowersError, InputError, UnavailableError
from ..imaging.formats import IMAGE_ENDINGS
from ..imaging.memory import WAIT_SECONDS, Budget
from ..settings import Settings
from .result_objects import GENERATION, MODEL_VERSION, SCHEMA, Results, ResultState, is_result, result_metadata

# Content types that say nothing; other clouds write the second one.
_UNKNOWN_TYPES = ("", "application/octet-stream", "binary/octet-stream")
# Content types that clients set for any file: curl for a signed URL, browsers for a form, libraries by default.
_CARELESS_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
# This many images of the largest size may be in memory at once, still encoded.
_IMAGES_IN_MEMORY = 4
# https://cloud.google.com/pubsub/quotas#resource_limits (2026)
_MAX_MESSAGE_BYTES = 10_000_000


class Outcome(NamedTuple):
    """Hold the outcome of an image.

    `document` is set if the image was classified or is invalid, `reason` says why it was skipped, and `unpublished` is
    the error that kept the result from being published.
    """

    state: ResultState
    document: ResultDocument | ErrorDocument | None = None
    reason: str | None = None
    unpublished: FlowersError | None = None


def reason_to_skip(stored: StoredObject, result_suffix: str) -> str | None:
    """Return why an object is no image, without reading it: "a folder", "a result", "no image but text/plain"."""
    if stored.address.name.endswith("/"):
        return "a folder"
    if stored.address.name.endswith(result_suffix) or is_result(stored):
        return "a result"
    kind = stored.content_type.partition(";")[0].strip().lower()
    if kind in _UNKNOWN_TYPES or kind.startswith("image/"):
        return None
    careless = kind in _CARELESS_TYPES or "/" not in kind  # such as `undefined` or `jpg`
    if careless and stored.address.name.lower().endswith(IMAGE_ENDINGS):
        return None
    return f"no image but {kind}"


class ResultWriter:
    """Give stored images their results, from many threads at once, with a bounded number of bytes in memory."""

    def __init__(
        self, classifier: Classifier, settings: Settings, cloud: Cloud, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        """Let an image wait up to `wait_seconds` for the memory of others."""
        self.cloud = cloud
        self._classifier = classifier
        self._settings = settings
        self._bytes = Budget(_IMAGES_IN_MEMORY * settings.max_image_bytes, wait_seconds)

    def process(self, image: StoredObject, replaced: int | None = None, request_id: str | None = None) -> Outcome:
        """Give exactly this generation of an image its result.

        `replaced` is the generation of the result to replace (0: none), if it is known that the image needs one; None
        decides that here. An error document quotes `request_id`. Raise `UnavailableError` for an image to process
        again.
        """
        try:
            return self._process(image, replaced, request_id)
        except InputError as error:  # storage refuses for good
            return Outcome(ResultState.FORBIDDEN, reason=error.message)

    def _process(self, image: StoredObject, replaced: int | None, request_id: str | None) -> Outcome:
        if replaced is None and (reason := reason_to_skip(image, self._settings.result_suffix)):
            return Outcome(ResultState.SKIPPED, reason=reason)
        results = self._results
        if replaced is None:
            if not is_object_name(results.address(image.address).name):
                return Outcome(ResultState.NAME_TOO_LONG)
            existing = results.look_up(image)
            if (state := results.state(image, existing)).settled:
                return Outcome(state, unpublished=self._publish_stored(state, existing))
            replaced = existing.generation if existing else 0
        try:
            document = self.classify(image)
        except ObjectMissingError:
            return Outcome(ResultState.GONE)
        if request_id and document["schema"] == ERROR_SCHEMA:
            document["error"]["request_id"] = request_id
        state = results.write(image, document, replaced)
        if state is ResultState.WRITTEN:
            metadata = result_metadata(document["schema"], self._model_version, str(image.generation))
            unpublished = self._publish(one_line(document), metadata)
        else:
            unpublished = self._publish_stored(state, results.look_up(image) if self.cloud.open_topic else None)
        return Outcome(state, document, unpublished=unpublished)

    def classify(
        self, image: StoredObject, top: int | None = None, language: str | None = None, heatmaps: bool = False
    ) -> ResultDocument | ErrorDocument:
        """Read exactly this generation and return its document, as `Classifier.classify` makes it.

        Raise `ObjectMissingError` if the image is gone or was overwritten, and `UnavailableError`.
        """
        source = Source(image.address.uri, str(image.generation), image.size)
        max_bytes = self._settings.max_image_bytes
        data = None
        try:
            self._classifier.check_size(image.size)
            # An event of protobuf leaves out a size of zero, so that zero may also be an unknown size.
            with self._bytes.reserve(max_bytes if image.content_encoding or not image.size else image.size):
                data = self.cloud.storage.read(image, max_bytes)
                return self._classifier.classify(data, top, language, source, heatmaps)
        except InputError as error:
            return image_error(error, data, source)

    @property
    def _model_version(self) -> str:
        return self._classifier.identity["version"]

    @property
    def _results(self) -> Results:
        settings = self._settings
        return Results(self.cloud.storage, settings.result_suffix, settings.result_bucket, self._model_version)

    def _publish(self, line: bytes, metadata: dict[str, str]) -> FlowersError | None:
        try:
            if self.cloud.topic:
                self.cloud.topic.publish(line, metadata)
        except UnavailableError as error:
            return error
        return None

    def _publish_stored(self, state: ResultState, result: StoredObject | None) -> FlowersError | None:
        """Publish the document of a result that was written, but perhaps not published."""
        if state is not ResultState.REPEATED or result is None or self.cloud.open_topic is None:
            return None
        try:
            line = self.cloud.storage.read(result, _MAX_MESSAGE_BYTES)
        except ObjectMissingError:  # deleted, or replaced by one that is published itself
            return None
        except FlowersError as error:
            return error
        metadata = {name: result.metadata[name] for name in (GENERATION, MODEL_VERSION, SCHEMA)}
        return self._publish(line.rstrip(b"\n"), metadata)
