"""The archive: photos sent over HTTP are kept with their results beside them, for traceability and retraining.

    ARCHIVE_BUCKET/YYYY/MM/DD/<sha256>.jpg
    ARCHIVE_BUCKET/YYYY/MM/DD/<sha256>.jpg.json

A thread of its own does it, after the answer: an archive that is slow or out of reach costs a photo's copy, never an
answer. The day is that of the result, in UTC: the same photo is stored once a day.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..cloud.objects import ObjectAddress, StoredObject
from ..documents import ResultDocument
from ..imaging.formats import MEDIA_TYPES
from ..settings import Settings
from .background import Background
from .writer import Results

if TYPE_CHECKING:
    from ..cloud.storage import Storage

# As many of the largest images may wait to be stored; what comes on top is not kept.
_IMAGES_WAITING = 2

logger = logging.getLogger(__name__)


class Archive:
    """Keeps classified photos in a bucket; `keep` may be called from many threads and returns at once."""

    def __init__(self, bucket: str, settings: Settings, storage: Callable[[], "Storage"]) -> None:
        """`storage` gives the adapter when the first photo needs it."""
        self._bucket = bucket
        self._suffix = settings.result_suffix
        self._storage = storage
        self._background = Background("archive", 1, _IMAGES_WAITING * settings.max_image_bytes)

    def keep(self, data: bytes, document: ResultDocument) -> None:
        """Stores a photo and its result soon, or logs a warning when too much is waiting."""
        self._background.do(len(data), lambda: self._write(data, document), lambda reason: _warn(reason, document))

    def _write(self, data: bytes, document: ResultDocument) -> None:
        image = document["image"]
        ending, media_type = MEDIA_TYPES[str(image["format"])]
        day = document["classified_at"].partition("T")[0].replace("-", "/")
        address = ObjectAddress(self._bucket, f"{day}/{image['sha256']}{ending}")
        storage = self._storage()
        # Looked up first: an account that may add and not replace could be refused (403) for trying.
        if found := storage.look_up(address):
            generation = found.generation
        else:
            generation = storage.write(address, data, media_type, expected=0)
        results = Results(storage, self._suffix, None, document["model"]["version"])
        stored = StoredObject(address, generation, len(data), media_type)
        existing = results.look_up(stored)
        if not results.standing(stored, existing).settled:
            image = {**image, "uri": address.uri, "generation": str(generation)}
            results.write(stored, {**document, "image": image}, existing)


def _warn(reason: str, document: ResultDocument) -> None:
    fields = {"event": "not_archived", "sha256": document["image"]["sha256"]}
    logger.warning("a photo was answered but not archived: %s", reason, extra={"fields": fields})
