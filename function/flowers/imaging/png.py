"""Read the chunks of PNG files."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

_SIGNATURE_BYTES = 8
_TRANSPARENCY_BYTES = {0: 2, 2: 6}
_MAX_CHUNKS = 100_000
_MAX_PROFILE_BYTES = 4 * 1024 * 1024


class Chunk(NamedTuple):
    """Hold a chunk's type and body, and where it starts and ends."""

    kind: bytes
    body: memoryview
    start: int
    end: int


class Png(NamedTuple):
    """Hold what a PNG file says of its picture.

    `gamma` and `chromaticities` (white, red, green, blue: x and y) are in units of 1/100000, zero and none when absent;
    `cicp` are the numbers of primaries and transfer (ITU-T H.273).
    """

    width: int
    height: int
    exif: bytes = b""
    icc: bytes = b""
    gamma: int = 0
    chromaticities: tuple[int, ...] = ()
    cicp: tuple[int, int] | None = None


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks, the last of a truncated file shortened. Raise `ValueError` for too many."""
    view, at = memoryview(data), _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length = int.from_bytes(view[at : at + 4], "big")
        yield Chunk(bytes(view[at + 4 : at + 8]), view[at + 8 : at + 8 + length], at, at + 12 + length)
        at += 12 + length
    raise ValueError(f"more than {_MAX_CHUNKS} chunks")


def is_intact(data: bytes, chunk: Chunk) -> bool:
    """Return whether a chunk has its checksum."""
    checksum = zlib.crc32(chunk.body, zlib.crc32(chunk.kind))
    return data[chunk.end - 4 : chunk.end] == checksum.to_bytes(4, "big")


def read_png(data: bytes) -> Png:
    """Return the header, with the orientation and colours from intact chunks. Raise `ValueError` for a broken file."""
    found: dict[bytes, bytes] = {}
    wanted = (b"eXIf", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP")
    for place, chunk in enumerate(chunks(data)):
        if (chunk.kind == b"IHDR") != (place == 0) or (place == 0 and len(chunk.body) < 13):
            raise ValueError("the header is not the first chunk, or not the only one")
        if place == 0:
            width, height = int.from_bytes(chunk.body[:4], "big"), int.from_bytes(chunk.body[4:8], "big")
        elif chunk.kind in wanted and chunk.kind not in found and is_intact(data, chunk):
            found[chunk.kind] = bytes(chunk.body)
    png = Png(width, height, exif=found.get(b"eXIf", b""))
    if len(cicp := found.get(b"cICP", b"")) == 4:
        return png._replace(cicp=(cicp[0], cicp[1]))
    if b"iCCP" in found:
        return png._replace(icc=_profile(found[b"iCCP"]))
    gamma, chromaticities = found.get(b"gAMA", b""), found.get(b"cHRM", b"")
    if b"sRGB" in found or len(gamma) != 4:
        return png
    points = [int.from_bytes(chromaticities[at : at + 4], "big") for at in range(0, 32, 4)]
    return png._replace(
        gamma=int.from_bytes(gamma, "big"), chromaticities=tuple(points) if len(chromaticities) == 32 else ()
    )


def _profile(body: bytes) -> bytes:
    start = body.find(b"\0") + 2
    try:
        return zlib.decompressobj().decompress(body[start:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return b""


def without_metadata(data: bytes) -> bytes:
    """Return the file without its optional chunks, except an intact transparency."""
    kept = [data[:_SIGNATURE_BYTES]]
    for chunk in chunks(data):
        needed = _TRANSPARENCY_BYTES.get(data[25], 1)  # by the header's colour type
        intact = chunk.kind == b"tRNS" and len(chunk.body) >= needed and is_intact(data, chunk)
        if chunk.kind[:1].isupper() or intact:
            kept.append(data[chunk.start : chunk.end])
    return b"".join(kept)
