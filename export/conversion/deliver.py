"""Deliver a finished model file to a path on this machine, or to a bucket that a function starts from."""

import hashlib
import os
import shutil
from pathlib import Path

from ..errors import ExportError
from ..serving import SERVED_MODEL, FlowersError, ObjectAddress, PreconditionFailedError

FILE_NAME = SERVED_MODEL.name


class DeliveryError(ExportError):
    """Report a file that cannot be delivered. The message says why."""


def destination(out: str) -> Path | ObjectAddress:
    """Return the file or object that `--out` stands for; a folder, or an address that ends in `/`, gets `flowers.onnx`.

    Raise `DeliveryError` for an invalid address, or another extension than `.onnx`.
    """
    named = out if out.endswith(".onnx") else f"{out.rstrip('/')}/{FILE_NAME}"
    if not out.startswith("gs://"):
        path = Path(named)
        present = next(folder for folder in path.absolute().parents if folder.exists())
        if path.is_dir() or not present.is_dir():
            raise DeliveryError(f"--out {out}: give a folder, a file that ends in .onnx, or gs://bucket/folder/")
        if not os.access(present, os.W_OK):
            raise DeliveryError(f"--out {out}: you may not write to {present}. Give a folder of your own")
        return path
    address = ObjectAddress.parse(named)
    if address is None:
        raise DeliveryError(f"--out {out}: should be gs://bucket/folder/ or gs://bucket/folder/name.onnx")
    return address


def deliver(file: Path, to: Path | ObjectAddress) -> str:
    """Copy or upload `file` and return the value of `MODEL_PATH` for it.

    A file on this machine is replaced. An object never is, since functions may be serving it: a new version gets an
    address of its own. Raise `DeliveryError`.
    """
    if isinstance(to, Path):
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = to.with_suffix(".partial")
        shutil.copyfile(file, partial)
        partial.replace(to)
        return str(to)
    from flowers.cloud.storage import Storage  # slow, and not needed for a path

    data = file.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        storage = Storage()
        present = storage.look_up(to)
        if present is None:
            storage.write(to, data, "application/octet-stream", expected=0, metadata={"sha256": sha256})
        elif present.metadata.get("sha256") != sha256:
            raise DeliveryError(f"{to.uri} holds another model already: give this one an address of its own")
    except PreconditionFailedError as error:
        raise DeliveryError(f"{to.uri} was written by someone else meanwhile: run this again to see by whom") from error
    except FlowersError as error:
        raise DeliveryError(f"cannot upload to {to.uri}: {error}") from error
    return to.uri
