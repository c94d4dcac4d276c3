"""Test that files which are no image, broken or hostile are refused with the right reason, before they take memory."""

import random
import struct

import pytest

from flowers.errors import ImageFacts, InputError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import Decoded, decode
from flowers.imaging.formats import FORMATS, sniff
from flowers.imaging.memory import PixelBudget
from tests.support.pictures import (
    claim_size,
    draw_picture,
    oriented,
)
from tests.support.sample_images import ABSURD, LARGE, SAMPLES, other_format

RULE = InputRule(224, 224)
SIZE = draw_picture().size


def try_decode(data: bytes, max_pixels: int = 100_000_000) -> Decoded:
    """Decode with ample limits."""
    return decode(data, RULE, max_pixels, PixelBudget(1_000_000_000))


def refused(data: bytes, max_pixels: int = 100_000_000) -> InputError:
    """Return the error that refuses the file. Any other error fails the test."""
    with pytest.raises(InputError) as caught:
        try_decode(data, max_pixels)
    return caught.value


def test_no_bytes_are_an_empty_image() -> None:
    error = refused(b"")
    assert (error.reason, error.facts) == ("EMPTY_IMAGE", ImageFacts())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\0", id="one-byte"),
        pytest.param(b"A flower, truly.\n" * 50, id="text"),
        pytest.param(b"<!DOCTYPE html><html><body><img src=flower.jpg></body></html>", id="html"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', id="svg"),
        pytest.param(b'{"image": {"content": ""}}', id="json"),
        pytest.param(bytes(5000), id="zeros"),
        pytest.param(b"PK\x03\x04" + SAMPLES["JPEG"], id="zip"),
        pytest.param(b"\n" + SAMPLES["JPEG"], id="jpeg-after-a-newline"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), id="wave-sound"),
        pytest.param(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40), id="mp4-film"),
        pytest.param(b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(14 + 192), id="psd"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", id="eps-script"),
        *(
            pytest.param(other_format(name), id=name.lower())
            for name in ("ICO", "ICNS", "PPM", "EPS", "PDF", "TGA", "PCX", "DDS", "JPEG2000", "SGI", "QOI")
        ),
    ],
)
def test_other_format_is_unsupported(data: bytes) -> None:
    error = refused(data)
    assert (error.reason, error.facts) == ("UNSUPPORTED_FORMAT", ImageFacts())


@pytest.mark.parametrize("text", [b"BMW built this car in 1972.\n" * 20, b"BMI,weight,height\n21,60,1.7\n" * 20])
def test_text_like_a_bitmap_is_unsupported(text: bytes) -> None:
    assert refused(text).reason == "UNSUPPORTED_FORMAT"


@pytest.mark.parametrize("format", FORMATS)
def test_format_is_detected_from_bytes(format: str) -> None:
    assert sniff(SAMPLES[format]) == format
    assert try_decode(SAMPLES[format]).facts == ImageFacts(format, *SIZE)


@pytest.mark.parametrize("format", FORMATS)
def test_truncated_file_is_undecodable(format: str) -> None:
    data = SAMPLES[format]
    for length in (len(data) * part // 16 for part in range(1, 16)):
        error = refused(data[:length])
        assert (error.reason, error.facts.format) == ("UNDECODABLE_IMAGE", format), length
        assert error.facts[1:3] in ((None, None), SIZE), length


@pytest.mark.parametrize("format", FORMATS)
def test_few_bytes_of_a_file_are_refused(format: str) -> None:
    for length in range(1, 48):
        error = refused(SAMPLES[format][:length])
        known = sniff(SAMPLES[format][:length])
        assert error.reason == ("UNDECODABLE_IMAGE" if known else "UNSUPPORTED_FORMAT"), length
        assert error.facts.format == known
    assert known == format


@pytest.mark.parametrize("format", FORMATS)
def test_file_without_last_bytes_is_shown_or_refused(format: str) -> None:
    for missing in (1, 2, 3, 4, 8, 12):
        try:
            assert try_decode(SAMPLES[format][:-missing]).pixels.shape == (224, 224, 3)
        except InputError as error:
            assert (error.reason, error.facts.format) == ("UNDECODABLE_IMAGE", format)


@pytest.mark.parametrize("format", FORMATS)
def test_corrupt_file_is_shown_or_refused(format: str) -> None:
    chance = random.Random(format)  # noqa: S311 - the same damage each time
    refusals = 0
    for _ in range(30):
        data = bytearray(SAMPLES[format])
        start = chance.randrange(4 if format == "BMP" else 12, len(data) - 8)
        data[start : start + 8] = chance.randbytes(8) if chance.random() < 0.5 else chance.choice((b"\0", b"\xff")) * 8
        try:
            assert try_decode(bytes(data)).pixels.shape == (224, 224, 3)
        except InputError as error:
            refusals += 1
            assert error.reason in ("UNDECODABLE_IMAGE", "IMAGE_TOO_LARGE", "UNSUPPORTED_FORMAT")
    assert refusals > 0 or format == "BMP"  # whose every byte is a colour


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "HEIF"])
def test_error_has_the_facts_known_so_far(format: str) -> None:
    data = SAMPLES[format]
    middle = len(data) // 2
    assert refused(data[:middle]).facts == ImageFacts(format, *SIZE)


def test_png_of_zeros_is_undecodable() -> None:
    error = refused(SAMPLES["PNG"][:60] + bytes(2000))
    assert (error.reason, error.facts) == ("UNDECODABLE_IMAGE", ImageFacts("PNG", *SIZE))


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (0, 0)])
def test_picture_without_pixels_is_undecodable(size: tuple[int, int]) -> None:
    for format in ("PNG", "JPEG", "BMP", "TIFF"):
        assert refused(claim_size(format, SAMPLES[format], *size)).reason == "UNDECODABLE_IMAGE", format


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_above_the_limit_are_refused(format: str) -> None:
    error = refused(LARGE[format])
    assert (error.reason, error.facts) == ("IMAGE_TOO_LARGE", ImageFacts(format, 12_000, 10_001))
    assert "12000 × 10001" in error.message


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_at_the_limit_are_shown(format: str) -> None:
    assert try_decode(SAMPLES[format], SIZE[0] * SIZE[1]).facts == ImageFacts(format, *SIZE)
    assert refused(SAMPLES[format], SIZE[0] * SIZE[1] - 1).reason == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_refused_picture_has_its_upright_size(format: str) -> None:
    error = refused(oriented(draw_picture(), format, 6), 1000)
    assert (error.reason, error.facts) == ("IMAGE_TOO_LARGE", ImageFacts(format, *SIZE))


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_size_is_refused(name: str) -> None:
    assert refused(ABSURD[name]).reason in ("IMAGE_TOO_LARGE", "UNDECODABLE_IMAGE")
