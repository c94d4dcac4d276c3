"""Test that pictures are turned as by viewers: by EXIF, by the boxes of HEIF and AVIF, never by XMP."""

import numpy as np
import pytest
from PIL import Image

from flowers.errors import ImageFacts
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.header import read_header
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import OPTIONS, STORED, Pixels, distance, draw_picture, oriented

PICTURE = draw_picture()
SQUARE = PICTURE.resize((128, 128))
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def seen(data: bytes, side: int = 128) -> Pixels:
    """Return the whole picture as the model sees it."""
    return decode(data, InputRule(side, side), 250_000_000, PixelBudget(50_000_000)).pixels


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_orientation_in_xmp_alone_turns_nothing(format: str) -> None:
    if format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        data = encode(SQUARE, "PNG", pnginfo=text)
    elif format == "TIFF":
        data = encode(SQUARE, "TIFF", tiffinfo={700: XMP})
    else:
        # The encoder of HEIC would turn XMP's orientation into boxes.
        data = encode(SQUARE, format, xmp=XMP.replace(b'"6"', b'"1"'), **OPTIONS[format])
        data = data.replace(b'Orientation="1"', b'Orientation="6"')
    assert b'Orientation="6"' in data

    assert distance(seen(data), SQUARE) <= 4.5


def heic(orientation: int, promises: bool) -> bytes:
    """Return a HEIC that only its EXIF turns; `promises` keeps the brand that forbids this."""
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x0131] = "tests"
    turn = STORED[orientation]
    stored = SQUARE if turn is None else SQUARE.transpose(turn)
    data = encode(stored, "HEIF", exif=exif.tobytes(), **OPTIONS["HEIF"])
    assert data.count(b"\x01\x12\0\3\0\0\0\1\0\1") == 1
    data = data.replace(b"\x01\x12\0\3\0\0\0\1\0\1", b"\x01\x12\0\3\0\0\0\1\0" + bytes([orientation]))
    return data if promises else data.replace(b"miaf", b"heic")


@pytest.mark.parametrize("orientation", STORED)
def test_heic_that_only_exif_turns_is_shown_upright(orientation: int) -> None:
    assert distance(seen(heic(orientation, promises=False)), SQUARE) <= 4.5


def test_heic_that_promises_boxes_ignores_exif() -> None:
    pixels = seen(heic(6, promises=True))
    assert distance(pixels, SQUARE.transpose(Image.Transpose.ROTATE_90)) <= 4.5


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_header_reads_turns_and_mirrors_from_boxes(format: str, orientation: int) -> None:
    assert read_header(oriented(PICTURE, format, orientation)).orientation == orientation


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_with_aperture_has_its_sides(orientation: int) -> None:
    data = oriented(draw_picture(161, 121), "HEIF", orientation)
    assert b"clap" in data  # which brings odd sides back, as coded they are even
    decoded = decode(data, InputRule(121, 161), 250_000_000, PixelBudget(50_000_000))
    assert decoded.facts == ImageFacts("HEIF", 161, 121)


def test_facts_of_a_turned_heic_are_upright() -> None:
    assert read_header(oriented(PICTURE, "HEIF", 6)).facts == ImageFacts("HEIF", *PICTURE.size)
    assert np.asarray(PICTURE).shape == (120, 160, 3)
