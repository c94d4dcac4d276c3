"""Make ICC profiles, and compute the colours that they mean."""

import struct

import numpy as np
from numpy.typing import NDArray

# White, red, green and blue: x and y.
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
DISPLAY_P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_RGB = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([(0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)])


def matrix(points: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in zip(points[::2], points[1::2], strict=True)]).T
    found: NDArray[np.float64] = columns[:, 1:] * np.linalg.solve(columns[:, 1:], columns[:, 0])
    return found


def shown(pixels: NDArray[np.uint8], points: tuple[float, ...], gamma: float) -> NDArray[np.float64]:
    """Return the sRGB values of pixels in another colour space."""
    light = (pixels / 255.0) ** gamma @ (np.linalg.inv(matrix(SRGB)) @ matrix(points)).T
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255


def _numbers(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, bodies, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    size = at + len(bodies)
    header = struct.pack(">II4s4s4s4s12s4s", size, 0, b"\x02\x40\0\0", kind, space, pcs, bytes(12), b"acsp")
    header += bytes(28) + _numbers(*_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def rgb_profile(points: tuple[float, ...], gamma: float) -> bytes:
    """Return the profile of an RGB space with these chromaticities and gamma."""
    white = matrix(points) @ np.ones(3)
    scale = np.diag((_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white))
    columns = (np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix(points)).T
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": b"XYZ " + bytes(4) + _numbers(*_D50)}
    tags |= {
        name: b"XYZ " + bytes(4) + _numbers(*column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return the profile of a grey scale."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": b"XYZ " + bytes(4) + _numbers(*_D50), b"kTRC": curve})


def cmyk_profile() -> bytes:
    """Return a profile of CMYK whose only ink is black: 255 of K is black, all else white, in Lab."""
    body = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + _numbers(1, 0, 0, 0, 1, 0, 0, 0, 1)
    ramp = bytes(range(256))
    table = b"".join(bytes([0 if index & 1 else 255, 128, 128]) for index in range(16))  # K varies fastest
    tags = {b"wtpt": b"XYZ " + bytes(4) + _numbers(*_D50), b"A2B0": body + ramp * 4 + table + ramp * 3}
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)
