"""Test that a header which the decoders would read differently is refused, or counts as the worst case."""

import io
import struct
import zlib

import pytest
from PIL import Image

from flowers.errors import InputError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.header import read_header
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import draw_picture, png_chunk, sample, tiff_file

PICTURE = draw_picture()
ASCII, BYTE, UNDEFINED, SIGNED_LONG, SIGNED_LONG8 = 2, 1, 7, 9, 17


def outcome(data: bytes, pixels: int = 500_000) -> str:
    """Return the reason of refusal, or `shown`."""
    try:
        decode(data, InputRule(224, 224), 250_000_000, PixelBudget(pixels))
    except InputError as error:
        return error.reason
    return "shown"


def tiled_tiff(across: int, kind: int = 4, twice: bool = False) -> bytes:
    """Return a TIFF of 64 × 64 white pixels in one tile, its width in a given type."""
    tile = zlib.compress(b"\xff" * 64 * 64)
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: across, 323: 64, 324: 0, 325: len(tile)}
    data = tiff_file({tag: (value,) for tag, value in tags.items()}, tile)
    entry = data.index(struct.pack("<HH", 322, 4))
    data = data[: entry + 2] + struct.pack("<H", kind) + data[entry + 4 :]
    if twice:  # in place of the tag of rows
        data = data.replace(struct.pack("<HHII", 323, 4, 1, 64), struct.pack("<HHII", 322, 4, 1, 64))
    return data


@pytest.mark.parametrize("kind", [ASCII, BYTE, UNDEFINED, SIGNED_LONG, SIGNED_LONG8, 3333])
def test_tile_width_of_a_wrong_type_is_undecodable(kind: int) -> None:
    assert outcome(tiled_tiff(64)) == "shown"
    assert outcome(tiled_tiff(64, kind)) == "UNDECODABLE_IMAGE"


def test_tile_width_given_twice_is_undecodable() -> None:
    assert outcome(tiled_tiff(64, twice=True)) == "UNDECODABLE_IMAGE"


@pytest.mark.parametrize("tag", [256, 257, 258, 262, 277, 278, 279])
@pytest.mark.parametrize("kind", [ASCII, BYTE, UNDEFINED, SIGNED_LONG8])
def test_tiff_tag_of_wrong_type_is_undecodable(tag: int, kind: int) -> None:
    data = encode(PICTURE, "TIFF")
    assert outcome(data) == "shown"
    entry = next(at for at in range(8, len(data)) if data[at : at + 2] == struct.pack("<H", tag) and data[at + 3] == 0)
    assert outcome(data[: entry + 2] + struct.pack("<H", kind) + data[entry + 4 :]) == "UNDECODABLE_IMAGE"


def test_tiff_with_excess_strips_is_undecodable() -> None:
    tags = {256: (8,), 257: (8,), 258: (8,), 259: (1,), 262: (1,), 273: (0,), 277: (1,), 278: (1,), 279: (8,) * 9}
    assert outcome(tiff_file(tags, bytes(64))) == "UNDECODABLE_IMAGE"


def progressive() -> bytes:
    """Return a progressive JPEG of 1.9 megapixels, small in bytes."""
    return encode(Image.new("RGB", (1600, 1200), "green"), "JPEG", progressive=True)


def baseline() -> bytes:
    """Return a baseline JPEG of the same size."""
    return encode(Image.new("RGB", (1600, 1200), "green"), "JPEG")


def after_first_segment(data: bytes, odd: bytes) -> bytes:
    """Return a JPEG with something odd between its first two segments."""
    return data[:20] + odd + data[20:]


LENGTHLESS = {
    "restart": b"\xff\xd0",
    "temporary": b"\xff\x01",
    "stuffed-zero": b"\xff\x00",
    "fill": b"\xff\xff\xff",
    "junk": b"\x12\x34",
}
# Whoever takes a marker without length for one with a length jumps over the frame to this scan of three components.
FAKE_SCAN = b"\xff\xe5" + struct.pack(">H", 12) + b"\xff\xda" + struct.pack(">HBB", 12, 3, 1) + bytes(4)


@pytest.mark.parametrize("name", LENGTHLESS)
def test_bare_markers_leave_jpeg_counted_whole(name: str) -> None:
    odd = LENGTHLESS[name] + FAKE_SCAN
    data = progressive()

    header = read_header(after_first_segment(data, odd))

    assert not header.scalable
    assert header.held == 1600 * 1200
    assert outcome(after_first_segment(data, odd)) in ("IMAGE_TOO_LARGE", "UNDECODABLE_IMAGE")


@pytest.mark.parametrize("name", ["restart", "stuffed-zero", "fill", "junk"])
def test_bare_markers_leave_baseline_jpeg_shown(name: str) -> None:
    assert outcome(after_first_segment(baseline(), LENGTHLESS[name])) == "shown"


def test_jpeg_with_hundreds_of_scans_is_undecodable() -> None:
    data = progressive()
    scan = data.rindex(b"\xff\xda")
    assert outcome(data, 2_000_000) == "shown"
    assert outcome(data[:-2] + data[scan:-2] * 300 + b"\xff\xd9", 2_000_000) == "UNDECODABLE_IMAGE"


def test_gif_whose_first_frame_is_huge_is_too_large() -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0, 0, 0)
    control = b"!\xf9\x04" + bytes([2 << 2, 0, 0, 0]) + b"\0"  # restored to the background, which Pillow fills at once
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x08\x02\0\0\0;"
    assert outcome(screen + control + frame) == "IMAGE_TOO_LARGE"


def test_webp_canvas_is_counted_before_it_is_allocated() -> None:
    data = encode(PICTURE, "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\10\0\0")
    assert data[12:16] == b"VP8X"
    assert outcome(data[:24] + (15_000).to_bytes(3, "little") * 2 + data[30:]) == "IMAGE_TOO_LARGE"


def test_png_with_two_headers_is_undecodable() -> None:
    data = sample("PNG")
    second = png_chunk(b"IHDR", struct.pack(">II", 60_000, 60_000) + data[24:29])
    assert outcome(data[:33] + second + data[33:]) == "UNDECODABLE_IMAGE"


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_data_larger_than_header_are_undecodable(format: str) -> None:
    small, large = encode(PICTURE, format), encode(PICTURE.resize((1600, 1200)), format)
    at, size = small.index(b"ispe") + 8, large.index(b"ispe") + 8
    claimed = large[:size] + small[at : at + 8] + large[size + 8 :]
    assert outcome(claimed) in ("UNDECODABLE_IMAGE", "IMAGE_TOO_LARGE")


def test_avif_sequence_shows_its_still_picture() -> None:
    data = encode(PICTURE, "AVIF", save_all=True, append_images=[PICTURE.rotate(180)])
    assert data[8:12] == b"avis"
    assert outcome(data.replace(b"stco", b"free")) == "shown"  # its tracks, which no header was read of, are not


def test_bmp_of_run_lengths_counts_its_slow_decoder() -> None:
    data = bytearray(encode(PICTURE.quantize(16), "BMP"))
    assert read_header(bytes(data)).held == 160 * 120
    data[30] = 1
    assert read_header(bytes(data)).held == 4 * 160 * 120


def test_heic_grid_counts_its_tiles_and_its_canvas() -> None:
    data = encode(PICTURE.resize((1500, 1100)), "HEIF", tile_size=512)
    assert read_header(data).held == 9 * 512 * 512
    assert Image.open(io.BytesIO(data)).size == (1500, 1100)
