"""Read the images of a multipart/form-data body."""

import re
from collections.abc import Iterator, Mapping

from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Event, Field, File, MultipartDecoder, State

from ..errors import InputError

_MAX_PARTS = 100
# The headers of a part are parsed at once; each takes far more memory than its text.
_CHUNK_BYTES = 64 * 1024
_IMAGE_NAMES = (r"images?(\[\d*\])?", r"files?(\[\d*\])?")


def read_form(body: bytes, parameters: Mapping[str, str]) -> list[bytes]:
    """Return the images of a form, in order and at least one; `parameters` are those of its Content-Type.

    The images are the files named `image` (or `images`, `image[]`), else those named `file`, else the only file.
    Raise `InputError` (MALFORMED_REQUEST).
    """
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise InputError(
            "MALFORMED_REQUEST",
            "The Content-Type has no boundary. Do not set this header yourself: the HTTP library adds the boundary.",
        )
    try:
        files = list(_files(body, boundary.encode("latin-1")))
    except (ValueError, HTTPException) as error:
        raise InputError(
            "MALFORMED_REQUEST", f"The multipart body is broken or has more than {_MAX_PARTS} parts."
        ) from error
    for names in _IMAGE_NAMES:
        if images := [data for name, data in files if re.fullmatch(names, name, re.IGNORECASE)]:
            return images
    if len(files) == 1:
        return [files[0][1]]
    found = f"There are {', '.join(sorted({repr(name) for name, _ in files}))}." if files else "There is no file."
    raise InputError(
        "MALFORMED_REQUEST", f"No part is a file named `image`. {found[:300]} Send it like curl -F image=@rose.jpg"
    )


def _files(body: bytes, boundary: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each part that is a file or has an image's type."""
    name, chunks = None, list[bytes]()
    for event in _events(body, MultipartDecoder(boundary, max_parts=_MAX_PARTS)):
        if isinstance(event, Field | File):
            is_file = isinstance(event, File) or event.headers.get("Content-Type", "").lower().startswith("image/")
            name = str(event.name or "") if is_file else None
        elif isinstance(event, Data) and name is not None:
            chunks.append(event.data)
            if not event.more_data:
                yield name, b"".join(chunks)
                chunks.clear()


def _events(body: bytes, decoder: MultipartDecoder) -> Iterator[Event]:
    """Yield the parser's events. Raise `ValueError` for a broken body."""
    view = memoryview(body)
    for start in range(0, len(body) + _CHUNK_BYTES, _CHUNK_BYTES):
        decoder.receive_data(bytes(view[start : start + _CHUNK_BYTES]) or None)
        while (event := decoder.next_event()) is not NEED_DATA:
            yield event
            if isinstance(event, Epilogue):
                return
        if decoder.state is State.PART and len(decoder.buffer) > _CHUNK_BYTES:
            raise ValueError("a part's headers are too large")
