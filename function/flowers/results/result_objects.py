"""Find and write the result objects of images.

Events are delivered at least once and in any order, and several instances work at once. The result object itself
decides who may write: its metadata name the image's generation and the model's version, and each write names the
generation of the result that it replaces. For generation G of an image:

    result object found              then                      state
    -------------------------------  ------------------------  ------------
    none                             write, if still none      ABSENT
    of an older generation           replace exactly that one  OUTDATED
    of G, by another model version   replace exactly that one  OUTDATED
    of G, by this model version      leave it                  REPEATED
    of a newer generation            leave it                  SUPERSEDED
    not ours (no `result-schema`)    leave it, report it       FOREIGN

If another generation is found at the write (412), the table decides again: another instance was faster, or the answer
to this instance's own write was lost.
"""

from enum import Enum

from ..cloud.objects import ObjectAddress, ObjectStore, PreconditionFailedError, StoredObject, read_count
from ..documents import ErrorDocument, ResultDocument, one_line
from ..errors import UnavailableError

GENERATION, MODEL_VERSION, SCHEMA = "source-generation", "model-version", "result-schema"
_ATTEMPTS = 5


class ResultState(Enum):
    """Name the states of an image's result: those of the module's table, and those that `ResultWriter.process` adds."""

    ABSENT = "absent"
    OUTDATED = "outdated"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    FOREIGN = "foreign_result"
    WRITTEN = "written"
    SKIPPED = "skipped"
    NAME_TOO_LONG = "name_too_long"
    GONE = "gone"
    FORBIDDEN = "forbidden"

    @property
    def settled(self) -> bool:
        """Return whether nothing is left to write."""
        return self not in (ResultState.ABSENT, ResultState.OUTDATED)


def result_metadata(schema: str, model_version: str, generation: str | None) -> dict[str, str]:
    """Return the metadata of a stored document, which are also the attributes of a published one.

    `generation` is the image's, None for an image that is not stored.
    """
    return {**({GENERATION: generation} if generation else {}), MODEL_VERSION: model_version, SCHEMA: schema}


def is_result(stored: StoredObject) -> bool:
    """Return whether an object has the metadata of a result."""
    return SCHEMA in stored.metadata


class Results:
    """Find and write the result objects of images, for one version of the model."""

    def __init__(self, storage: ObjectStore, suffix: str, bucket: str | None, model_version: str) -> None:
        """Append `suffix` to the image's name; `bucket` is None for the image's own."""
        self._storage = storage
        self._suffix = suffix
        self._bucket = bucket
        self._model_version = model_version

    def address(self, image: ObjectAddress) -> ObjectAddress:
        """Return the address of an image's result."""
        return ObjectAddress(self._bucket or image.bucket, image.name + self._suffix)

    def look_up(self, image: StoredObject) -> StoredObject | None:
        """Return the image's result object, of any generation. Raise `UnavailableError`."""
        return self._storage.look_up(self.address(image.address))

    def state(self, image: StoredObject, existing: StoredObject | None) -> ResultState:
        """Return what `existing`, the result object found, means for this generation of the image."""
        if existing is None:
            return ResultState.ABSENT
        if not is_result(existing):
            return ResultState.FOREIGN
        generation = read_count(existing.metadata.get(GENERATION)) or 0
        if generation > image.generation:
            return ResultState.SUPERSEDED
        if generation == image.generation and existing.metadata.get(MODEL_VERSION) == self._model_version:
            return ResultState.REPEATED
        return ResultState.OUTDATED

    def write(self, image: StoredObject, document: ResultDocument | ErrorDocument, replaced: int) -> ResultState:
        """Write the document in place of the result generation `replaced` (0: none), unless another result settled it.

        Raise `UnavailableError` if the bucket is missing or unavailable, or if others keep writing.
        """
        line = one_line(document) + b"\n"
        for _ in range(_ATTEMPTS):
            try:
                self._storage.write(
                    self.address(image.address),
                    line,
                    "application/json",
                    expected=replaced,
                    metadata=result_metadata(document["schema"], self._model_version, str(image.generation)),
                    cache_control="no-cache",  # a newer photo replaces it
                )
            except PreconditionFailedError:
                existing = self.look_up(image)
                if (state := self.state(image, existing)).settled:
                    return state
                replaced = existing.generation if existing else 0
            else:
                return ResultState.WRITTEN
        raise UnavailableError("UNAVAILABLE", f"The result of {image.address.uri} kept changing while it was written.")
