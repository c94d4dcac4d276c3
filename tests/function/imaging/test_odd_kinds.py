"""Test that unusual files look as in viewers, and that unsupported kinds are named, with advice."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from flowers.errors import InputError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import Pixels, distance, draw_picture, png_chunk, png_file, png_rows, sample
from tests.support.tiffs import LONG, SHORT, Tag, layout, typed_tiff

PICTURE = draw_picture()
WIDTH, HEIGHT = PICTURE.size
RGB, GREY = np.asarray(PICTURE), np.asarray(PICTURE.convert("L"))
SIGNED, FLOAT = 2, 3


def seen(data: bytes) -> Pixels:
    """Return the whole picture as the model sees it."""
    return decode(data, InputRule(HEIGHT, WIDTH), 250_000_000, PixelBudget(50_000_000)).pixels


def refused(data: bytes) -> InputError:
    """Return the error of a file that is refused."""
    with pytest.raises(InputError) as caught:
        seen(data)
    return caught.value


def tiff(bits: tuple[int, ...], photometric: int, *strips: bytes, order: str = "<", **more: Tag) -> bytes:
    """Return a TIFF of the picture's size; further tags are given as `t284=…`."""
    tags = layout(WIDTH, HEIGHT, bits, photometric, list(strips))
    tags |= {int(name[1:]): tag for name, tag in more.items()}
    return typed_tiff(tags, b"".join(strips), order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compressed", [False, True])
def test_planar_tiff_is_shown(order: str, bits: int, compressed: bool) -> None:
    deep = RGB.astype(order + "u2") * 257 if bits == 16 else RGB
    planes = [deep[..., band].astype(f"{order}u{bits // 8}").tobytes() for band in range(3)]
    strips = [zlib.compress(plane) for plane in planes] if compressed else planes
    compression = (SHORT, (8 if compressed else 1,))
    data = tiff((bits,) * 3, 2, *strips, order=order, t284=(SHORT, (2,)), t259=compression)
    assert distance(seen(data), PICTURE) <= 0.1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("values", [GREY.astype(int) * 257 - 32768, GREY.astype(int) * 128 + 64], ids=["all", "upper"])
def test_signed_16_bit_grey_is_shown(order: str, values: Pixels) -> None:
    data = tiff((16,), 1, values.astype(order + "i2").tobytes(), order=order, t339=(SHORT, (SIGNED,)))
    assert distance(seen(data), PICTURE.convert("L")) <= 0.5


def test_signed_8_bit_grey_is_shown() -> None:
    data = tiff((8,), 1, (GREY.astype(int) - 128).astype(np.int8).tobytes(), t339=(SHORT, (SIGNED,)))
    assert distance(seen(data), PICTURE.convert("L")) <= 0.5


@pytest.mark.parametrize("scale", [1, 257], ids=["8-bit-map", "16-bit-map"])
def test_tiff_palette_is_shown(scale: int) -> None:
    indexed = PICTURE.quantize(256)
    palette = (indexed.getpalette() or []) + [0] * 768
    colours = [value * scale for band in range(3) for value in palette[band:768:3]]
    data = tiff((8,), 3, indexed.tobytes(), t320=(SHORT, tuple(colours)))
    assert distance(seen(data), indexed) == 0


@pytest.mark.parametrize("associated", [True, False])
def test_grey_tiff_with_alpha_shows_white_paper(associated: bool) -> None:
    alpha = np.full_like(GREY, 255)
    alpha[:60] = 128
    values = (GREY * (alpha / 255)).round().astype(np.uint8) if associated else GREY
    data = tiff((8, 8), 1, np.stack([values, alpha], -1).tobytes(), t338=(SHORT, (1 if associated else 2,)))
    expected = (GREY * (alpha / 255) + 255 - alpha).round().astype(np.uint8)
    assert distance(seen(data), Image.fromarray(expected)) <= 1


def transparent_png(depth: int, colour: int, rows: bytes, value: tuple[int, ...]) -> bytes:
    """Return a PNG with a transparent colour."""
    data = png_file(WIDTH, HEIGHT, depth, colour, rows)
    return data[:33] + png_chunk(b"tRNS", struct.pack(f">{len(value)}H", *value)) + data[33:]


def test_transparent_16_bit_grey_png_shows_white() -> None:
    deep = GREY.astype(np.uint16) * 257
    data = transparent_png(16, 0, png_rows(deep), (int(deep[60, 80]),))
    expected = np.where(np.equal(GREY, GREY[60, 80]), 255, GREY)
    assert distance(seen(data), Image.fromarray(expected)) == 0


def test_transparent_16_bit_colour_png_shows_white() -> None:
    deep = RGB.astype(np.uint16) * 257
    data = transparent_png(16, 2, png_rows(deep), tuple(int(value) for value in deep[60, 80]))
    expected = np.where(np.equal(RGB, RGB[60, 80]).all(-1, keepdims=True), 255, RGB).astype(np.uint8)
    assert distance(seen(data), Image.fromarray(expected)) == 0


def test_transparent_2_bit_grey_png_shows_white() -> None:
    values = GREY >> 6
    packed = values[:, 0::4] << 6 | values[:, 1::4] << 4 | values[:, 2::4] << 2 | values[:, 3::4]
    data = transparent_png(2, 0, png_rows(packed), (int(values[60, 80]),))
    expected = np.where(values == values[60, 80], 255, values * 85).astype(np.uint8)
    assert distance(seen(data), Image.fromarray(expected)) == 0


def test_small_gif_frame_lies_on_white() -> None:
    frame = PICTURE.quantize(64).crop((20, 10, 140, 110))
    data = bytearray(encode(frame, "GIF"))
    at = data.index(b"," + struct.pack("<4H", 0, 0, 120, 100))
    data[6:10] = struct.pack("<HH", WIDTH, HEIGHT)
    data[at + 1 : at + 5] = struct.pack("<HH", 20, 10)
    expected = Image.new("RGB", PICTURE.size, "white")
    expected.paste(frame.convert("RGB"), (20, 10))
    assert distance(seen(bytes(data)), expected) == 0


PNG, JPEG = sample("PNG"), sample("JPEG")
BAD_TEXT = struct.pack(">I", 5) + b"tEXta\0bcd" + b"bad!"
BAD_CHUNKS = {
    "text-checksum": BAD_TEXT,
    "gamma-too-short": png_chunk(b"gAMA", b"\0"),
    "transparency-too-short": png_chunk(b"tRNS", b"\0"),
    "profile-method": png_chunk(b"iCCP", b"name\0\1zzz"),
    "profile-broken": png_chunk(b"iCCP", b"name\0\0zzz"),
    "animation-broken": png_chunk(b"acTL", b"\0") + png_chunk(b"fcTL", b"\0"),
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
@pytest.mark.parametrize("place", ["before", "after"])
def test_bad_png_chunk_does_not_hide_the_picture(name: str, place: str) -> None:
    at = 33 if place == "before" else len(PNG) - 12
    assert distance(seen(PNG[:at] + BAD_CHUNKS[name] + PNG[at:]), PICTURE) == 0


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"\xff\xe0\x00\x07JFIF\0", id="jfif-too-short"),
        pytest.param(b"\xff\xe0\x00\x00", id="length-of-zero"),
        pytest.param(b"\xff\xed\x00\x14Photoshop 3.0\0" + b"8BIM", id="photoshop-broken"),
        pytest.param(b"\xff\xe2\x00\x10MPF\0II*\0\xff\xff\xff\xff\0\0", id="several-pictures-broken"),
        pytest.param(b"\xff\xee\x00\x07Adobe", id="adobe-too-short"),
    ],
)
def test_bad_jpeg_metadata_does_not_hide_the_picture(segment: bytes) -> None:
    assert distance(seen(JPEG[:2] + segment + JPEG[20:]), PICTURE) <= 4.5


def blank(bits: tuple[int, ...], photometric: int, **more: Tag) -> bytes:
    """Return a TIFF of zeros."""
    return tiff(bits, photometric, bytes(WIDTH * HEIGHT * sum(bits) // 8), order="<", **more)


FRAME = JPEG.index(b"\xff\xc0")
KINDS = {
    "32-bit floating-point RGB": blank((32,) * 3, 2, t339=(SHORT, (FLOAT,) * 3)),
    "16-bit floating-point grey": blank((16,), 1, t339=(SHORT, (FLOAT,))),
    "12-bit RGB": blank((12,) * 3, 2),
    "16-bit Lab": blank((16,) * 3, 8),
    "16-bit CMYK": blank((16,) * 5, 5, t338=(SHORT, (0,))),
    "JPEG 2000 compression": blank((8,) * 3, 2, t259=(SHORT, (34712,))),
    "raw photograph (DNG)": blank((8,) * 3, 2, t50706=(1, (1, 4, 0, 0))),
    "raw photograph with a thumbnail": blank((8,) * 3, 2, t254=(LONG, (1,)), t330=(LONG, (8,))),
    "12-bit JPEG": JPEG[: FRAME + 4] + b"\x0c" + JPEG[FRAME + 5 :],
    "lossless JPEG": JPEG[:FRAME] + b"\xff\xc3" + JPEG[FRAME + 2 :],
    "hierarchical JPEG": JPEG[:FRAME] + b"\xff\xc5" + JPEG[FRAME + 2 :],
    "JPEG-LS": JPEG[:FRAME] + b"\xff\xf7" + JPEG[FRAME + 2 :],
    "sequence": b"\0\0\0\x1cftyphevc\0\0\0\0mif1heichevc" + bytes(4) + b"moov",
    "JPEG XL": b"\xff\x0a" + bytes(50),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),
    "Photoshop": b"8BPS\0\1" + bytes(50),
    "SVG": b"<?xml version='1.0'?>\n<!-- a flower -->\n<svg xmlns='http://www.w3.org/2000/svg'/>",
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(50),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(50),
    "PDF": b"%PDF-1.4\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_unsupported_kind_is_named_with_advice(kind: str) -> None:
    error = refused(KINDS[kind])
    assert error.reason == "UNSUPPORTED_FORMAT"
    assert kind in error.message
    assert "ave" in error.message  # "Save …" or "save it as …"
