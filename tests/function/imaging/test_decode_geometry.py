"""Test what part of a photo the model sees: upright, cropped or stretched, and decoded no finer than needed."""

import numpy as np
import pytest
from PIL import Image

from flowers.errors import ImageFacts
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import Decoded, decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import OPTIONS, STORED, distance, draw_picture, oriented, png_chunk, sample, whole

PICTURE = draw_picture()
LOSSY = 4.5  # see test_any_turn_of_the_picture_would_be_noticed


def seen(data: bytes, rule: InputRule) -> Decoded:
    """Return what the model sees of the file."""
    return decode(data, rule, 100_000_000, PixelBudget(50_000_000))


def test_any_turn_of_the_picture_would_be_noticed() -> None:
    for turn in set(STORED.values()) - {None}:
        assert turn is not None
        turned = PICTURE.transpose(turn).resize(PICTURE.size)
        assert distance(np.asarray(turned), PICTURE) > 5 * LOSSY


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_turned_picture_is_shown_upright(format: str, orientation: int) -> None:
    decoded = seen(oriented(PICTURE, format, orientation), InputRule(PICTURE.height, PICTURE.width))

    assert distance(decoded.pixels, PICTURE) <= LOSSY
    assert decoded.facts == ImageFacts(format, PICTURE.width, PICTURE.height)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("rule", [InputRule(64, 48), InputRule(40, 90), InputRule(50, 70, "stretch")], ids=str)
def test_turned_picture_fills_any_target(rule: InputRule, orientation: int) -> None:
    turned = seen(oriented(PICTURE, "PNG", orientation), rule).pixels

    assert turned.shape == (rule.height, rule.width, 3)
    assert distance(turned, Image.fromarray(seen(sample("PNG", PICTURE), rule).pixels)) <= 1


def test_orientation_after_png_pixels_counts() -> None:
    data, exif = sample("PNG", PICTURE.transpose(Image.Transpose.ROTATE_90)), Image.Exif()
    exif[0x0112] = 6
    late = data[:-12] + png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + data[-12:]

    decoded = seen(late, InputRule(PICTURE.height, PICTURE.width))

    assert distance(decoded.pixels, PICTURE) == 0
    assert decoded.facts == ImageFacts("PNG", PICTURE.width, PICTURE.height)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_unknown_orientation_turns_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    data = encode(PICTURE, "PNG", exif=exif.tobytes())
    assert distance(seen(data, InputRule(120, 160)).pixels, PICTURE) == 0


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0" + bytes(40)])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_hide_the_picture(format: str, exif: bytes) -> None:
    data = encode(PICTURE, format, exif=exif, **OPTIONS[format])
    assert distance(seen(data, InputRule(120, 160)).pixels, PICTURE) <= LOSSY


@pytest.mark.parametrize(
    ("rule", "width", "height", "box"),
    [
        pytest.param(InputRule(100, 100), 100, 100, (0, 0, 100, 100), id="square-whole"),
        pytest.param(InputRule(100, 100), 400, 200, (100, 0, 300, 200), id="landscape-middle"),
        pytest.param(InputRule(100, 100), 200, 400, (0, 100, 200, 300), id="portrait-middle"),
        pytest.param(InputRule(100, 100, fraction=0.5), 400, 200, (150, 50, 250, 150), id="half-of-the-middle"),
        pytest.param(InputRule(100, 200), 200, 200, (0, 50, 200, 150), id="wide-target"),
        pytest.param(InputRule(200, 100), 200, 200, (50, 0, 150, 200), id="high-target"),
        pytest.param(InputRule(100, 200, "stretch"), 333, 77, (0, 0, 333, 77), id="stretch"),
        pytest.param(InputRule(100, 100, "stretch", 0.5), 40, 80, (0, 0, 40, 80), id="stretch-has-no-fraction"),
        pytest.param(InputRule(224, 224), 1, 5000, (0, 2499.5, 1, 2500.5), id="thread"),
        pytest.param(InputRule(224, 224), 5000, 1, (2499.5, 0, 2500.5, 1), id="lying-thread"),
        pytest.param(InputRule(224, 224), 1, 1, (0, 0, 1, 1), id="one-pixel"),
        pytest.param(InputRule(224, 224), 3, 2, (0.5, 0, 2.5, 2), id="between-pixels"),
    ],
)
def test_box_is_the_middle_in_the_targets_shape(
    rule: InputRule, width: int, height: int, box: tuple[float, float, float, float]
) -> None:
    assert rule.box(width, height, (rule.width, rule.height)) == pytest.approx(box)


def striped(lying: bool) -> bytes:
    """Return a PNG file: a green square between two red ones."""
    picture = Image.new("RGB", (90, 30), "red")
    picture.paste("green", (30, 0, 60, 30))
    return sample("PNG", picture if lying else picture.transpose(Image.Transpose.ROTATE_90))


@pytest.mark.parametrize("lying", [True, False])
def test_crop_shows_the_middle_stretch_all(lying: bool) -> None:
    cropped = seen(striped(lying), InputRule(30, 30)).pixels
    stretched = seen(striped(lying), InputRule(30, 30, "stretch")).pixels

    assert (cropped == (0, 128, 0)).all()
    across = stretched[15] if lying else stretched[:, 15]
    assert across[[3, 15, 26]].tolist() == [[255, 0, 0], [0, 128, 0], [255, 0, 0]]


@pytest.mark.parametrize("fraction", [1.0, 0.875])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3), (65535, 2)], ids=str)
@pytest.mark.parametrize("mode", ["crop", "stretch"])
def test_pictures_of_extreme_shape_are_shown(mode: str, size: tuple[int, int], fraction: float) -> None:
    rule = InputRule(224, 224, "crop" if mode == "crop" else "stretch", fraction)
    for format in ("PNG", "JPEG") if max(size) < 65500 else ("PNG",):
        decoded = seen(encode(Image.new("RGB", size, (200, 30, 90)), format, quality=95), rule)
        assert np.abs(decoded.pixels.astype(int) - (200, 30, 90)).max() <= 4
        assert decoded.facts == ImageFacts(format, *size)


@pytest.fixture(scope="module")
def huge() -> Image.Image:
    """Return a picture of 12 megapixels."""
    return draw_picture(400, 300).resize((4000, 3000))


@pytest.mark.parametrize("progressive", [False, True])
def test_large_jpeg_looks_as_decoded_whole(huge: Image.Image, progressive: bool) -> None:
    data = encode(huge, "JPEG", quality=90, progressive=progressive)
    expected = whole(data).resize((224, 168), Image.Resampling.BICUBIC)

    decoded = seen(data, InputRule(168, 224))

    assert distance(decoded.pixels, expected) <= 1
    assert decoded.facts == ImageFacts("JPEG", 4000, 3000)


@pytest.mark.parametrize("rule", [InputRule(224, 224, fraction=0.1), InputRule(900, 300)], ids=str)
def test_part_of_large_jpeg_is_sharp(huge: Image.Image, rule: InputRule) -> None:
    data = encode(huge, "JPEG", quality=90)
    box = rule.box(4000, 3000, (rule.width, rule.height))
    expected = whole(data).resize((rule.width, rule.height), Image.Resampling.BICUBIC, box=box)

    assert distance(seen(data, rule).pixels, expected) <= 1


def test_large_sideways_jpeg_is_upright(huge: Image.Image) -> None:
    data = oriented(huge, "JPEG", 6)

    decoded = seen(data, InputRule(168, 224))

    assert distance(decoded.pixels, huge.resize((224, 168), Image.Resampling.BICUBIC)) <= 1
    assert decoded.facts == ImageFacts("JPEG", 4000, 3000)
