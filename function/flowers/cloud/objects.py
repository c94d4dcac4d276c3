"""Describe stored objects without the library of Cloud Storage, which only `storage` imports."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

# https://cloud.google.com/storage/docs/buckets#naming (2026): names with dots may have 222 characters.
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
# https://cloud.google.com/storage/docs/objects#naming (2026)
MAX_NAME_BYTES = 1024


class ObjectAddress(NamedTuple):
    """Name an object, whatever its generation."""

    bucket: str
    name: str

    @property
    def uri(self) -> str:
        """Return `gs://bucket/name`, with the name as it is, whatever characters it has."""
        return f"gs://{self.bucket}/{self.name}"

    @classmethod
    def parse(cls, uri: str) -> "ObjectAddress | None":
        """Return the address in `gs://bucket/name`, or None for anything else."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        if not uri.startswith("gs://") or not BUCKET_NAME.fullmatch(bucket) or not is_object_name(name):
            return None
        return cls(bucket, name)


class StoredObject(NamedTuple):
    """Describe one generation of an object: stored size in bytes, and the claimed type and encoding, "" if none."""

    address: ObjectAddress
    generation: int
    size: int
    content_type: str = ""
    content_encoding: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})


class ObjectMissingError(Exception):
    """Report an object, or a generation of it, that is missing."""


class PreconditionFailedError(Exception):
    """Report a write for another generation than the live one."""


class ObjectStore(Protocol):
    """Store objects in buckets, or in folders. `storage.Storage` documents the methods.

    Each raises `UnavailableError` if the store is unavailable or denies access.
    """

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        """Return the live generation of an object, or None if there is none."""

    def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[StoredObject | str]:
        """Yield the objects whose names begin with `prefix`, by name; with a `delimiter`, folders as strings."""

    def read(self, stored: StoredObject, max_bytes: int) -> bytes:
        """Read exactly this generation, of at most `max_bytes` bytes."""

    def write(
        self,
        address: ObjectAddress,
        data: bytes,
        content_type: str,
        expected: int,
        metadata: Mapping[str, str] | None = None,
        cache_control: str | None = None,
    ) -> int:
        """Write an object in place of the generation `expected` (0: none) and return its generation."""


def read_count(value: object) -> int | None:
    """Read a generation or a size: a string of digits, or a number, below 2^63. Return None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def is_object_name(name: str) -> bool:
    """Return whether Cloud Storage allows an object of this name."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return 0 < length <= MAX_NAME_BYTES and not set(name) & {"\r", "\n"} and name not in (".", "..")
