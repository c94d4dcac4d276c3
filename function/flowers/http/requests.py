"""Read the images of a request: its body, the files of a form, base64 in JSON, or the address of an object in JSON."""

import io
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import Request

from ..cloud.objects import ObjectAddress
from ..errors import InputError
from ..imaging.memory import WAIT_SECONDS, Budget
from .form import read_form
from .json_body import ENVELOPE_BYTES, begins_as_json, decode_base64, read_image

# This many of the largest bodies may be in memory at once.
_BODIES_IN_MEMORY = 3
_GZIP = 16 + zlib.MAX_WBITS
# `curl -d @file` removes these bytes, of which every image has some.
_REMOVED_BY_CURL = b"\0\r\n"

T = TypeVar("T")


class ImageReader:
    """Read images of up to `max_image_bytes` bytes, from many threads at once, with a bounded number of them in memory.

    A request reserves its announced bytes before they are read, and holds them until its images are classified. One
    body at a time is turned into images, which takes a few times its bytes for a moment.
    """

    def __init__(self, max_image_bytes: int, wait_seconds: float = WAIT_SECONDS) -> None:
        """Let a request wait up to `wait_seconds` for the memory of others."""
        self._max_image_bytes = max_image_bytes
        self._max_form_bytes = max_image_bytes + ENVELOPE_BYTES
        self._max_body_bytes = max_image_bytes * 4 // 3 + ENVELOPE_BYTES  # base64 in JSON
        self._bytes = Budget(_BODIES_IN_MEMORY * self._max_body_bytes, wait_seconds)
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def images(self, request: Request) -> Iterator[list[bytes] | ObjectAddress]:
        """Hold the images of a request, in order and at least one, or the address of its image, while the block runs.

        Raise `InputError` (EMPTY_IMAGE, MALFORMED_REQUEST, IMAGE_TOO_LARGE, BUCKET_NOT_ALLOWED), and `UnavailableError`
        if others hold the memory for too long.
        """
        with self.read(request, lambda body: self._images(request, body)) as images:
            yield images

    @contextmanager
    def read(self, request: Request, parse: Callable[[bytes], T]) -> Iterator[T]:
        """Hold what `parse` makes of a request's body while the block runs. Raise as `images` does."""
        announced = request.content_length or 0
        if announced > self._max_body_bytes:
            raise _too_large(self._max_image_bytes)
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        with self._bytes.reserve(announced if announced and encoding == "identity" else self._max_body_bytes):
            yield self._parsed(request, announced, encoding, parse)

    def _parsed(self, request: Request, announced: int, encoding: str, parse: Callable[[bytes], T]) -> T:
        try:
            body = _transferred(request, announced, self._max_body_bytes)
        except Exception as error:  # each server has errors of its own for a broken transfer
            raise InputError("MALFORMED_REQUEST", "The body of the request ended early or is malformed.") from error
        with self._one_at_a_time:
            if encoding != "identity":
                body = _decompressed(body, encoding, self._max_body_bytes)
            if len(body) > self._max_body_bytes:
                raise _too_large(self._max_image_bytes)
            return parse(body)

    def _images(self, request: Request, body: bytes) -> list[bytes] | ObjectAddress:
        kind = request.mimetype
        if kind == "multipart/form-data":
            if len(body) > self._max_form_bytes:
                raise _too_large(self._max_image_bytes)
            return read_form(body, request.mimetype_params)
        if kind == "application/json" or kind.endswith("+json") or begins_as_json(body):
            image = read_image(body)
            return image if isinstance(image, ObjectAddress) else [image]
        if body[:11].lower() == b"data:image/":
            return [decode_base64(body.decode("latin-1"))]
        if len(body) > self._max_image_bytes:
            raise _too_large(self._max_image_bytes)
        if kind == "application/x-www-form-urlencoded" and body and not any(byte in body for byte in _REMOVED_BY_CURL):
            raise InputError(
                "MALFORMED_REQUEST",
                "`curl -d` removes bytes from a file. Send it with: curl --data-binary @photo.jpg, or as "
                "multipart/form-data: curl -F image=@photo.jpg",
            )
        return [body]


def _transferred(request: Request, announced: int, max_bytes: int) -> bytes:
    """Return the body: the announced bytes, or up to one more than `max_bytes` if none are announced."""
    if not announced:
        return request.stream.read(max_bytes + 1)
    # Past `request.stream`, which copies the body twice.
    body: bytes = request.environ["wsgi.input"].read(announced)
    request.stream = io.BytesIO()
    if len(body) < announced:
        raise EOFError
    return body


def _decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return the body without its Content-Encoding, or one byte more than `max_bytes` of it."""
    if encoding not in ("gzip", "x-gzip"):
        raise InputError(
            "MALFORMED_REQUEST", f"Content-Encoding {encoding[:40]!r} is not supported. Send gzip, or no encoding."
        )
    decoder = zlib.decompressobj(_GZIP)
    try:
        plain = decoder.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise InputError("MALFORMED_REQUEST", "The body is not gzip, although its Content-Encoding says so.") from error
    if len(plain) <= max_bytes and not decoder.eof:
        raise InputError("MALFORMED_REQUEST", "The gzip body ends early. Send it again.")
    return plain


def _too_large(max_bytes: int) -> InputError:
    return InputError(
        "IMAGE_TOO_LARGE", f"The request has more than {max_bytes:,} bytes, the limit. Send less, or scale it down."
    )
