"""Archive photos sent over HTTP, with their results beside them, for traceability and retraining.

    ARCHIVE_BUCKET/YYYY/MM/DD/<sha256>.jpg
    ARCHIVE_BUCKET/YYYY/MM/DD/<sha256>.jpg.json

The metadata of photos are removed first, unless the settings keep them. Name and result have the digest of the photo as
it was sent. A thread stores both after the answer. If the archive is slow or unavailable, copies are lost, never
answers. The day is that of the result, in UTC, so the same photo is stored once a day.
"""

import logging

from ..cloud.clients import Cloud
from ..cloud.objects import ObjectAddress, PreconditionFailedError, StoredObject
from ..documents import ResultDocument
from ..imaging.formats import MEDIA_TYPES
from ..imaging.memory import PixelBudget
from ..settings import Settings
from .background import Background
from .result_objects import Results

# This many of the largest images may wait to be stored; further ones are not kept.
_IMAGES_WAITING = 2

logger = logging.getLogger(__name__)


def name_stem(sha256: str, classified_at: str) -> str:
    """Return how the names of an archived photo, its result and its correction begin: `YYYY/MM/DD/<sha256>`."""
    return f"{classified_at.partition('T')[0].replace('-', '/')}/{sha256}"


class Archive:
    """Keep classified photos in a bucket; `keep` may be called from many threads and returns at once."""

    def __init__(self, bucket: str, settings: Settings, cloud: Cloud, budget: PixelBudget) -> None:
        """Take the `budget` of all decoding, of which some photos need a share once more."""
        self._bucket = bucket
        self._settings = settings
        self._budget = budget
        self._cloud = cloud
        self._background = Background("archive", 1, _IMAGES_WAITING * settings.max_image_bytes)

    def keep(self, data: bytes, document: ResultDocument) -> None:
        """Store a photo and its result soon, or log a warning if too much is waiting."""
        self._background.do(len(data), lambda: self._write(data, document), lambda reason: _warn(reason, document))

    def _write(self, data: bytes, document: ResultDocument) -> None:
        image = document["image"]
        data, kind = self._kept(data, str(image["format"]))
        ending, media_type = MEDIA_TYPES[kind]
        address = ObjectAddress(self._bucket, name_stem(str(image["sha256"]), document["classified_at"]) + ending)
        storage = self._cloud.storage
        # Looked up first: an account that may add and not replace could be refused (403) for trying.
        if found := storage.look_up(address):
            generation = found.generation
        else:
            generation = self._write_photo(address, data, media_type)
        results = Results(storage, self._settings.result_suffix, None, document["model"]["version"])
        stored = StoredObject(address, generation, len(data), media_type)
        existing = results.look_up(stored)
        if not results.state(stored, existing).settled:
            image = {**image, "uri": address.uri, "generation": str(generation)}
            results.write(stored, {**document, "image": image}, existing.generation if existing else 0)

    def _kept(self, data: bytes, kind: str) -> tuple[bytes, str]:
        """Return the bytes of a photo to keep, and their format."""
        if self._settings.archive_metadata == "keep":
            return data, kind
        from ..imaging.anonymous import anonymous  # after the answer, not before the first one

        return anonymous(data, self._settings.max_image_pixels, self._budget)

    def _write_photo(self, address: ObjectAddress, data: bytes, media_type: str) -> int:
        """Write a photo and return its generation, which is another's if it was there already."""
        try:
            return self._cloud.storage.write(address, data, media_type, expected=0)
        except PreconditionFailedError:  # another instance was faster, or the answer to our own write was lost
            if found := self._cloud.storage.look_up(address):
                return found.generation
            raise


def _warn(reason: str, document: ResultDocument) -> None:
    fields = {"event": "not_archived", "sha256": document["image"]["sha256"]}
    logger.warning("photo not archived: %s", reason, extra={"fields": fields})
