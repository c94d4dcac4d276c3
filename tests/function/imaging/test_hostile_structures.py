"""Test that files of millions of tiny parts take neither much memory nor much time."""

import struct
import time
from collections.abc import Callable

import pytest

from tests.support.drawn_flower import encode
from tests.support.mutations import measure
from tests.support.pictures import draw_picture, png_chunk, sample

PICTURE = draw_picture()
JPEG, PNG, AVIF = sample("JPEG"), sample("PNG"), sample("AVIF")
WEBP = encode(PICTURE, "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\10\0\0")
GIF = encode(PICTURE, "GIF")
PARTS = 1_000_000


def tiff(tags: int, size: int) -> bytes:
    """Return a TIFF of many tags, each of which claims all bytes of the file."""
    entries = b"".join(struct.pack("<HHII", 1000 + number, 7, size, 0) for number in range(tags))
    return (b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4)).ljust(size, b"\0")


def with_units(units: bytes) -> bytes:
    """Return an AVIF whose picture is preceded by units, with all offsets as they were."""
    at = AVIF.index(b"mdat") + 4
    place = AVIF.index(b"iloc")
    size = AVIF.index(struct.pack(">I", len(AVIF) - at), place)
    return AVIF[:size] + struct.pack(">I", len(AVIF) - at + len(units)) + AVIF[size + 4 : at] + units + AVIF[at:]


def iloc_of_nothing() -> bytes:
    """Return an AVIF whose items have 65,535 extents each, each of which takes no bytes."""
    entry = struct.pack(">HHH", 1, 0, 0xFFFF)
    body = bytes(4) + b"\0\0" + struct.pack(">H", 60_000) + entry * 60_000
    box = struct.pack(">I", 8 + len(body)) + b"iloc" + body
    boxes = b"".join(struct.pack(">I", 14) + kind + bytes(6) for kind in (b"pitm", b"iinf", b"iprp"))
    meta = struct.pack(">I", 12 + len(boxes) + len(box)) + b"meta" + bytes(4) + boxes + box
    return AVIF[: AVIF.index(b"meta") - 4] + meta


STRUCTURES: dict[str, Callable[[], bytes]] = {
    "tiff-tags-of-all-bytes": lambda: tiff(900, 20_000_000),
    "tiff-of-many-tags": lambda: tiff(60_000, 2_000_000),
    "jpeg-of-empty-segments": lambda: JPEG[:2] + b"\xff\xe1\0\2" * PARTS + JPEG[2:],
    "jpeg-of-fill-bytes": lambda: JPEG[:20] + b"\xff" * 8 * PARTS + JPEG[20:],
    "jpeg-of-stuffed-zeros": lambda: JPEG[:20] + b"\xff\0" * PARTS + JPEG[20:],
    "jpeg-of-junk": lambda: JPEG[:20] + b"\x55" * 8 * PARTS + JPEG[20:],
    "png-of-empty-chunks": lambda: PNG[:33] + png_chunk(b"teXt", b"") * PARTS + PNG[33:],
    "png-of-empty-data": lambda: PNG[:33] + png_chunk(b"IDAT", b"") * PARTS + PNG[33:],
    "gif-of-tiny-blocks": lambda: GIF[:13] + b"!\xfe" + b"\1a" * 4 * PARTS + b"\0" + GIF[13:],
    "gif-of-extensions": lambda: GIF[:13] + b"!\xfe\0" * PARTS + GIF[13:],
    "gif-of-junk": lambda: GIF[:13] + b"\x55" * 8 * PARTS + GIF[13:],
    "webp-of-empty-chunks": lambda: WEBP + b"JUNK\0\0\0\0" * PARTS,
    "avif-of-tiny-units": lambda: with_units(b"\x7a\0" * 4 * PARTS),
    "avif-of-places-in-no-bytes": iloc_of_nothing,
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_millions_of_tiny_parts_cost_little(name: str) -> None:
    data = STRUCTURES[name]()
    started = time.process_time()

    outcome, taken, _ = measure(data)

    assert outcome in ("UNDECODABLE_IMAGE", "shown")
    assert time.process_time() - started < 4
    assert taken < 48 * 1024 * 1024 + 2 * len(data)
