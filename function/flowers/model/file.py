"""The bytes of the model file: from a path, or from a bucket with their digest checked."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from ..cloud.objects import ObjectAddress, ObjectMissingError
from ..errors import FlowersError

# A protocol buffer, and so an ONNX file, can be no larger.
_MOST_BYTES = 2 * 1024**3 - 1


class ModelError(Exception):
    """A model file that cannot be served; the message says what is missing or wrong."""


class ModelFile(NamedTuple):
    """A model file that was read: its path or `gs://` address, its bytes, and their SHA-256 in hexadecimal digits."""

    path: str
    data: bytes
    sha256: str


def read_model(file: Path | ObjectAddress) -> ModelFile:
    """The file at a path or in a bucket. Raises `ModelError` where it is missing, out of reach or damaged."""
    if isinstance(file, ObjectAddress):
        return _download(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot load the model {file}: {error}") from error
    return ModelFile(str(file), data, hashlib.sha256(data).hexdigest())


def _download(address: ObjectAddress) -> ModelFile:
    """The object, whose bytes must have the digest that its metadata name.

    The client that reads them is closed again: a connection must not cross the fork of a server's workers.
    """
    from ..cloud.storage import Storage  # slow to import, and rarely needed here

    try:
        with Storage() as storage:
            stored = storage.look_up(address)
            if stored is None:
                raise ModelError(
                    f"cannot load the model {address.uri}: there is no such object (or it may not be read)"
                )
            wanted = stored.metadata.get("sha256")
            if wanted is None:
                raise ModelError(
                    f"cannot load the model {address.uri}: its metadata have no sha256 to check it by. "
                    "Upload it with `python -m export convert --out gs://…`."
                )
            data = storage.read(stored, _MOST_BYTES)
    except (FlowersError, ObjectMissingError) as error:
        raise ModelError(f"cannot load the model {address.uri}: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise ModelError(
            f"cannot load the model {address.uri}: its SHA-256 is {found}, not {wanted} as it says: upload it again"
        )
    return ModelFile(address.uri, data, found)
