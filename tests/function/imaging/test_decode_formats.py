"""Test that every format of the contract, with real bytes, becomes upright pixels in the right colours."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from flowers.errors import ImageFacts
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import Decoded, decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import (
    OPTIONS,
    distance,
    interlaced_png,
    png_file,
    png_rows,
    sample,
    tiff_file,
)
from tests.support.sample_images import GREY, GREY16, PICTURE, RGBA, quarters

WIDTH, HEIGHT = PICTURE.size
# Halved chroma blurs the drawing's hard edges; any turn of the picture makes a difference of 25 or more.
LOSSY = 4.5


def shown(data: bytes, width: int = WIDTH, height: int = HEIGHT) -> Decoded:
    """Return the whole picture at its own size, pixel by pixel."""
    return decode(data, InputRule(height, width), 100_000_000, PixelBudget(50_000_000))


@pytest.mark.parametrize(
    ("format", "mode", "options", "tolerance"),
    [
        pytest.param("JPEG", "RGB", {"quality": 95}, LOSSY, id="jpeg-baseline"),
        pytest.param("JPEG", "RGB", {"quality": 95, "progressive": True}, LOSSY, id="jpeg-progressive"),
        pytest.param("JPEG", "CMYK", {"quality": 95}, LOSSY, id="jpeg-cmyk"),
        pytest.param("JPEG", "L", {"quality": 95}, LOSSY, id="jpeg-grey"),
        pytest.param("PNG", "RGB", {}, 0, id="png"),
        pytest.param("PNG", "RGBA", {}, 0, id="png-rgba-opaque"),
        pytest.param("PNG", "P", {}, 0, id="png-palette"),
        pytest.param("PNG", "L", {}, 0, id="png-grey"),
        pytest.param("PNG", "LA", {}, 0, id="png-grey-alpha-opaque"),
        pytest.param("PNG", "1", {}, 0, id="png-1-bit"),
        pytest.param("WEBP", "RGB", {"quality": 95}, LOSSY, id="webp-lossy"),
        pytest.param("WEBP", "RGB", {"lossless": True}, 0, id="webp-lossless"),
        pytest.param("GIF", "P", {}, 0, id="gif"),
        pytest.param("BMP", "RGB", {}, 0, id="bmp"),
        pytest.param("BMP", "P", {}, 0, id="bmp-palette"),
        pytest.param("BMP", "1", {}, 0, id="bmp-1-bit"),
        pytest.param("TIFF", "RGB", {}, 0, id="tiff"),
        pytest.param("TIFF", "RGB", {"compression": "tiff_lzw"}, 0, id="tiff-lzw"),
        pytest.param("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}, 0, id="tiff-deflate"),
        pytest.param("TIFF", "RGB", {"compression": "packbits"}, 0, id="tiff-packbits"),
        pytest.param("TIFF", "RGB", {"compression": "zstd"}, 0, id="tiff-zstd"),
        pytest.param("TIFF", "RGB", {"compression": "jpeg", "quality": 95}, LOSSY, id="tiff-jpeg"),
        pytest.param("TIFF", "1", {"compression": "group4"}, 0, id="tiff-fax"),
        pytest.param("TIFF", "CMYK", {}, 0, id="tiff-cmyk"),
        pytest.param("TIFF", "YCbCr", {}, LOSSY, id="tiff-ycbcr"),
        pytest.param("TIFF", "LAB", {}, LOSSY, id="tiff-lab"),
        pytest.param("TIFF", "P", {}, 0, id="tiff-palette"),
        pytest.param("AVIF", "RGB", {"quality": 95}, LOSSY, id="avif"),
        pytest.param("HEIF", "RGB", {"quality": 95}, LOSSY, id="heic"),
        pytest.param("HEIF", "L", {"quality": 95}, LOSSY, id="heic-grey"),
    ],
)
def test_colours_are_those_drawn(format: str, mode: str, options: dict[str, Any], tolerance: float) -> None:
    stored = PICTURE.quantize(256) if mode == "P" else PICTURE.convert(mode)
    expected = PICTURE.convert(mode) if mode in ("1", "L", "LA") else stored if mode == "P" else PICTURE

    decoded = shown(encode(stored, format, **options))

    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == (HEIGHT, WIDTH, 3)
    assert distance(decoded.pixels, expected) <= tolerance
    assert decoded.facts == ImageFacts(format, WIDTH, HEIGHT)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "AVIF", "TIFF", "MPO", "HEIF"])
def test_first_of_several_frames_is_shown(format: str) -> None:
    options = {"quality": 95} if format == "MPO" else OPTIONS[format]
    others = [Image.new("RGB", PICTURE.size, "blue"), PICTURE.transpose(Image.Transpose.ROTATE_180)]
    data = encode(PICTURE, format, save_all=True, append_images=others, **options)

    decoded = shown(data)

    assert distance(decoded.pixels, PICTURE) <= LOSSY
    assert decoded.facts == ImageFacts("JPEG" if format == "MPO" else format, WIDTH, HEIGHT)


def test_interlaced_png_is_shown() -> None:
    assert distance(shown(interlaced_png(np.asarray(PICTURE))).pixels, PICTURE) == 0


# A quarter each: transparent over hidden red, half transparent blue, opaque blue, opaque black.
ON_WHITE = Image.fromarray(quarters((255, 255, 255), ((127, 127, 255), (0, 0, 255)), (0, 0, 0)))


@pytest.mark.parametrize(
    ("format", "tolerance"), [("PNG", 0.5), ("WEBP", 0.5), ("TIFF", 0.5), ("AVIF", LOSSY), ("HEIF", LOSSY)]
)
def test_transparency_shows_white(format: str, tolerance: float) -> None:
    assert distance(shown(sample(format, RGBA), 64, 64).pixels, ON_WHITE) <= tolerance


@pytest.mark.parametrize("size", [32, 16, 23])
def test_hidden_colour_does_not_bleed(size: int) -> None:
    hidden = np.zeros((64, 64, 4), np.uint8)
    hidden[...] = (255, 0, 0, 0)
    hidden[16:48, 16:48] = (255, 255, 255, 255)

    assert shown(sample("PNG", Image.fromarray(hidden)), size, size).pixels.min() >= 254


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P", "PA-like", "LA"])
def test_transparent_png_of_any_kind_shows_white(mode: str) -> None:
    picture = Image.new("RGB", (64, 64), "red")
    picture.paste((0, 0, 0), (0, 0, 32, 64))  # the black left half is what is declared transparent
    transparency: dict[str, Any] = {"L": 0, "RGB": (0, 0, 0), "1": 0}
    if mode in ("P", "PA-like"):
        stored = picture.quantize(2)
        black = min(range(2), key=lambda index: sum((stored.getpalette() or [])[3 * index : 3 * index + 3]))
        alphas = bytes(0 if index == black else 255 for index in range(2))
        data = encode(stored, "PNG", transparency=black if mode == "P" else alphas)
    elif mode == "LA":
        stored = Image.merge("LA", (picture.convert("L"), picture.getchannel("R")))
        data = encode(stored, "PNG")
    else:
        stored = picture.convert(mode, dither=Image.Dither.NONE)
        data = encode(stored.point(lambda value: value and 255), "PNG", transparency=transparency[mode])

    pixels = shown(data, 64, 64).pixels

    assert (pixels[:, :32] == 255).all()
    if mode in ("RGB", "P", "PA-like"):
        assert (pixels[:, 32:] == (255, 0, 0)).all()


def test_transparent_gif_shows_white() -> None:
    stored = RGBA.convert("RGB").quantize(4)
    red = stored.getpixel((5, 5))

    pixels = shown(encode(stored, "GIF", transparency=red), 64, 64).pixels

    assert (pixels[:32, :32] == 255).all()
    assert (pixels[40, 5] == (0, 0, 255)).all()


RGB16 = np.asarray(PICTURE).astype(np.uint16) * 256 + (255 - np.asarray(PICTURE))
TIFF16 = {256: (WIDTH,), 257: (HEIGHT,), 258: (16, 16, 16), 259: (1,), 262: (2,), 273: (0,), 277: (3,), 278: (HEIGHT,)}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(Image.fromarray(GREY16), "PNG"), id="png-16-bit-grey"),
        pytest.param(encode(Image.fromarray(GREY16), "TIFF"), id="tiff-16-bit-grey"),
        pytest.param(
            encode(Image.frombytes("I;16B", (WIDTH, HEIGHT), GREY16.astype(">u2").tobytes()), "TIFF"),
            id="tiff-16-bit-grey-big-endian",
        ),
        pytest.param(encode(Image.fromarray(GREY.astype(np.int32)), "TIFF"), id="tiff-32-bit-grey"),
        pytest.param(encode(Image.fromarray(GREY.astype(np.float32)), "TIFF"), id="tiff-float-to-255"),
        pytest.param(encode(Image.fromarray(GREY.astype(np.float32) / 255), "TIFF"), id="tiff-float-to-1"),
    ],
)
def test_deep_grey_looks_like_8_bit(data: bytes) -> None:
    assert distance(shown(data).pixels, PICTURE.convert("L")) <= 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_file(WIDTH, HEIGHT, 16, 2, png_rows(RGB16)), id="png"),
        pytest.param(tiff_file({**TIFF16, 279: (RGB16.nbytes,)}, RGB16.tobytes()), id="tiff"),
    ],
)
def test_16_bit_colour_looks_like_8_bit(data: bytes) -> None:
    assert distance(shown(data).pixels, PICTURE) <= 1


def test_16_bit_png_with_alpha_shows_white_paper() -> None:
    rows = png_rows(np.asarray(RGBA).astype(np.uint16) * 257)
    assert distance(shown(png_file(64, 64, 16, 6, rows), 64, 64).pixels, ON_WHITE) <= 0.5


def test_float_tiff_with_gaps_shows_the_rest() -> None:
    values = GREY.astype(np.float32)
    values[:10] = np.nan
    values[10:20] = np.inf

    rest = shown(encode(Image.fromarray(values), "TIFF")).pixels[20:]

    assert distance(rest, PICTURE.crop((0, 20, WIDTH, HEIGHT)).convert("L")) <= 1
