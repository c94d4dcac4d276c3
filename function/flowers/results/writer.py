"""The result object of an image: where it lies, and who may write it when.

Events arrive at least once and in any order, and several instances work at once. What keeps one result for an image,
and the newest generation's, is the result object itself: its metadata say of which generation of the image and of which
model it is, and every write names the generation of the result object that it replaces. For an event of generation G:

    result object found              then                      standing
    -------------------------------  ------------------------  ------------
    none                             write, if still none      ABSENT
    of an older generation           replace exactly that one  OUTDATED
    of G, by another model version   replace exactly that one  OUTDATED
    of G, by this model version      leave it, done            REPEATED
    of a newer generation            leave it, done            SUPERSEDED
    not ours (no `result-schema`)    leave it, report it       FOREIGN

A write that meets another generation than it named (412) looks again and decides anew by the same table: another
instance was faster, or it was this one's own write whose answer got lost.
"""

from enum import Enum

from ..cloud.objects import ObjectAddress, ObjectStore, PreconditionFailedError, StoredObject, read_count
from ..documents import ErrorDocument, ResultDocument, one_line
from ..errors import SurroundingsError

GENERATION, MODEL_VERSION, SCHEMA = "source-generation", "model-version", "result-schema"
_ATTEMPTS = 5


class Standing(Enum):
    """How the result object stands to one generation of the image: the module's table, and WRITTEN afterwards."""

    ABSENT = "absent"
    OUTDATED = "outdated"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    FOREIGN = "foreign_result"
    WRITTEN = "written"

    @property
    def settled(self) -> bool:
        """Whether nothing is left to write."""
        return self not in (Standing.ABSENT, Standing.OUTDATED)


def marks(schema: str, model_version: str, generation: str | None) -> dict[str, str]:
    """What the metadata of a stored document, and the attributes of a published one, say of it.

    `generation` is the image's, None where it has none.
    """
    return {**({GENERATION: generation} if generation else {}), MODEL_VERSION: model_version, SCHEMA: schema}


def marks_of(result: StoredObject) -> dict[str, str]:
    """The marks that a result object bears."""
    return {name: result.metadata[name] for name in (GENERATION, MODEL_VERSION, SCHEMA)}


def is_result(stored: StoredObject) -> bool:
    """Whether an object bears the mark of a result."""
    return SCHEMA in stored.metadata


class Results:
    """The result objects of images, as one model version writes them."""

    def __init__(self, storage: ObjectStore, suffix: str, bucket: str | None, model_version: str) -> None:
        """`suffix` is appended to the image's name; `bucket` is None for the image's own."""
        self._storage = storage
        self._suffix = suffix
        self._bucket = bucket
        self._model_version = model_version

    def address(self, image: ObjectAddress) -> ObjectAddress:
        """Where the result of an image lies."""
        return ObjectAddress(self._bucket or image.bucket, image.name + self._suffix)

    def look_up(self, image: StoredObject) -> StoredObject | None:
        """The image's result object, of whatever generation. Raises `SurroundingsError`."""
        return self._storage.look_up(self.address(image.address))

    def standing(self, image: StoredObject, existing: StoredObject | None) -> Standing:
        """What `existing`, the result object found, means for this generation of the image."""
        if existing is None:
            return Standing.ABSENT
        if not is_result(existing):
            return Standing.FOREIGN
        generation = read_count(existing.metadata.get(GENERATION)) or 0
        if generation > image.generation:
            return Standing.SUPERSEDED
        if generation == image.generation and existing.metadata.get(MODEL_VERSION) == self._model_version:
            return Standing.REPEATED
        return Standing.OUTDATED

    def write(
        self, image: StoredObject, document: ResultDocument | ErrorDocument, existing: StoredObject | None
    ) -> Standing:
        """Writes the document in place of `existing` (WRITTEN), or finds that another result has settled it.

        Raises `SurroundingsError` when the bucket is missing or out of reach, or others keep writing.
        """
        line = one_line(document) + b"\n"
        for _ in range(_ATTEMPTS):
            try:
                self._storage.write(
                    self.address(image.address),
                    line,
                    "application/json",
                    expected=existing.generation if existing else 0,
                    metadata=marks(document["schema"], self._model_version, str(image.generation)),
                    cache_control="no-cache",  # a newer photo replaces it
                )
            except PreconditionFailedError:
                existing = self.look_up(image)
                if (standing := self.standing(image, existing)).settled:
                    return standing
            else:
                return Standing.WRITTEN
        raise SurroundingsError("UNAVAILABLE", f"The result of {image.address.uri} kept changing while it was written.")
