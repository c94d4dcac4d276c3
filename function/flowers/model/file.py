"""Read the model file from a path, or from a bucket with its digest checked."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from ..cloud.objects import ObjectAddress, ObjectMissingError
from ..errors import FlowersError

# The limit of a protocol buffer, and so of an ONNX file.
_MAX_BYTES = 2 * 1024**3 - 1


class ModelError(Exception):
    """Report a model file that cannot be served. The message says what is missing or wrong."""


class ModelFile(NamedTuple):
    """Hold a model file: its path or `gs://` address, its bytes, and their SHA-256 in hexadecimal digits."""

    path: str
    data: bytes
    sha256: str


def read_model(file: Path | ObjectAddress) -> ModelFile:
    """Read the file at a path or in a bucket. Raise `ModelError` if it is missing, unavailable or damaged."""
    if isinstance(file, ObjectAddress):
        return _download(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot load the model {file}: {error}") from error
    return ModelFile(str(file), data, hashlib.sha256(data).hexdigest())


def _download(address: ObjectAddress) -> ModelFile:
    """Read an object and check the digest in its metadata.

    The client is closed again: a connection must not cross the fork of a server's workers.
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
            data = storage.read(stored, _MAX_BYTES)
    except (FlowersError, ObjectMissingError) as error:
        raise ModelError(f"cannot load the model {address.uri}: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise ModelError(
            f"cannot load the model {address.uri}: its SHA-256 is {found}, not {wanted} as it says: upload it again"
        )
    return ModelFile(address.uri, data, found)
