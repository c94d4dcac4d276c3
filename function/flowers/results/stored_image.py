"""An image in storage to its document: what the upload function and the backfill both do with one."""

from ..classifier import Classifier, Source, refusal
from ..cloud.objects import ObjectStore, StoredObject
from ..documents import ErrorDocument, ResultDocument
from ..errors import InputError
from ..imaging.memory import WAIT_SECONDS, Budget
from ..settings import Settings
from .writer import is_result

# Types that claim nothing; the second is what other clouds write.
_UNKNOWN_TYPES = ("", "application/octet-stream", "binary/octet-stream")
# As many of the largest images may be in memory at once, still encoded.
_IMAGES_IN_MEMORY = 4


def reason_to_skip(stored: StoredObject, result_suffix: str) -> str | None:
    """Why an object is no image, told without reading it: "a folder", "a result", "no image but text/plain"."""
    if stored.address.name.endswith("/"):
        return "a folder"
    if stored.address.name.endswith(result_suffix) or is_result(stored):
        return "a result"
    kind = stored.content_type.partition(";")[0].strip().lower()
    if kind not in _UNKNOWN_TYPES and not kind.startswith("image/"):
        return f"no image but {kind}"
    return None


class StoredImageClassifier:
    """Reads and classifies stored images, from many threads at once, with a bounded number of bytes in memory."""

    def __init__(self, classifier: Classifier, settings: Settings, wait_seconds: float = WAIT_SECONDS) -> None:
        """`wait_seconds` is how long an image waits for the memory of others."""
        self._classifier = classifier
        self._most = settings.max_image_bytes
        self._bytes = Budget(_IMAGES_IN_MEMORY * self._most, wait_seconds)

    def classify(self, storage: ObjectStore, image: StoredObject) -> ResultDocument | ErrorDocument:
        """The document of exactly this generation, be it a result or an error.

        Raises `ObjectMissingError` when the image is gone or was overwritten, and `SurroundingsError`.
        """
        source = Source(image.address.uri, str(image.generation), image.size)
        data = None
        try:
            self._classifier.check_size(image.size)
            with self._bytes.reserve(self._most if image.content_encoding else image.size):
                data = storage.read(image, self._most)
                return self._classifier.classify(data, source=source)
        except InputError as error:
            return refusal(error, data, source)
