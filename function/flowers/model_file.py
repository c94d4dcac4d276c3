"""The bytes of the model file: from a path, or from a bucket with their digest checked."""

import hashlib
from pathlib import Path

from .errors import FlowersError
from .stored_object import ObjectAddress, ObjectMissingError

# A protocol buffer, and so an ONNX file, can be no larger.
_MOST_BYTES = 2 * 1024**3 - 1


class ModelError(Exception):
    """A model file that cannot be served; the message says what is missing or wrong."""


def read_model(file: Path | ObjectAddress) -> bytes:
    """The file's bytes. Raises `ModelError` where it is missing, out of reach or damaged."""
    if isinstance(file, ObjectAddress):
        return _download(file)
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot load the model {file}: {error}") from error


def _download(address: ObjectAddress) -> bytes:
    """The object's bytes, which must have the digest that its metadata name.

    The client that reads them is closed again: a connection must not cross the fork of a server's workers.
    """
    from .storage import Storage  # slow to import, and rarely needed here

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
    return data
