"""Make a folder of photographs look like a bucket, so that the same code writes results beside the files.

The generation of a file is its modification time (`st_mtime_ns`). A photo that was changed, or replaced by an older
one, is another generation; a copy that keeps the times is the same one. A bucket keeps a result's generation and model
version as metadata. A folder has no metadata, so they are read from the document itself.
"""

import json
import mimetypes
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flowers.cloud.objects import ObjectAddress, ObjectMissingError, PreconditionFailedError, StoredObject
from flowers.documents import ERROR_SCHEMA, RESULT_SCHEMA
from flowers.errors import InputError, UnavailableError
from flowers.imaging.formats import IMAGE_ENDINGS, sniff
from flowers.results.result_objects import GENERATION, MODEL_VERSION, SCHEMA

# A far larger file is no result document.
_MAX_DOCUMENT_BYTES = 1024 * 1024
# Enough to detect every format.
_HEAD_BYTES = 512
# Characters of a photo's name that its result's temporary file keeps, so that the name is not too long.
_NAME_KEPT = 60
_NO_IMAGE = "application/x-unknown"


class FileAddress(ObjectAddress):
    """Name a file: `bucket` is the job's folder, `name` the path below it, with slashes."""

    @property
    def path(self) -> Path:
        """Return the file's path."""
        return Path(self.bucket, self.name)

    @property
    def uri(self) -> str:
        """Return `file:///…` in ASCII, whatever bytes the name has."""
        return self.path.as_uri()


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissingError(str(path)) from error
    except FileExistsError as error:
        raise PreconditionFailedError(str(path)) from error
    except OSError as error:
        raise UnavailableError("UNAVAILABLE", f"{path} could not be read or written.") from error


class LocalFiles:
    """Store objects as files below a folder. Hidden files and folders, and links to folders, are left out."""

    def __init__(self, root: Path, result_suffix: str, model_version: str) -> None:
        """Take an absolute path `root`, and the `model_version` whose results count as present."""
        self._root = root
        self._suffix = result_suffix
        self._model_version = model_version

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        """Return the file as it is now, or None if it is missing."""
        path = self._path(address)
        try:
            with _our_errors(path):
                found = self._stored(address.name, path)
        except ObjectMissingError:
            return None
        return None if self._is_claim(found) else found

    def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[StoredObject | str]:
        """Yield files whose names begin with `prefix`, by name; with `delimiter` "/", folders as strings in between.

        Folders in it that cannot be listed are strings too.
        """
        folder = prefix[: prefix.rfind("/") + 1]
        if any(part.startswith(".") for part in folder.split("/")):
            return
        with _our_errors(self._root / folder):
            # A folder stands where its files belong: `rose-1.jpg` before `rose/1.jpg`.
            entries = sorted(
                (f"{folder}{entry.name}/" if entry.is_dir(follow_symlinks=False) else f"{folder}{entry.name}", entry)
                for entry in os.scandir(self._root / folder)
                if not entry.name.startswith(".")
            )
        for name, entry in entries:
            if not name.startswith(prefix):
                continue
            if not name.endswith("/"):
                with suppress(OSError):  # gone, unreadable, or a link to nothing or to itself
                    if entry.is_file() and not self._is_claim(found := self._stored(name, Path(entry.path))):
                        yield found
            elif delimiter:
                yield name
            else:
                try:
                    yield from self.list_objects(bucket, name)
                except ObjectMissingError:  # removed meanwhile
                    continue
                except UnavailableError:
                    yield name

    def read(self, stored: StoredObject, max_bytes: int) -> bytes:
        """Read exactly this generation. Raise `ObjectMissingError` if the file is gone or has changed."""
        path = self._path(stored.address)
        with _our_errors(path), path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read(max_bytes + 1)
            if not before.st_mtime_ns == os.fstat(file.fileno()).st_mtime_ns == stored.generation:
                raise ObjectMissingError(str(path))
        if len(data) > max_bytes:
            raise InputError("IMAGE_TOO_LARGE", f"The file has more than {max_bytes:,} bytes, the limit.")
        return data

    def write(
        self,
        address: ObjectAddress,
        data: bytes,
        content_type: str,
        expected: int,
        metadata: Mapping[str, str] | None = None,
        cache_control: str | None = None,
    ) -> int:
        """Write a whole file or nothing, and return its generation. A file keeps no type and no metadata.

        Raise `PreconditionFailedError` if the file is not of the generation `expected` (0: no file).
        """
        path = self._path(address)
        with _our_errors(path):
            hidden = path.with_name(f".{path.name[:_NAME_KEPT]}.{os.getpid()}-{threading.get_ident()}.tmp")
            try:
                hidden.write_bytes(data)
                if expected == 0:
                    _place(hidden, path)
                    return path.stat().st_mtime_ns
                if not path.exists() or path.stat().st_mtime_ns != expected:
                    raise PreconditionFailedError(str(path))
                hidden.replace(path)
                return path.stat().st_mtime_ns
            finally:
                hidden.unlink(missing_ok=True)

    def _path(self, address: ObjectAddress) -> Path:
        return self._root / address.name

    def _is_claim(self, stored: StoredObject) -> bool:
        """Return whether a file only holds the place of a result, after a crash in `_place`."""
        return stored.size == 0 and stored.address.name.endswith(self._suffix)

    def _stored(self, name: str, path: Path) -> StoredObject:
        facts = path.stat()
        address = FileAddress(str(self._root), name)
        if name.endswith(self._suffix):
            metadata = self._metadata(path, facts.st_size)
            return StoredObject(address, facts.st_mtime_ns, facts.st_size, "application/json", metadata=metadata)
        return StoredObject(address, facts.st_mtime_ns, facts.st_size, _content_type(path))

    def _metadata(self, path: Path, size: int) -> dict[str, str]:
        """Return the metadata that a bucket would keep of a result, or none if another program wrote the file."""
        try:
            document: Any = json.loads(path.read_bytes()) if size <= _MAX_DOCUMENT_BYTES else None
            schema, generation = document["schema"], document["image"]["generation"]
            # An error document names no model: an image that is invalid for one is invalid for all.
            version = document["model"]["version"] if schema == RESULT_SCHEMA else self._model_version
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}
        if schema not in (RESULT_SCHEMA, ERROR_SCHEMA):
            return {}
        image = path.with_name(path.name.removesuffix(self._suffix))
        # Times are not ordered as generations are: any but the present one counts as older.
        present = image.exists() and generation == str(image.stat().st_mtime_ns)
        return {GENERATION: generation if present else "0", MODEL_VERSION: str(version), SCHEMA: schema}


def _place(hidden: Path, path: Path) -> None:
    """Give a written file its name. Raise `FileExistsError` rather than replace a file that is not empty."""
    if path.exists() and path.stat().st_size == 0:
        hidden.replace(path)
        return
    try:
        path.hardlink_to(hidden)
    except FileExistsError:
        raise
    except OSError:  # FAT, exFAT and some shares have no hard links
        path.touch(exist_ok=False)
        hidden.replace(path)


def _content_type(path: Path) -> str:
    """Return the type that the name claims, or else the type that the first bytes show."""
    if path.name.lower().endswith(IMAGE_ENDINGS):
        return "image/*"
    if claimed := mimetypes.guess_type(path.name)[0]:
        return claimed
    with path.open("rb") as file:
        return "image/*" if sniff(file.read(_HEAD_BYTES)) else _NO_IMAGE
