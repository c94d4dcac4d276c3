"""List an archive of photos: each photo with its result and with the newest correction.

    YYYY/MM/DD/<sha256>.jpg
    YYYY/MM/DD/<sha256>.jpg.json           the result
    YYYY/MM/DD/<sha256>.correction.json    the correction, if there is one

`<sha256>` is the digest of the photo as it was sent. The stored photo is another file: without its metadata.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ..errors import ExportError
from ..serving import (
    BUCKET_NAME,
    IMAGE_ENDINGS,
    FlowersError,
    LocalFiles,
    ObjectMissingError,
    ObjectStore,
    StoredObject,
    open_storage,
)

_OBJECT = re.compile(r"(\d{4}/\d{2}/\d{2})/([0-9a-f]{64})(\.[A-Za-z0-9._-]+)")
_NEXT = "Run the same command again: what is copied is kept."


class ArchiveError(ExportError):
    """Report an archive that cannot be read, or that holds no photos."""


@dataclass
class ArchivedPhoto:
    """Hold the objects of one photo: those of the newest day, and all its corrections."""

    digest: str
    day: str
    photo: StoredObject
    result: StoredObject | None
    corrections: list[StoredObject]


@dataclass(frozen=True)
class Archive:
    """Locate an archive: a bucket, perhaps only the names that begin with `prefix`, or a folder."""

    store: ObjectStore
    place: str
    prefix: str
    uri: str
    suffix: str

    def photos(self) -> list[ArchivedPhoto]:
        """Return all photos, each digest once. Raise `ArchiveError`."""
        days: dict[tuple[str, str], dict[str, StoredObject]] = {}
        for stored in tqdm(self._objects(), "list the archive", unit=" objects", mininterval=1):
            match = _OBJECT.fullmatch(stored.address.name)
            if match:
                days.setdefault((match[1], match[2]), {})[match[3]] = stored
        found: dict[str, ArchivedPhoto] = {}
        for (day, digest), objects in sorted(days.items()):
            photos = [stored for ending, stored in objects.items() if ending in IMAGE_ENDINGS]
            if not photos:
                continue
            photo = max(photos, key=lambda stored: stored.generation)
            result = objects.get(Path(photo.address.name).suffix + self.suffix)
            correction = objects.get(f".correction{self.suffix}")
            earlier = found[digest].corrections if digest in found else []
            corrections = [*earlier, *([correction] if correction else [])]
            found[digest] = ArchivedPhoto(digest, day, photo, result, corrections)
        if not found:
            raise ArchiveError(
                f"{self.uri} has no archived photos, which are called YYYY/MM/DD/<sha256>.jpg. "
                "Give the bucket that ARCHIVE_BUCKET names, or a copy of it."
            )
        return list(found.values())

    def _objects(self) -> Iterator[StoredObject]:
        try:
            for stored in self.store.list_objects(self.place, self.prefix):
                if isinstance(stored, StoredObject):
                    yield stored
        except ObjectMissingError:
            raise ArchiveError(f"There is no bucket {self.place}. Give the one that ARCHIVE_BUCKET names.") from None
        except FlowersError as error:
            raise unavailable(error) from error

    def read(self, stored: StoredObject, max_bytes: int) -> bytes | None:
        """Return an object's bytes, None if it is gone or has more than `max_bytes`. Raise `ArchiveError`."""
        try:
            return self.store.read(stored, max_bytes)
        except ObjectMissingError:
            return None
        except FlowersError as error:
            if error.code < 500:
                return None
            raise unavailable(error) from error


def unavailable(error: FlowersError) -> ArchiveError:
    """Return the error of an archive that is unavailable or denies access."""
    return ArchiveError(
        f"{error.message} Check the network, and `gcloud auth application-default login` as an account that may "
        f"read the archive (roles/storage.objectViewer). {_NEXT}"
    )


def open_archive(text: str, suffix: str) -> Archive:
    """Open `gs://bucket`, `gs://bucket/2026/11` or a folder. Results end in `suffix`. Raise `ArchiveError`."""
    if text.startswith("gs://"):
        bucket, _, prefix = text.removeprefix("gs://").partition("/")
        if not BUCKET_NAME.fullmatch(bucket):
            raise ArchiveError(f"{text} is no address of a bucket: write gs://BUCKET or gs://BUCKET/2026/11")
        try:
            return Archive(open_storage(), bucket, prefix, text, suffix)
        except FlowersError as error:
            raise unavailable(error) from error
    folder = Path(text)
    if not folder.is_dir():
        raise ArchiveError(f"{text} is no folder. Give gs://BUCKET, or a folder that is a copy of the bucket.")
    return Archive(LocalFiles(folder, suffix, ""), str(folder), "", text, suffix)
