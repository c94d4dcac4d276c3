"""Find the scans of a JPEG file, and what they lack of its picture."""

from typing import NamedTuple

from .jpeg import EOI, MARKER, PROGRESSIVE, SOS, Frame

_NO_BITS = 16


class Scan(NamedTuple):
    """Say what a scan gives: coefficients `first` to `last` of `components`, without their lowest `bits`.

    `end` is where its data end.
    """

    components: bytes
    first: int
    last: int
    bits: int
    end: int


def find_scans(data: bytes, frame: Frame) -> list[Scan]:
    """Return the scans that libjpeg decodes before it shows a row. The last one may be incomplete."""
    found = []
    markers = [match.start() for match in MARKER.finditer(data, frame.scan)]
    for start, end in zip(markers, [*markers[1:], len(data)], strict=True):
        if data[start + 1] == EOI:
            break
        body = data[start + 4 : start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")]
        if data[start + 1] != SOS or not body or len(body) != 4 + 2 * body[0]:
            continue
        if frame.process in PROGRESSIVE:
            first, last, bits = body[-3], body[-2], body[-1] & 15
        else:
            first, last, bits = 0, 63, 0
        found.append(Scan(body[1 : 1 + 2 * body[0] : 2], first, last, bits, end))
        if not frame.whole:
            break
    return found


def shows_all(frame: Frame, complete: list[Scan]) -> bool:
    """Return whether scans give the mean of every block, which shows the whole picture, though blurred."""
    means = {component for scan in complete if scan.first == 0 for component in scan.components}
    return len(means) == frame.components


def missing_bits(frame: Frame, complete: list[Scan]) -> int:
    """Return how many of its lowest bits a coefficient lacks at most after these scans; 16 if one is missing."""
    known = {
        (component, index): scan.bits
        for scan in complete
        for component in scan.components
        for index in range(scan.first, scan.last + 1)
    }
    return max(known.values()) if len(known) == 64 * frame.components else _NO_BITS
