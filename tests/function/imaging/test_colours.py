"""Test that the model sees the colours that a browser shows: those of sRGB."""

import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import OPTIONS, draw_picture, png_chunk, sample
from tests.support.profiles import ADOBE_RGB, DISPLAY_P3, SRGB, cmyk_profile, grey_profile, rgb_profile, shown

PICTURE = draw_picture()
PIXELS = np.asarray(PICTURE)
LOSSY = 4.5


def seen(data: bytes, picture: Image.Image = PICTURE) -> Any:
    """Return the pixels of the whole picture as the model sees them."""
    return decode(data, InputRule(picture.height, picture.width), 250_000_000, PixelBudget(50_000_000)).pixels


def difference(pixels: Any, expected: Any) -> float:
    """Return the mean difference of a pixel's value."""
    return float(np.abs(pixels.astype(float) - expected).mean())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("points", [DISPLAY_P3, ADOBE_RGB], ids=["display-p3", "adobe-rgb"])
def test_colour_profile_is_applied(format: str, points: tuple[float, ...]) -> None:
    data = encode(PICTURE, format, icc_profile=rgb_profile(points, 2.2), **OPTIONS[format])
    expected = shown(PIXELS, points, 2.2)
    assert difference(expected, PIXELS) > 5
    assert difference(seen(data), expected) <= (1 if format in ("PNG", "WEBP", "TIFF") else LOSSY)


def test_srgb_profile_by_any_name_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(seen(encode(PICTURE, "PNG", icc_profile=profile)), PIXELS) == 0


def test_photo_without_profile_loads_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.ImageCms", None)
    assert difference(seen(sample("PNG")), PIXELS) == 0


@pytest.mark.parametrize("profile", [b"no profile", bytes(200), rgb_profile(DISPLAY_P3, 2.2)[:150], cmyk_profile()])
def test_unusable_profile_is_ignored(profile: bytes) -> None:
    assert difference(seen(encode(PICTURE, "PNG", icc_profile=profile)), PIXELS) == 0


def test_transparent_picture_has_its_colours_converted() -> None:
    alpha = PICTURE.convert("RGBA")
    alpha.paste((0, 0, 0, 0), (0, 0, 80, 120))

    pixels = seen(encode(alpha, "PNG", icc_profile=rgb_profile(DISPLAY_P3, 2.2)))

    assert (pixels[:, :79] == 255).all()
    assert difference(pixels[:, 81:], shown(PIXELS, DISPLAY_P3, 2.2)[:, 81:]) <= 1


def test_grey_profile_is_applied() -> None:
    grey = PICTURE.convert("L")
    data = encode(grey, "PNG", icc_profile=grey_profile(1.0))
    expected = shown(np.repeat(np.asarray(grey)[..., np.newaxis], 3, axis=2), SRGB, 1.0)
    assert difference(seen(data), expected) <= 1


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_shown_by_its_profile(format: str) -> None:
    inks = Image.new("CMYK", (64, 64), (255, 200, 100, 0))
    inks.paste((0, 0, 0, 255), (0, 0, 32, 64))
    options = {"quality": 95} if format == "JPEG" else {}

    pixels = seen(encode(inks, format, icc_profile=cmyk_profile(), **options), inks)

    assert pixels[:, :28].max() <= 12
    assert pixels[:, 36:].min() >= 243


def with_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return the picture as PNG with chunks after its header."""
    data = sample("PNG")
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def chromaticities(points: tuple[float, ...]) -> bytes:
    """Return the body of a PNG's chunk of chromaticities."""
    return b"".join(round(value * 100_000).to_bytes(4, "big") for value in points)


def gamma(value: float) -> bytes:
    """Return the body of a PNG's chunk of gamma."""
    return round(100_000 / value).to_bytes(4, "big")


def test_linear_png_is_brightened() -> None:
    assert difference(seen(with_chunks((b"gAMA", gamma(1)))), shown(PIXELS, SRGB, 1.0)) <= 1


def test_png_chromaticities_are_applied() -> None:
    data = with_chunks((b"gAMA", gamma(1.8)), (b"cHRM", chromaticities(DISPLAY_P3)))
    assert difference(seen(data), shown(PIXELS, DISPLAY_P3, 1.8)) <= 1


@pytest.mark.parametrize("chunks", [[(b"gAMA", gamma(2.2))], [(b"sRGB", b"\0"), (b"gAMA", gamma(1))]])
def test_png_that_means_srgb_is_left_alone(chunks: list[tuple[bytes, bytes]]) -> None:
    assert difference(seen(with_chunks(*chunks)), PIXELS) == 0


def test_png_coding_points_win_over_a_profile() -> None:
    data = encode(PICTURE, "PNG", icc_profile=rgb_profile(ADOBE_RGB, 2.2))
    data = data[:33] + png_chunk(b"cICP", bytes([12, 13, 0, 1])) + data[33:]
    assert difference(seen(data), shown(PIXELS, DISPLAY_P3, 2.2)) <= 3


@pytest.mark.parametrize("transfer", [1, 6, 11, 14, 15])
def test_png_with_television_curve_is_darkened(transfer: int) -> None:
    assert difference(seen(with_chunks((b"cICP", bytes([1, transfer, 0, 1])))), shown(PIXELS, SRGB, 2.4)) <= 1


def test_avif_with_television_curve_is_left_alone() -> None:
    data = sample("AVIF")
    at = data.index(b"nclx") + 4
    television = data[:at] + bytes([0, 1, 0, 1]) + data[at + 4 :]
    assert difference(seen(television), seen(data)) == 0


# What Chromium 156 shows of grey signals 0, 32, 64 … 224 and 255; see tests/browser for the comparison with a live one.
HDR = {16: (0, 5, 30, 70, 132, 213, 255, 255, 255), 18: (0, 14, 43, 71, 99, 135, 189, 228, 255)}


@pytest.mark.parametrize("transfer", HDR, ids=["pq", "hlg"])
def test_hdr_picture_is_tone_mapped(transfer: int) -> None:
    signals = np.array([*range(0, 256, 32), 255], np.uint8)
    picture = Image.fromarray(np.tile(signals[np.newaxis, :, np.newaxis], (9, 1, 3)))
    data = encode(picture, "PNG")

    pixels = seen(data[:33] + png_chunk(b"cICP", bytes([9, transfer, 0, 1])) + data[33:], picture)

    assert np.abs(pixels[4, :, 0].astype(int) - HDR[transfer]).max() <= 1
