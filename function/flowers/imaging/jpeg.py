"""Read JPEG files marker by marker, exactly as libjpeg does."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import InputError

EOI, SOS, APP0, APP1, APP2, APP14, COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # TEM and RSTn have no length
TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}  # tables, which libjpeg checks
METADATA = {*range(0xE0, 0xF0), COM}
_DECODED = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
PROGRESSIVE = {0xC2, 0xCA}
_OTHER_KINDS = {0xC3: "lossless", 0xCB: "lossless", 0xF7: "JPEG-LS"} | dict.fromkeys(
    (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"
)
# Progressive files have about ten scans. Each costs a pass over the whole picture, however few its bytes are.
_MAX_SCANS = 100
# Files have some dozens of segments. Pillow reads each, and what lies between them, in Python.
_MAX_SEGMENTS, _MAX_JUNK = 2000, 4096
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in a scan's data any other byte after FF belongs to the data


class Segment(NamedTuple):
    """Hold a marker with its parameters, and where both start and end."""

    marker: int
    body: bytes
    start: int
    end: int


class Frame(NamedTuple):
    """Describe the picture in a JPEG file.

    `whole` says that libjpeg holds all of its coefficients, whatever size it decodes to. `scan` is where the first scan
    starts.
    """

    width: int
    height: int
    components: int
    process: int
    whole: bool
    scan: int
    exif: bytes
    icc: bytes


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to the first scan, as libjpeg's `next_marker` finds them.

    Raise `IndexError` or `ValueError` when the file ends before.
    """
    at, end, count = 2, 2, 0
    while True:
        start = at = data.index(0xFF, at, end + _MAX_JUNK)
        while data[at] == 0xFF and at <= end + _MAX_JUNK:  # fill bytes
            at += 1
        if at > end + _MAX_JUNK or count > _MAX_SEGMENTS:
            raise ValueError("too many segments, or too much between them")
        marker = data[at]
        at += 1
        if marker == 0 or marker in _STANDALONE:
            continue
        if at + 2 > len(data):
            raise IndexError
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 and marker in METADATA:
            length = 2
        if length < 2 or at + length > len(data):
            raise ValueError(f"segment {marker:02X} has {length} bytes")
        yield Segment(marker, data[at + 2 : at + length], start, at + length)
        if marker == SOS:
            return
        at = end = at + length
        count += 1


def read_frame(data: bytes) -> Frame:
    """Return the frame that libjpeg will decode.

    Raise `InputError` (UNSUPPORTED_FORMAT) for a kind of JPEG that it cannot decode, and errors of any class for a
    broken file.
    """
    frame: Segment | None = None
    exif, profile = b"", {}
    for segment in segments(data):
        marker, body = segment.marker, segment.body
        if marker == APP1 and body.startswith(b"Exif\0\0") and not exif:
            exif = body
        elif marker == APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile[body[12]] = body
        elif marker in _DECODED or marker in _OTHER_KINDS:
            if frame:
                raise ValueError("two frames")
            _check_kind(marker, body)
            frame = segment
        elif marker not in TABLES | METADATA | {SOS}:
            raise ValueError(f"unknown marker {marker:02X}")
    if frame is None:
        raise ValueError("a scan before its frame")
    height, width = int.from_bytes(frame.body[1:3], "big"), int.from_bytes(frame.body[3:5], "big")
    components = frame.body[5]
    several_scans = frame.marker in PROGRESSIVE or segment.body[0] != components
    if several_scans and data.count(b"\xff\xda", segment.start) > _MAX_SCANS:
        raise ValueError(f"more than {_MAX_SCANS} scans")
    icc = _whole_profile(profile)
    scan = segment.end - len(segment.body) - 4  # after fill bytes
    return Frame(width, height, components, frame.marker, several_scans, scan, exif, icc)


def _check_kind(marker: int, body: bytes) -> None:
    kind = _OTHER_KINDS.get(marker) or (f"{body[0]}-bit" if body[0] != 8 else "")
    if not kind and body[5] not in (1, 3, 4):
        kind = f"{body[5]}-channel"
    if kind:
        raise InputError(
            "UNSUPPORTED_FORMAT", f"This is a {kind} JPEG, which is not supported. Save it as an 8-bit baseline JPEG."
        )


def _whole_profile(parts: dict[int, bytes]) -> bytes:
    ordered = [parts[number] for number in sorted(parts)]
    if not ordered or ordered[0][13] != len(ordered):
        return b""
    return b"".join(part[14:] for part in ordered)


def is_adobe(segment: Segment) -> bool:
    """Return whether a segment is Adobe's, which names the colours."""
    return segment.marker == APP14 and segment.body.startswith(b"Adobe") and len(segment.body) >= 12


def without_metadata(data: bytes) -> bytes:
    """Return the file without its comments and application segments, except Adobe's."""
    kept, at = [data[:2]], 2
    for segment in segments(data):
        if segment.marker not in METADATA or is_adobe(segment):
            kept.append(data[at : segment.end])
        at = segment.end
    kept.append(data[at:])
    return b"".join(kept)
