"""Read JSON bodies: parse them with bounded memory, and decode base64 as browsers, phones and libraries write it."""

import binascii
import json
from typing import Any

from ..cloud.objects import ObjectAddress
from ..errors import InputError

ENVELOPE_BYTES = 64 * 1024
"""Bytes that a request may have beside its images."""

# A value takes up to some 100 bytes of memory, however short its text is.
_MAX_VALUES = 10_000
_SHAPE = '{"image": {"content": "<base64>"}} or {"image": {"gcs_uri": "gs://bucket/name"}}'
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_WHITESPACE = b" \t\r\n\f\v"
_ASCII = bytes(range(128)) + b"?" * 128


def begins_as_json(body: bytes) -> bool:
    """Return whether a body is JSON, whatever its Content-Type: no image begins with a brace."""
    return body[:64].removeprefix(b"\xef\xbb\xbf").lstrip(_WHITESPACE).startswith(b"{")


def parse_json(body: bytes, shape: str) -> Any:
    """Parse JSON, which should be like `shape`. Take a few times the body's memory at most, whatever the body.

    In large bodies, letters other than ASCII are replaced: a single one can make the parsed text four times as long.
    Raise `InputError` (MALFORMED_REQUEST).
    """
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > _MAX_VALUES:
        raise InputError("MALFORMED_REQUEST", f"The JSON has more than {_MAX_VALUES:,} values. Send only the image.")
    try:
        return json.loads(body if len(body) <= ENVELOPE_BYTES else body.translate(_ASCII))
    except (ValueError, RecursionError):
        raise InputError("MALFORMED_REQUEST", f"The body is not valid JSON. It should be like {shape}.") from None


def read_image(body: bytes) -> bytes | ObjectAddress:
    """Return the image of a JSON body: its bytes, or the address of the object.

    Raise `InputError` (MALFORMED_REQUEST, BUCKET_NOT_ALLOWED).
    """
    request = parse_json(body, _SHAPE)
    image = request.get("image") if isinstance(request, dict) else None
    if isinstance(image, str):
        image = {"content": image}
    sources = {"content", "gcs_uri"} & set(image) if isinstance(image, dict) else set()
    if not isinstance(image, dict) or len(sources) != 1 or not isinstance(value := image[sources.pop()], str):
        raise InputError("MALFORMED_REQUEST", f"The JSON should have one image: {_SHAPE}.")
    return _address(value) if "gcs_uri" in image else decode_base64(value)


def decode_base64(text: str) -> bytes:
    """Decode base64: with or without padding and line breaks, url-safe too, and as a data URL.

    Raise `InputError` (MALFORMED_REQUEST).
    """
    if text[:5].lower() == "data:":
        header, comma, text = text.partition(",")
        if not (comma and header.lower().endswith(";base64")):
            raise InputError("MALFORMED_REQUEST", "The data URL should begin like data:image/jpeg;base64, and go on.")
    try:
        data = text.encode("ascii").translate(_URL_SAFE, _WHITESPACE).rstrip(b"=")
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except ValueError:  # binascii.Error too
        raise InputError("MALFORMED_REQUEST", "The image is not valid base64 (RFC 4648).") from None


def _address(uri: str) -> ObjectAddress:
    if uri.startswith(("http://", "https://")):
        raise InputError("BUCKET_NOT_ALLOWED", "Web addresses are never fetched. Send the image's bytes.")
    address = ObjectAddress.parse(uri)
    if address is None:
        raise InputError("MALFORMED_REQUEST", "`image.gcs_uri` should be like gs://bucket/name.")
    return address
