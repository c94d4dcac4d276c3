"""An object in Cloud Storage as the core sees it; the library that talks to it stays in `storage`."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

# https://cloud.google.com/storage/docs/buckets#naming (2026): names with dots may have 222 characters.
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
# https://cloud.google.com/storage/docs/objects#naming (2026)
MOST_NAME_BYTES = 1024


class ObjectAddress(NamedTuple):
    """Where an object lies, whatever its generation."""

    bucket: str
    name: str

    @property
    def uri(self) -> str:
        """`gs://bucket/name`; the name stands as it is, whatever characters it has."""
        return f"gs://{self.bucket}/{self.name}"

    @classmethod
    def parse(cls, uri: str) -> "ObjectAddress | None":
        """The address that `gs://bucket/name` stands for; None for anything else."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        if not uri.startswith("gs://") or not BUCKET_NAME.fullmatch(bucket) or not is_object_name(name):
            return None
        return cls(bucket, name)


class StoredObject(NamedTuple):
    """One generation of an object. `size` in bytes as stored; type and encoding as claimed, "" where nothing is."""

    address: ObjectAddress
    generation: int
    size: int
    content_type: str = ""
    content_encoding: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})


class ObjectMissingError(Exception):
    """The object, or this generation of it, is not there (any more)."""


class PreconditionFailedError(Exception):
    """The object has another generation than the write was made for."""


class ObjectStore(Protocol):
    """Where objects lie: a bucket, or what is treated like one. `storage.Storage` documents the methods.

    Each raises `UnavailableError` when the place is out of reach or refuses.
    """

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        """The live generation of an object, or None where there is none."""

    def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[StoredObject | str]:
        """The objects whose names begin with `prefix`, by name; with a `delimiter`, folders come as texts."""

    def read(self, stored: StoredObject, most: int) -> bytes:
        """The bytes of exactly this generation, at most `most`."""

    def write(
        self,
        address: ObjectAddress,
        data: bytes,
        content_type: str,
        expected: int,
        metadata: Mapping[str, str] | None = None,
        cache_control: str | None = None,
    ) -> int:
        """Writes an object in place of the generation `expected` (0: none) and returns its generation."""


def read_count(value: object) -> int | None:
    """A generation or a size as Cloud Storage writes it: a text of digits, or a number, below 2^63; None otherwise."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def is_object_name(name: str) -> bool:
    """Whether Cloud Storage could hold an object of this name."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return 0 < length <= MOST_NAME_BYTES and not set(name) & {"\r", "\n"} and name not in (".", "..")
