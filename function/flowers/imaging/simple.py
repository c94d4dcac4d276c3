"""Read the headers of WebP, GIF and BMP files, which need little to be read."""

from typing import NamedTuple

# Pillow decodes run lengths in Python: so slowly that a picture has to be smaller.
_RUN_LENGTH_COST = 4
# Chunks and blocks before the picture, which Pillow reads one by one in Python.
_MAX_STEPS = 50_000


class WebP(NamedTuple):
    """Hold what a WebP file says of its picture."""

    width: int
    height: int
    exif: bytes
    icc: bytes


def _little(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "little")


def read_webp(data: bytes) -> WebP:
    """Return the canvas, which libwebp allocates as soon as it opens the file. Raise errors for a broken file."""
    first = data[12:16]
    if first == b"VP8X":
        width, height = _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    elif first == b"VP8L" and data[20] == 0x2F:
        bits = _little(data, 21, 4)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif first == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
    else:
        raise ValueError(f"no picture in {first!r}")
    found: dict[bytes, bytes] = {}
    at = 12
    for _ in range(_MAX_STEPS):
        if first != b"VP8X" or at + 8 > len(data):
            break
        size = _little(data, at + 4, 4)
        if data[at : at + 4] in (b"EXIF", b"ICCP"):
            found.setdefault(data[at : at + 4], data[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)
    return WebP(width, height, found.get(b"EXIF", b""), found.get(b"ICCP", b""))


def read_gif(data: bytes) -> tuple[int, int]:
    """Return width and height of what shows the first frame, as Pillow finds it. Raise errors for a broken file."""
    width, height, flags = _little(data, 6, 2), _little(data, 8, 2), data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    steps = 0
    while data[at] != 0x2C:
        steps += 1
        if data[at] == 0x3B or steps > _MAX_STEPS:
            raise ValueError("no frame")
        at = _after_extension(data, at + 1) if data[at] == 0x21 else at + 1
    right = _little(data, at + 1, 2) + _little(data, at + 5, 2)
    bottom = _little(data, at + 3, 2) + _little(data, at + 7, 2)
    return max(width, right), max(height, bottom)


def _after_extension(data: bytes, at: int) -> int:
    comment, blocks = data[at] == 0xFE, 0
    named = data[at + 2 : at + 13] == b"NETSCAPE2.0"
    at += 1
    while data[at]:
        at += 1 + data[at]
        blocks += 1
        if blocks > _MAX_STEPS:
            raise ValueError("an extension of too many blocks")
    if not comment and blocks < (2 if named else 1):
        raise ValueError("an extension without blocks")  # Pillow would go on reading behind it
    return at + 1


class Bmp(NamedTuple):
    """Hold what a BMP file says of its picture, and the pixels that decoding holds."""

    width: int
    height: int
    held: int


def read_bmp(data: bytes) -> Bmp:
    """Return the header. Raise errors for a broken file."""
    if _little(data, 14, 4) == 12:
        width, height = _little(data, 18, 2), _little(data, 20, 2)
        return Bmp(width, height, width * height)
    width, height = _little(data, 18, 4), _little(data, 22, 4)
    if data[25] == 0xFF:  # rows from the top
        height = 2**32 - height
    run_lengths = _little(data, 30, 4) in (1, 2)
    return Bmp(width, height, width * height * (_RUN_LENGTH_COST if run_lengths else 1))
