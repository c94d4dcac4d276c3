"""Make pictures that Pillow cannot write, and files with a false size."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.support.drawn_flower import draw_flower, encode

Pixels = NDArray[np.uint8]

# How a picture is stored whose EXIF orientation says how to turn it upright (EXIF 2.32, tag 0x0112).
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# One usual file of each format of the contract.
OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True, "exact": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 95, "subsampling": "4:4:4", "speed": 9},
    "HEIF": {"quality": 95, "chroma": 444},
}


def draw_picture(width: int = 160, height: int = 120) -> Image.Image:
    """Return the drawn flower with three unlike corners, so that no turned or mirrored one looks the same."""
    picture = draw_flower(width, height)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 4, height // 4), (250, 250, 250))
    draw.rectangle((width * 3 // 4, 0, width, height // 4), (10, 10, 10))
    draw.rectangle((0, height * 3 // 4, width // 4, height), (220, 30, 30))
    return picture


def sample(format: str, picture: Image.Image | None = None) -> bytes:
    """Return a usual file of `format`."""
    return encode(picture or draw_picture(), format, **OPTIONS[format])


def oriented(picture: Image.Image, format: str, orientation: int) -> bytes:
    """Return a file that shows `picture` once it is turned upright as its EXIF orientation says."""
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = picture if turn is None else picture.transpose(turn)
    return encode(stored, format, exif=exif.tobytes(), **OPTIONS[format])


def distance(pixels: Pixels, expected: Image.Image) -> float:
    """Return the mean difference of a pixel's value, 0..255."""
    return float(np.abs(pixels.astype(float) - np.asarray(expected.convert("RGB"))).mean())


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(width: int, height: int, depth: int, colour: int, rows: bytes, interlaced: bool = False) -> bytes:
    """Return a PNG file of unfiltered `rows`, each with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_rows(pixels: NDArray[Any]) -> bytes:
    """Return the rows of `pixels`, big-endian, each with the filter byte for none."""
    return b"".join(b"\0" + row.tobytes() for row in pixels.astype(pixels.dtype.newbyteorder(">")))


def interlaced_png(pixels: Pixels) -> bytes:
    """Return an RGB PNG in the seven passes of Adam7."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(png_rows(pixels[y::high, x::wide]) for x, y, wide, high in passes)
    return png_file(pixels.shape[1], pixels.shape[0], 8, 2, rows, interlaced=True)


def tiff_file(tags: dict[int, tuple[int, ...]], data: bytes) -> bytes:
    """Return a little-endian TIFF file of LONG `tags`; the offset in the tag 273 or 324 is set to where `data` lies."""
    extra = 8 + 2 + 12 * len(tags) + 4
    start = extra + sum(4 * len(values) for values in tags.values() if len(values) > 1)
    entries, tail = b"", b""
    for tag, values in sorted(tags.items()):
        body = struct.pack(f"<{len(values)}I", *((start,) if tag in (273, 324) else values))
        entries += struct.pack("<HHI", tag, 4, len(values))
        entries += body if len(values) == 1 else struct.pack("<I", extra + len(tail))
        tail += body if len(values) > 1 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + tail + data


def multi_scan_jpeg(width: int, height: int) -> bytes:
    """Return a flat baseline JPEG with one scan a component: libjpeg holds all coefficients before it shows a row."""
    header = encode(Image.new("RGB", (16, 16), "green"), "JPEG", subsampling=0)
    header = claim_size("JPEG", header[: header.index(b"\xff\xda")], width, height)
    blocks = -(-width // 8) * -(-height // 8)
    file = header
    # The standard tables' codes for "no change of the mean" and "end of block", for luminance and for chrominance.
    for component, tables, bits in ((1, 0x00, "001010"), (2, 0x11, "0000"), (3, 0x11, "0000")):
        file += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, component, tables, 0, 63, 0)
        eight_blocks = int(bits * 8, 2).to_bytes(len(bits), "big")
        file += eight_blocks * (blocks // 8 + 1)
    return file + b"\xff\xd9"


def _claim_jpeg(data: bytes, width: int, height: int) -> bytes:
    start = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def _claim_png(data: bytes, width: int, height: int) -> bytes:
    return data[:8] + png_chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]


def _claim_webp(data: bytes, width: int, height: int) -> bytes:
    if max(width, height) <= 2**14:  # all that a lossless picture can say of itself
        (bits,) = struct.unpack("<I", data[21:25])
        return data[:21] + struct.pack("<I", bits >> 28 << 28 | height - 1 << 14 | width - 1) + data[25:]
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<II", 10, 0) + sizes
    return data[:4] + struct.pack("<I", len(data) - 8 + len(extended)) + data[8:12] + extended + data[12:]


def _claim_gif(data: bytes, width: int, height: int) -> bytes:
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def _claim_bmp(data: bytes, width: int, height: int) -> bytes:
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def _claim_tiff(data: bytes, width: int, height: int) -> bytes:
    (start,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[start : start + 2])
    file = bytearray(data)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        size = {256: width, 257: height}.get(struct.unpack("<H", data[entry : entry + 2])[0])
        if size is not None:
            file[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, size)
    return bytes(file)


def _claim_heif(data: bytes, width: int, height: int) -> bytes:
    start = data.index(b"ispe") + 8
    return data[:start] + struct.pack(">II", width, height) + data[start + 8 :]


_CLAIMS: dict[str, Callable[[bytes, int, int], bytes]] = {
    "JPEG": _claim_jpeg,
    "PNG": _claim_png,
    "WEBP": _claim_webp,
    "GIF": _claim_gif,
    "BMP": _claim_bmp,
    "TIFF": _claim_tiff,
    "AVIF": _claim_heif,
    "HEIF": _claim_heif,
}


def claim_size(format: str, data: bytes, width: int, height: int) -> bytes:
    """Return the file with another size in its header."""
    return _CLAIMS[format](data, width, height)


def whole(data: bytes) -> Image.Image:
    """Return the file as Pillow decodes it, without any draft."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
