"""Remove the metadata of a photo: position, time, camera, texts, previews.

JPEG, PNG and WebP files keep their pixels bit by bit, their colours and their orientation: only the parts that show the
picture are copied. Photos of other formats, and broken ones, become upright JPEGs.
"""

import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from . import jpeg, png
from .crop import InputRule
from .decode import decode
from .decoders import is_of_machine
from .header import Header, read_header
from .memory import PixelBudget

# The longer side of an upright JPEG: more than a model sees, and little memory.
MAX_SIDE = 1024
_QUALITY = 95
# Photos have some dozens of parts.
_MAX_PARTS = 20_000

_PNG_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_PNG_COLOURS = {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"}
_WEBP_PICTURE = {b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
_WEBP_EXIF, _WEBP_XMP = 8, 4  # flags of VP8X


class Photo(NamedTuple):
    """Hold a file and its format."""

    data: bytes
    format: str


def anonymous(data: bytes, max_pixels: int, budget: PixelBudget) -> Photo:
    """Return the photo without its metadata. Raise as `decode` does if it cannot be decoded either."""
    header = read_header(data)
    if header.format in _COPIERS:
        try:
            plain = _COPIERS[header.format](data, header.orientation)
            if _shown(read_header(plain)) == _shown(header):
                return Photo(plain, header.format)
        except Exception as error:  # a broken file makes the copiers fail in many ways
            if is_of_machine(error):
                raise
    return Photo(_upright_jpeg(data, header, max_pixels, budget), "JPEG")


def _shown(header: Header) -> tuple[object, ...]:
    return header.format, header.width, header.height, header.orientation, header.colours


def _upright_jpeg(data: bytes, header: Header, max_pixels: int, budget: PixelBudget) -> bytes:
    width, height = header.upright
    scale = min(1.0, MAX_SIDE / max(width, height))
    rule = InputRule(max(1, round(height * scale)), max(1, round(width * scale)), "stretch")
    file = io.BytesIO()
    Image.fromarray(decode(data, rule, max_pixels, budget).pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _exif(orientation: int) -> bytes:
    """Return EXIF that says the orientation and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _copy_jpeg(data: bytes, orientation: int) -> bytes:
    """Copy tables, frame, scans, and the metadata that names the colours. Drop whatever follows the picture."""
    view, kept = memoryview(data), list[bytes | memoryview]([b"\xff\xd8"])
    if orientation != 1:
        kept.append(_segment(jpeg.APP1, b"Exif\0\0" + _exif(orientation)))
    for segment in jpeg.segments(data):
        if (body := _needed(segment)) is not None:
            kept.append(_segment(segment.marker, body))
    at = segment.end
    for _ in range(_MAX_PARTS):
        found = jpeg.MARKER.search(data, at)
        if found is None:  # the end is missing
            return b"".join([*kept, view[at:]])
        start, marker = found.start(), data[found.start() + 1]
        kept.append(view[at:start])
        if marker == jpeg.EOI:
            return b"".join([*kept, b"\xff\xd9"])
        at = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker not in {jpeg.SOS} | jpeg.TABLES or not start + 4 <= at <= len(data):
            raise ValueError(f"marker {marker:02X} among the scans")
        kept.append(view[start:at])
    raise ValueError("too many segments")


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _needed(segment: jpeg.Segment) -> bytes | None:
    """Return what to keep of a segment before the first scan, or None."""
    marker, body = segment.marker, segment.body
    if marker not in jpeg.METADATA or (marker == jpeg.APP2 and body.startswith(b"ICC_PROFILE\0")):
        return body
    if marker == jpeg.APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        return body[:12] + b"\0\0"  # without the preview
    return body[:12] if jpeg.is_adobe(segment) else None


def _copy_png(data: bytes, orientation: int) -> bytes:
    """Copy the picture, its first frame if there are several, and its colours."""
    view, kept, found = memoryview(data), list[bytes | memoryview]([data[:8]]), set[bytes]()
    for chunk in png.chunks(data):
        colours = chunk.kind in _PNG_COLOURS and chunk.kind not in found and png.is_intact(data, chunk)
        if chunk.kind in _PNG_PICTURE or colours:
            kept.append(view[chunk.start : chunk.end])
            found.add(chunk.kind)
        elif chunk.kind[:1].isupper():
            raise ValueError(f"unknown chunk {chunk.kind!r}")
        if chunk.kind == b"IHDR" and orientation != 1:
            body = b"eXIf" + _exif(orientation)
            kept.append((len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))
        if chunk.kind == b"IEND":
            break
    return b"".join(kept)


def _copy_webp(data: bytes, orientation: int) -> bytes:
    """Copy the picture, its frames if there are several, and its colours."""
    view, kept, at = memoryview(data), list[bytes | memoryview](), 12
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    for _ in range(_MAX_PARTS):
        if at + 8 > end:
            break
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        after = at + 8 + size + (size & 1)
        if kind == b"VP8X":
            flags = data[at + 8] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if orientation != 1 else 0)
            kept += [data[at : at + 8], bytes([flags]), view[at + 9 : after]]
        elif kind in _WEBP_PICTURE:
            kept.append(view[at : min(after, end)])
        at = after
    else:
        raise ValueError("too many chunks")
    if orientation != 1:
        exif = _exif(orientation)
        kept += [b"EXIF", len(exif).to_bytes(4, "little"), exif]
    length = 4 + sum(len(part) for part in kept)
    return b"".join([b"RIFF", length.to_bytes(4, "little"), b"WEBP", *kept])


_COPIERS: dict[str, Callable[[bytes, int], bytes]] = {"JPEG": _copy_jpeg, "PNG": _copy_png, "WEBP": _copy_webp}
