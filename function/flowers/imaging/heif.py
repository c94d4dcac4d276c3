"""Read the header of HEIF and AVIF files: the picture's size and turn, and what its coded data unpack to."""

from typing import NamedTuple

from ..errors import InputError
from .boxes import Box, Container, Item, Reader, read_container
from .coded_size import av1_size, hevc_size

UNREADABLE = -1

_MAX_TILES = 4096
# Encoders round a picture up to whole coding blocks; HEVC's are 64 pixels wide at most, AV1's superblocks 128.
_PADDING = 128
_CODED = {b"hvc1": ("hvcC", hevc_size), b"av01": ("av1C", av1_size)}
_OTHER_KINDS = {b"jpeg": "JPEG", b"j2k1": "JPEG 2000", b"avc1": "H.264", b"vvc1": "H.266", b"unci": "uncompressed"}
# Turn and mirror as EXIF orientations: by quarter turns to the left, then by the axis of the mirror.
_TURNS = {
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip


class Picture(NamedTuple):
    """Describe the primary picture.

    `orientation` is what its own boxes say, None when they are silent. `held` are the pixels that decoding holds,
    `UNREADABLE` when the coded data are broken.
    `nclx` are the numbers of its colour primaries and transfer (ITU-T H.273).
    """

    width: int
    height: int
    orientation: int | None
    held: int
    exif: bytes
    icc: bytes
    nclx: tuple[int, int] | None
    brands: frozenset[bytes]


def read_picture(data: bytes) -> Picture:
    """Return the header of the primary picture.

    Raise `InputError` (UNSUPPORTED_FORMAT) for a kind that is not decoded, and errors of any class for a broken file.
    """
    try:
        container = read_container(data)
    except (KeyError, ValueError):
        if data[8:12] in (b"hevc", b"hevx", b"msf1", b"avis"):
            raise InputError(
                "UNSUPPORTED_FORMAT", "This is a sequence without a still picture. Save one of its frames as a picture."
            ) from None
        raise
    primary = container.items[container.primary]
    width, height = _claimed(primary)
    try:
        if len(container.alphas_of(container.primary)) > 1:
            raise ValueError("transparent twice")
        held = max(_held(container, one) for one in (container.primary, *container.alphas_of(container.primary)))
    except InputError:
        raise
    except Exception:  # what follows the header is broken in one of many ways
        held = UNREADABLE
    icc, nclx = _colour(primary.properties)
    return Picture(width, height, _orientation(primary), held, _exif(container), icc, nclx, container.brands)


def _claimed(item: Item) -> tuple[int, int]:
    reader = Reader(item.find(b"ispe") or b"")
    reader.number(4)
    return reader.number(4), reader.number(4)


def _held(container: Container, number: int) -> int:
    """Return the pixels that decoding an item holds: those of its tiles, or of its canvas if that is larger."""
    item = container.items[number]
    width, height = _claimed(item)
    if item.kind in (b"grid", b"iden"):
        tiles = container.references.get((b"dimg", number), ())
        if not 0 < len(tiles) <= _MAX_TILES:
            raise ValueError(f"{len(tiles)} tiles")
        if item.kind == b"grid":
            width, height = _canvas(item.data())
        if sum(container.items[tile].size for tile in tiles) > 2 * len(container.items[tiles[0]].source):
            raise ValueError("tiles with more bytes than their file")
        return max(width * height, sum(_coded(container.items[tile]) for tile in tiles))
    return max(width * height, _coded(item))


def _canvas(grid: bytes) -> tuple[int, int]:
    reader = Reader(grid)
    size = 4 if reader.number(2) & 1 else 2
    reader.number(2)
    return reader.number(size), reader.number(size)


def _coded(item: Item) -> int:
    """Return the pixels that an item's coded data unpack to, which is no more than it claims."""
    if item.kind not in _CODED:
        kind = _OTHER_KINDS.get(item.kind, item.kind.decode("latin-1"))
        raise InputError(
            "UNSUPPORTED_FORMAT", f"This HEIF file holds a {kind} picture, which is not supported. Save it as JPEG."
        )
    name, measure = _CODED[item.kind]
    width, height = _claimed(item)
    coded = measure(item.find(name.encode()) or b"", item.data())
    if coded.exact and (coded.width > width + _PADDING or coded.height > height + _PADDING):
        raise ValueError(f"{width} × {height} pixels that unpack to {coded.width} × {coded.height}")
    return coded.width * coded.height * coded.frames


def _orientation(item: Item) -> int | None:
    turn, mirror = 0, None
    for box in item.properties:
        if box.kind == b"irot":
            turn = box.body[0] & 3
        elif box.kind == b"imir":
            mirror = box.body[0] & 1
    if not any(box.kind in (b"irot", b"imir") for box in item.properties):
        return None
    return _TURNS[turn, mirror]


def _exif(container: Container) -> bytes:
    for (kind, source), targets in container.references.items():
        if kind == b"cdsc" and container.primary in targets and container.items[source].kind == b"Exif":
            body = container.items[source].data()
            start = 4 + int.from_bytes(body[:4], "big")
            return body[start:]
    return b""


def _colour(properties: tuple[Box, ...]) -> tuple[bytes, tuple[int, int] | None]:
    icc, nclx = b"", None
    for box in properties:
        if box.kind == b"colr" and box.body[:4] in (b"prof", b"rICC"):
            icc = box.body[4:]
        elif box.kind == b"colr" and box.body[:4] == b"nclx":
            nclx = (int.from_bytes(box.body[4:6], "big"), int.from_bytes(box.body[6:8], "big"))
    return icc, nclx
