"""Read how large a picture AV1 and HEVC data unpack to, whatever the file around them claims."""

from collections.abc import Iterator
from typing import NamedTuple

# The types of open bitstream units (AV1, section 6.2.2) and network units (H.265, table 7-1) that matter here.
_AV1_SEQUENCE, _AV1_FRAME_HEADER, _AV1_FRAME = 1, 3, 6
_MAX_UNITS = 10_000
_HEVC_PARAMETERS, _HEVC_SLICES = 33, range(32)


class CodedSize(NamedTuple):
    """Hold the pixels of a coded frame, and the number of frames: an upper limit unless `exact`."""

    width: int
    height: int
    frames: int = 1
    exact: bool = True


class _Bits:
    """Read bits, the highest first. Raise `IndexError` at the end."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next `count` bits as a number."""
        if count > self._left:
            raise IndexError
        self._left -= count
        return self._number >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """Return the next Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def av1_size(configuration: bytes, data: bytes) -> CodedSize:
    """Return the size of the largest frame that AV1 data hold. Raise errors of any class for broken data."""
    sizes, frames = [], 0
    for kind, body in (*_av1_units(configuration[4:]), *_av1_units(data)):
        if kind == _AV1_SEQUENCE:
            sizes.append(_av1_sequence(body[:64]))
        elif kind in (_AV1_FRAME_HEADER, _AV1_FRAME):
            frames += 1
    largest = max(sizes, key=lambda size: size.width * size.height)
    return largest._replace(frames=max(1, frames))


def _av1_units(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MAX_UNITS):
        if at >= len(data):
            return
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size, shift = 0, 0
            while True:
                size |= (data[at] & 0x7F) << shift
                shift += 7
                at += 1
                if not data[at - 1] & 0x80 or shift > 56:
                    break
        yield head >> 3 & 15, data[at : at + min(size, 64)]
        at += size
    raise ValueError(f"more than {_MAX_UNITS} units")


def _av1_sequence(body: bytes) -> CodedSize:
    """Read a sequence header (AV1, section 5.5.1). Without the still picture's short form a frame may be larger."""
    bits = _Bits(body)
    bits.take(4)
    short = bits.take(1)
    if short:
        bits.take(5)
    else:
        delay_bits = _av1_timing(bits)
        delays = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delay_bits and bits.take(1):
                bits.take(2 * delay_bits + 1)
            if delays and bits.take(1):
                bits.take(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    return CodedSize(width, height) if short else CodedSize(1 << width_bits, 1 << height_bits, exact=False)


def _av1_timing(bits: _Bits) -> int:
    """Skip the timing; return how many bits a decoder's delay takes, 0 without one."""
    if not bits.take(1):
        return 0
    bits.take(64)
    if bits.take(1):
        bits.golomb()
    if not bits.take(1):
        return 0
    delay_bits = bits.take(5) + 1
    bits.take(42)
    return delay_bits


def hevc_size(configuration: bytes, data: bytes) -> CodedSize:
    """Return the size of the largest picture that HEVC data hold. Raise errors of any class for broken data."""
    units, at = [], 23
    for _ in range(configuration[22]):
        count = int.from_bytes(configuration[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(configuration[at : at + 2], "big")
            units.append(configuration[at + 2 : at + 2 + min(size, 512)])
            at += 2 + size
            if len(units) > _MAX_UNITS or at > len(configuration):
                raise ValueError("too many units, or too few bytes for them")
    prefix, at, pictures = (configuration[21] & 3) + 1, 0, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + prefix], "big")
        unit = data[at + prefix : at + prefix + min(size, 512)]
        units.append(unit)
        if len(units) > _MAX_UNITS:
            raise ValueError(f"more than {_MAX_UNITS} units")
        pictures += len(unit) > 2 and unit[0] >> 1 & 63 in _HEVC_SLICES and unit[2] >> 7
        at += prefix + size
    sizes = [_hevc_parameters(unit) for unit in units if unit and unit[0] >> 1 & 63 == _HEVC_PARAMETERS]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return CodedSize(width, height, max(1, pictures))


def _hevc_parameters(unit: bytes) -> tuple[int, int]:
    """Read a sequence parameter set (H.265, section 7.3.2.2) as far as its size."""
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0")[:256])
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb(), bits.golomb()
