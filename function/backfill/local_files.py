"""A folder of photographs that looks like a bucket, so that the same protocol writes results beside the files.

The generation of a file is the time of its last change (`st_mtime_ns`): a photo that was changed, or replaced by an
older one, is another generation, and a folder that was copied with its times is the same one. Where a bucket keeps the
marks of a result in its metadata, a folder has only the document itself, which says the same.
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
from flowers.results.writer import GENERATION, MODEL_VERSION, SCHEMA

# A document has some 1,500 bytes; what is far larger is none.
_MOST_DOCUMENT_BYTES = 1024 * 1024
# Enough for every format to announce itself.
_HEAD_BYTES = 512
# What is left of a photo's name in that of its result's temporary file, so that it is none too long.
_NAME_KEPT = 60
_NO_IMAGE = "application/x-unknown"


class FileAddress(ObjectAddress):
    """A file: `bucket` is the folder that the work began at, `name` the path below it, with slashes."""

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(self.bucket, self.name)

    @property
    def uri(self) -> str:
        """`file:///…`, in which only ASCII is left, whatever bytes the name has."""
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
    """An `ObjectStore` of the files below a folder. Hidden files and folders, and links to folders, are left out."""

    def __init__(self, root: Path, result_suffix: str, model_version: str) -> None:
        """`root` is an absolute path; `model_version` is the one whose results count as present."""
        self._root = root
        self._suffix = result_suffix
        self._model_version = model_version

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        """The file as it is now, or None where there is none."""
        path = self._path(address)
        try:
            with _our_errors(path):
                return self._stored(address.name, path)
        except ObjectMissingError:
            return None

    def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[StoredObject | str]:
        """The files whose names begin with `prefix`, by name; with `delimiter` "/" the folders as texts, in between."""
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
                with suppress(FileNotFoundError):  # gone, or a link to nothing
                    if entry.is_file():
                        yield self._stored(name, Path(entry.path))
            elif delimiter:
                yield name
            else:
                yield from self.list_objects(bucket, name)

    def read(self, stored: StoredObject, most: int) -> bytes:
        """The bytes of exactly this generation. Raises `ObjectMissingError` where the file is gone or has changed."""
        path = self._path(stored.address)
        with _our_errors(path), path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read(most + 1)
            if not before.st_mtime_ns == os.fstat(file.fileno()).st_mtime_ns == stored.generation:
                raise ObjectMissingError(str(path))
        if len(data) > most:
            raise InputError("IMAGE_TOO_LARGE", f"The file has more than {most:,} bytes, the limit.")
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
        """Writes a whole file or nothing, and returns its generation; a file has no type and no metadata.

        Raises `PreconditionFailedError` where the file of the generation `expected` (0: none) is not there.
        """
        path = self._path(address)
        with _our_errors(path):
            hidden = path.with_name(f".{path.name[:_NAME_KEPT]}.{os.getpid()}-{threading.get_ident()}.tmp")
            try:
                hidden.write_bytes(data)
                if expected == 0:
                    path.hardlink_to(hidden)  # unlike a renaming, it never replaces
                    return path.stat().st_mtime_ns
                if not path.exists() or path.stat().st_mtime_ns != expected:
                    raise PreconditionFailedError(str(path))
                hidden.replace(path)
                return path.stat().st_mtime_ns
            finally:
                hidden.unlink(missing_ok=True)

    def _path(self, address: ObjectAddress) -> Path:
        return self._root / address.name

    def _stored(self, name: str, path: Path) -> StoredObject:
        facts = path.stat()
        address = FileAddress(str(self._root), name)
        if name.endswith(self._suffix):
            marks = self._marks(path, facts.st_size)
            return StoredObject(address, facts.st_mtime_ns, facts.st_size, "application/json", metadata=marks)
        return StoredObject(address, facts.st_mtime_ns, facts.st_size, _content_type(path))

    def _marks(self, path: Path, size: int) -> dict[str, str]:
        """The metadata that a bucket would keep of a result, read off the document; none for another's file."""
        try:
            document: Any = json.loads(path.read_bytes()) if size <= _MOST_DOCUMENT_BYTES else None
            schema, generation = document["schema"], document["image"]["generation"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}
        if schema not in (RESULT_SCHEMA, ERROR_SCHEMA):
            return {}
        image = path.with_name(path.name.removesuffix(self._suffix))
        # Times have no order as generations have: any other than the present one is an older one.
        present = image.exists() and generation == str(image.stat().st_mtime_ns)
        # An error document names no model, and stands for all: what is no image for one is none for another.
        model = document.get("model") or {"version": self._model_version}
        return {GENERATION: generation if present else "0", MODEL_VERSION: str(model["version"]), SCHEMA: schema}


def _content_type(path: Path) -> str:
    """What the name claims; where it claims nothing, what the first bytes say."""
    if path.name.lower().endswith(IMAGE_ENDINGS):
        return "image/*"
    if claimed := mimetypes.guess_type(path.name)[0]:
        return claimed
    with path.open("rb") as file:
        return "image/*" if sniff(file.read(_HEAD_BYTES)) else _NO_IMAGE
