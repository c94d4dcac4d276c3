"""Read the tags of TIFF files and of EXIF, strictly where Pillow and libtiff might read them differently."""

import struct
from typing import NamedTuple

from ..errors import InputError

SUBFILE_TYPE, SUB_DIRECTORIES, _REDUCED = 254, 330, 1
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 273, 274
SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
SAMPLE_FORMAT, ICC, DNG_VERSION = 339, 34675, 50706
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {3: "H", 4: "I", 16: "Q"}
# Tags that say how much to allocate: whole numbers in the types that both libraries read, at most so many.
_SINGLE = (WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS_PER_STRIP, PLANAR, TILE_WIDTH, TILE_HEIGHT)
_SEGMENTS = (STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES)
_MAX_SEGMENTS = 100_000
_MAX_TAGS = 1000
_MAX_COUNTS = dict.fromkeys(_SINGLE, 1) | dict.fromkeys(_SEGMENTS, _MAX_SEGMENTS) | {BITS: 16, SAMPLE_FORMAT: 16}
_PHOTOMETRIC_NAMES = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab"} | {
    9: "ICC Lab", 10: "ITU Lab", 32803: "raw", 32844: "LogL", 32845: "LogLuv", 34892: "raw",
}  # fmt: skip
_COMPRESSION_NAMES = {
    34676: "SGI Log", 34677: "SGI Log", 34712: "JPEG 2000", 34887: "LERC", 34892: "lossy DNG", 50002: "JPEG XL",
}  # fmt: skip
_FORMAT_NAMES = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


class Tag(NamedTuple):
    """Hold a tag's type, its number of values, and where their bytes are."""

    kind: int
    values: int
    start: int
    size: int


class Tags:
    """Hold the tags of a file's first directory."""

    def __init__(self, data: bytes) -> None:
        """Read the directory. Raise `IndexError`, `ValueError` or `struct.error` for a broken one."""
        self.order = {b"II": "<", b"MM": ">"}[data[:2]]
        self._big = data[2:4] in (b"+\0", b"\0+")
        size, entry, fields = (20, "Q", "HHQ") if self._big else (12, "I", "HHI")
        (start,) = self._unpack(entry, data, 8 if self._big else 4)
        (count,) = self._unpack("Q" if self._big else "H", data, start)
        start += 8 if self._big else 2
        if count > _MAX_TAGS or start + count * size > len(data):
            raise ValueError(f"{count} tags")
        self._data = data
        self._tags: dict[int, Tag] = {}
        self.repeated = False
        for at in range(start, start + count * size, size):
            number, kind, values = self._unpack(fields, data, at)
            length = _SIZES.get(kind, 0) * values
            place = at + struct.calcsize("<" + fields)
            if length > struct.calcsize("<" + entry):
                (place,) = self._unpack(entry, data, place)
            self.repeated |= number in self._tags
            self._tags.setdefault(number, Tag(kind, values, place, length))

    def _unpack(self, format: str, data: bytes, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + format, data, at)

    def __contains__(self, number: int) -> bool:
        return number in self._tags

    def raw(self, number: int) -> bytes:
        """Return the bytes of a tag's values; none for an absent tag."""
        tag = self._tags.get(number)
        return self._data[tag.start : tag.start + tag.size] if tag else b""

    def numbers(self, number: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return the values of a tag of whole numbers. Raise `ValueError` for one that is not."""
        tag = self._tags.get(number)
        if tag is None:
            return default
        letter = _INTEGERS.get(tag.kind)
        if letter is None or not 0 < tag.values <= _MAX_COUNTS.get(number, 1):
            raise ValueError(f"tag {number} has {tag.values} values of type {tag.kind}")
        return self._unpack(f"{tag.values}{letter}", self._data, tag.start)

    def number(self, number: int, default: int) -> int:
        """Return the value of a tag of one whole number."""
        return self.numbers(number, (default,))[0]


class Directory(NamedTuple):
    """Hold what a TIFF file says of its picture. `held` are the pixels that decoding holds."""

    width: int
    height: int
    orientation: int
    held: int
    bits: tuple[int, ...]
    sample_format: int
    photometric: int
    planar: bool
    icc: bytes
    compression: int

    def kind(self) -> str:
        """Describe the pixels, to say how to save them differently."""
        compression = _COMPRESSION_NAMES.get(self.compression)
        names = (
            f"{max(self.bits)}-bit",
            _FORMAT_NAMES.get(self.sample_format),
            _PHOTOMETRIC_NAMES.get(self.photometric),
            f"pixels in {compression} compression" if compression else "pixels",
        )
        return " ".join(name for name in names if name)


def orientation_of(exif: bytes) -> int:
    """Return the orientation of EXIF data, 1 to 8; 1 when they are broken or say none."""
    try:
        return _orientation(Tags(exif.removeprefix(b"Exif\0\0")))
    except Exception:  # broken metadata is no reason to refuse a picture that shows
        return 1


def _orientation(tags: Tags) -> int:
    try:
        value = tags.number(ORIENTATION, 1)
    except ValueError:
        return 1
    return value if 1 <= value <= 8 else 1


def read_directory(data: bytes) -> Directory:
    """Return the first directory.

    Raise `InputError` (UNSUPPORTED_FORMAT) for raw photographs, and errors of any class for a broken directory and for
    one that Pillow and libtiff might read differently.
    """
    tags = Tags(data)
    if DNG_VERSION in tags:
        raise InputError("UNSUPPORTED_FORMAT", "This is a raw photograph (DNG). Develop it and save it as JPEG.")
    if SUB_DIRECTORIES in tags and tags.number(SUBFILE_TYPE, 0) & _REDUCED:
        raise InputError(
            "UNSUPPORTED_FORMAT", "This is a raw photograph with a thumbnail. Develop it and save it as JPEG."
        )
    if tags.repeated:
        raise ValueError("a tag twice")
    width, height = tags.number(WIDTH, 0), tags.number(HEIGHT, 0)
    samples, planar = tags.number(SAMPLES, 1), tags.number(PLANAR, 1) == 2
    tiled = [number for number in (TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS) if number in tags]
    if tiled and (len(tiled) < 3 or STRIP_OFFSETS in tags or ROWS_PER_STRIP in tags):
        raise ValueError("both tiles and strips")
    if tiled:
        across, down = tags.number(TILE_WIDTH, 0), tags.number(TILE_HEIGHT, 0)
    else:
        across, down = width, min(height, tags.number(ROWS_PER_STRIP, height))
    segments = -(-width // across) * -(-height // down) * (samples if planar else 1)
    for number in _SEGMENTS:
        if len(tags.numbers(number, ())) > segments:
            raise ValueError(f"more than {segments} strips or tiles")
    return Directory(
        width,
        height,
        _orientation(tags),
        max(width * height, across * down),
        tags.numbers(BITS, (1,)),
        tags.number(SAMPLE_FORMAT, 1) if len(set(tags.numbers(SAMPLE_FORMAT, (1,)))) == 1 else 0,
        tags.number(PHOTOMETRIC, 0),
        planar and samples > 1,
        tags.raw(ICC),
        tags.number(COMPRESSION, 1),
    )
