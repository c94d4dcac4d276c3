"""Convert colours to sRGB, as a browser shows them."""

import io
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

_Floats = NDArray[np.float64]

# The chromaticities of white, red, green and blue (x, y) by their numbers in ITU-T H.273. Other primaries, and other
# transfers than those below, look like sRGB's or are unknown.
_SRGB: tuple[float, ...] = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, tuple[float, ...]] = {
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_TELEVISION = (1, 6, 11, 14, 15)  # one curve for cameras; screens show it with the exponent of ITU-R BT.1886
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0} | dict.fromkeys(_TELEVISION, 2.4)
_SRGB_CURVE, _PQ, _HLG = 13, 16, 18
# In cd/m²: a diffuse white, and the brightest light of HDR content (ITU-R BT.2408).
_WHITE, _PEAK = 203.0, 1000.0
# A PNG's gamma within this share of 1/2.2 means sRGB; the PNG specification has viewers ignore such a difference.
_GAMMA_TOLERANCE = 0.05

_MAX_PROFILE_BYTES = 4 * 1024 * 1024
_MODES_OF_PROFILES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# A profile that changes no colour by more than this is sRGB's by another name.
_SAME = 2


class ColourSpace(NamedTuple):
    """Describe a file's colours: an ICC profile, or numbers of H.273, or a PNG's gamma and chromaticities."""

    icc: bytes = b""
    cicp: tuple[int, int] | None = None
    gamma: int = 0
    chromaticities: tuple[int, ...] = ()


def as_shown(primaries: int, transfer: int) -> tuple[int, int]:
    """Return the numbers by which browsers show AVIF and HEIC: television's curve as sRGB's, unlike in PNG."""
    return primaries, _SRGB_CURVE if transfer in _TELEVISION else transfer


def to_srgb(image: Image.Image, colours: ColourSpace) -> Image.Image:
    """Return a small image (L, RGB, RGBA, CMYK, YCbCr or LAB) as RGB or RGBA in sRGB."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    opaque = image.convert("RGB") if image.mode in ("RGBA", "YCbCr", "LAB") else image
    converted = _by_profile(opaque, colours.icc) if colours.icc else _by_numbers(opaque.convert("RGB"), colours)
    if alpha:
        converted.putalpha(alpha)
    return converted


def _by_profile(image: Image.Image, icc: bytes) -> Image.Image:
    found = _transform(icc) if len(icc) <= _MAX_PROFILE_BYTES else None
    if found is None:
        return image.convert("RGB")
    mode, transform = found
    if mode == "RGB":
        image = image.convert("RGB")
    if image.mode != mode:  # a profile of other colours than the picture's is ignored
        return image.convert("RGB")
    return transform.apply(image)


@lru_cache(maxsize=8)
def _transform(icc: bytes) -> "tuple[str, ImageCmsTransform] | None":
    """Return the mode that a profile is for and its transform to sRGB; None for sRGB's own or an unusable profile."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = _MODES_OF_PROFILES[profile.profile.xcolor_space.strip()]
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (ImageCms.PyCMSError, KeyError, OSError, ValueError):
        return None
    if mode == "RGB":
        steps = np.linspace(0, 255, 9, dtype=np.uint8)
        samples = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
        shown = transform.apply(Image.fromarray(samples))
        if np.abs(np.asarray(shown).astype(int) - samples).max() <= _SAME:
            return None
    return mode, transform


def _by_numbers(image: Image.Image, colours: ColourSpace) -> Image.Image:
    primaries, transfer = colours.cicp or (1, _SRGB_CURVE)
    points = _PRIMARIES.get(primaries, _SRGB)
    exponent = _EXPONENTS.get(transfer)
    if colours.gamma and not colours.cicp:
        points = tuple(value / 100_000 for value in colours.chromaticities) or _SRGB
        if abs(colours.gamma / 100_000 * 2.2 - 1) > _GAMMA_TOLERANCE:
            exponent = 100_000 / colours.gamma
    if np.allclose(points, _SRGB, atol=0.002) and exponent is None and transfer not in (_PQ, _HLG):
        return image
    signal = np.asarray(image) / 255.0
    if transfer in (_PQ, _HLG):
        wide = np.linalg.inv(_to_xyz(_PRIMARIES[9])) @ _to_xyz(points)
        light = _tone_mapped((_pq(signal) if transfer == _PQ else _hlg(signal)) @ wide.T)
        points = _PRIMARIES[9]
    else:
        light = _srgb_light(signal) if exponent is None else signal**exponent
    light = light @ (np.linalg.inv(_to_xyz(_SRGB)) @ _to_xyz(points)).T
    light = np.clip(light, 0, 1)
    shown = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(shown * 255).astype(np.uint8))


def _to_xyz(points: tuple[float, ...]) -> _Floats:
    """Return the matrix from linear RGB to XYZ, white scaled to D65."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in zip(points[::2], points[1::2], strict=True)]).T
    white, primaries = columns[:, 0], columns[:, 1:]
    daylight = np.array((_SRGB[0] / _SRGB[1], 1.0, (1 - _SRGB[0] - _SRGB[1]) / _SRGB[1]))
    matrix: _Floats = primaries * np.linalg.solve(primaries, white) * (daylight / white)[:, np.newaxis]
    return matrix


def _srgb_light(signal: _Floats) -> _Floats:
    light: _Floats = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light


def _pq(signal: _Floats) -> _Floats:
    """Return light relative to a diffuse white (SMPTE ST 2084)."""
    root = signal ** (1 / 78.84375)
    light: _Floats = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return light * 10_000 / _WHITE


def _hlg(signal: _Floats) -> _Floats:
    """Return light relative to a diffuse white on a display of 1000 cd/m² (ITU-R BT.2100)."""
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    luminance = scene @ np.array((0.2627, 0.6780, 0.0593))
    light: _Floats = scene * luminance[..., np.newaxis] ** 0.2 * _PEAK / _WHITE
    return light


def _tone_mapped(light: _Floats) -> _Floats:
    """Return light from 0 to 1, as browsers do (SMPTE ST 2094-50): half as bright up to a diffuse white, then less.

    The brightest channel of BT.2020 decides, so that hues stay.
    """
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    # A quadratic Bézier curve from (1, 0.5) over (1.65, 0.825) to (peak, 1), solved for its parameter.
    square = _PEAK / _WHITE - 2.3
    t = (np.sqrt(1.69 + 4 * square * np.maximum(brightest - 1, 0)) - 1.3) / (2 * square)
    curve = np.minimum(0.5 + 0.65 * t - 0.15 * np.minimum(t, 1) ** 2, 1)
    mapped: _Floats = light * np.where(brightest <= 1, 0.5, curve / brightest)
    return mapped
