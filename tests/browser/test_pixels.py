"""Test that the model sees the pixels that Chromium draws: formats × orientations × colour spaces."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import OPTIONS, draw_picture, oriented, png_chunk, sample
from tests.support.profiles import ADOBE_RGB, DISPLAY_P3, SRGB, cmyk_profile, grey_profile, rgb_profile

PICTURE = draw_picture()
PROFILES = {"p3": rgb_profile(DISPLAY_P3, 2.2), "adobe": rgb_profile(ADOBE_RGB, 1.8), "linear": rgb_profile(SRGB, 1.0)}
# Chromium cannot show TIFF and HEIC, and ignores the EXIF orientation of a WebP, which other browsers follow.
SHOWN = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
TURNED = ("JPEG", "PNG", "AVIF")
PROFILED = ("JPEG", "PNG", "WEBP", "AVIF")
DRAW = """async (file) => {
    const image = new Image();
    image.src = `data:;base64,${file}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0);
    return [canvas.width, canvas.height, ...context.getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.fixture(scope="module")
def canvas(browser: Browser) -> Iterator[Page]:
    """Provide an empty page that draws pictures."""
    page = browser.new_page()
    yield page
    page.close()


def drawn(canvas: Page, data: bytes) -> NDArray[Any]:
    """Return the pixels of a file as Chromium draws it on white."""
    width, height, *values = canvas.evaluate(DRAW, base64.b64encode(data).decode())
    return np.array(values).reshape(height, width, 4)[..., :3]


def check(canvas: Page, data: bytes, largest: int = 2) -> None:
    """Fail if the model sees other pixels than Chromium draws."""
    expected = drawn(canvas, data)
    height, width, _ = expected.shape
    pixels = decode(data, InputRule(height, width), 250_000_000, PixelBudget(50_000_000)).pixels
    assert np.abs(pixels.astype(int) - expected).max() <= largest


@pytest.mark.parametrize("format", SHOWN)
def test_pixels_of_each_format_are_chromiums(canvas: Page, format: str) -> None:
    check(canvas, sample(format))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", TURNED)
def test_pixels_of_each_orientation_are_chromiums(canvas: Page, format: str, orientation: int) -> None:
    check(canvas, oriented(PICTURE, format, orientation))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("format", PROFILED)
def test_pixels_of_each_profile_are_chromiums(canvas: Page, format: str, profile: str) -> None:
    check(canvas, encode(PICTURE, format, icc_profile=PROFILES[profile], **OPTIONS[format]))


@pytest.mark.parametrize("orientation", [3, 6, 7])
@pytest.mark.parametrize("format", TURNED)
def test_pixels_turned_with_a_profile_are_chromiums(canvas: Page, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    check(canvas, encode(PICTURE, format, exif=exif.tobytes(), icc_profile=PROFILES["p3"], **OPTIONS[format]))


@pytest.mark.parametrize("way", ["plain", "profile"])
def test_pixels_of_cmyk_are_chromiums(canvas: Page, way: str) -> None:
    options = {"icc_profile": cmyk_profile()} if way == "profile" else {}
    check(canvas, encode(PICTURE.convert("CMYK"), "JPEG", quality=95, **options))


def test_pixels_of_profiled_grey_are_chromiums(canvas: Page) -> None:
    check(canvas, encode(PICTURE.convert("L"), "PNG", icc_profile=grey_profile(1.0)))


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_pixels_of_transparency_are_chromiums(canvas: Page, format: str) -> None:
    picture = PICTURE.convert("RGBA")
    picture.putalpha(PICTURE.getchannel("G"))
    check(canvas, sample(format, picture), largest=3)


def with_chunk(kind: bytes, body: bytes) -> bytes:
    """Return the picture as PNG with a chunk."""
    data = sample("PNG")
    return data[:33] + png_chunk(kind, body) + data[33:]


@pytest.mark.parametrize("exponent", [1.0, 1.8, 2.2])
def test_pixels_of_png_gamma_are_chromiums(canvas: Page, exponent: float) -> None:
    check(canvas, with_chunk(b"gAMA", round(100_000 / exponent).to_bytes(4, "big")))


@pytest.mark.parametrize(
    "points",
    [(12, 13), (9, 13), (1, 8), (1, 4), (5, 13), (1, 1), (12, 1), (1, 6), (1, 11), (9, 14), (9, 15)],
    ids=str,
)
def test_pixels_of_png_coding_points_are_chromiums(canvas: Page, points: tuple[int, int]) -> None:
    check(canvas, with_chunk(b"cICP", bytes([*points, 0, 1])))


@pytest.mark.parametrize("points", [(12, 13), (1, 1), (9, 14), (1, 8), (2, 2), (9, 16), (9, 18)], ids=str)
def test_pixels_of_avif_coding_points_are_chromiums(canvas: Page, points: tuple[int, int]) -> None:
    data = sample("AVIF")
    at = data.index(b"nclx") + 4
    data = data[:at] + bytes([0, points[0], 0, points[1]]) + data[at + 4 :]
    check(canvas, data, largest=3)


@pytest.mark.parametrize("points", [(9, 16), (9, 18), (12, 16)], ids=str)
def test_pixels_of_hdr_png_are_chromiums(canvas: Page, points: tuple[int, int]) -> None:
    check(canvas, with_chunk(b"cICP", bytes([*points, 0, 1])), largest=3)
