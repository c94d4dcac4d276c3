"""Store corrections beside archived photos: what a person says that a photo shows.

    ARCHIVE_BUCKET/YYYY/MM/DD/<sha256>.correction.json

A photo has one correction, the newest. The name ends in `RESULT_SUFFIX`, so the account that replaces results may
replace it, and nothing takes it for an image.
"""

import threading
from time import monotonic
from typing import NamedTuple

from ..cloud.clients import Cloud
from ..cloud.objects import ObjectAddress, ObjectMissingError, PreconditionFailedError, StoredObject
from ..documents import CORRECTION_SCHEMA, CorrectionDocument, one_line, timestamp
from ..errors import FlowersError, InputError, UnavailableError
from ..imaging.formats import MEDIA_TYPES
from .archive import name_stem
from .result_objects import GENERATION, SCHEMA

MAX_A_MINUTE = 60
_ATTEMPTS = 5


class Correction(NamedTuple):
    """Say what a photo shows: a `label` of the model, or a free `text`.

    `sha256` and `classified_at` are those of the result that is corrected.
    """

    sha256: str
    classified_at: str
    label: str | None
    text: str | None
    comment: str | None


class CorrectionStore:
    """Store corrections, at most `MAX_A_MINUTE` a minute. `store` may be called from many threads."""

    def __init__(self, bucket: str, suffix: str, cloud: Cloud) -> None:
        self._bucket = bucket
        self._suffix = suffix
        self._cloud = cloud
        self._counting = threading.Lock()
        self._minute_began = 0.0
        self._count = 0

    def store(self, correction: Correction) -> None:
        """Store a correction in place of an older one of the same photo.

        Raise `InputError` (NOT_FOUND) if the photo is not in the archive, and `UnavailableError`.
        """
        self._count_one()
        try:
            self._write(correction)
        except (ObjectMissingError, FlowersError) as error:
            if isinstance(error, InputError) and error.reason == "NOT_FOUND":
                raise
            # Its message names the bucket, which is the operator's business.
            raise UnavailableError("UNAVAILABLE", "The correction cannot be stored now. Retry later.") from error

    def _count_one(self) -> None:
        with self._counting:
            now = monotonic()
            if now >= self._minute_began + 60:
                self._minute_began, self._count = now, 0
            if self._count >= MAX_A_MINUTE:
                raise UnavailableError(
                    "TOO_MANY_REQUESTS",
                    f"There were more than {MAX_A_MINUTE} corrections within a minute. Retry later.",
                    retry_after=int(self._minute_began + 60 - now) + 1,
                )
            self._count += 1

    def _write(self, correction: Correction) -> None:
        stem = name_stem(correction.sha256, correction.classified_at)
        address = ObjectAddress(self._bucket, f"{stem}.correction{self._suffix}")
        for _ in range(_ATTEMPTS):
            listed = self._cloud.storage.list_objects(self._bucket, f"{stem}.")
            found = {stored.address.name: stored for stored in listed if isinstance(stored, StoredObject)}
            photo = next((found[name] for ending, _ in MEDIA_TYPES.values() if (name := stem + ending) in found), None)
            if photo is None:
                raise InputError(
                    "NOT_FOUND",
                    f"No photo with sha256 {correction.sha256} of {correction.classified_at[:10]} is in the archive. "
                    "A photo sent just now may take some seconds to get there.",
                )
            existing = found.get(address.name)
            try:
                self._cloud.storage.write(
                    address,
                    one_line(_document(correction, photo)) + b"\n",
                    "application/json",
                    expected=existing.generation if existing else 0,
                    metadata={GENERATION: str(photo.generation), SCHEMA: CORRECTION_SCHEMA},
                    cache_control="no-cache",  # a newer correction replaces it
                )
            except PreconditionFailedError:  # another correction was faster
                continue
            return
        raise UnavailableError("UNAVAILABLE", f"{address.uri} kept changing while it was written.")


def _document(correction: Correction, photo: StoredObject) -> CorrectionDocument:
    return {
        "schema": CORRECTION_SCHEMA,
        "label": correction.label,
        "text": correction.text,
        "comment": correction.comment,
        "image": {"uri": photo.address.uri, "generation": str(photo.generation), "sha256": correction.sha256},
        "classified_at": correction.classified_at,
        "corrected_at": timestamp(),
    }
