"""Make files that the function accepts and files that it refuses, by name."""

from typing import Any

import numpy as np
from PIL import Image

from flowers.imaging.formats import FORMATS
from tests.support.drawn_flower import encode
from tests.support.pictures import OPTIONS, claim_size, draw_picture, multi_scan_jpeg, oriented, sample

PICTURE = draw_picture()
SAMPLES = {format: sample(format) for format in FORMATS}
HTML = b"<!doctype html>\n<html><body><h1>404 Not Found</h1></body></html>\n"
TEXT = b"Una rosa es una rosa es una rosa.\n"
GREY = np.asarray(PICTURE.convert("L"))
# Values of 16 bits that round to those of 8, with other low bits.
GREY16 = GREY.astype(np.uint16) * 256 + (255 - GREY)


def other_format(name: str) -> bytes:
    """Return a file of a format that Pillow knows and the contract does not."""
    return encode(draw_picture(64, 64).convert("RGB"), name)


def quarters(red: Any, blue: Any, black: Any) -> Any:
    """Return pixels [64, 64, …] of four values, one for each quarter."""
    top = np.concatenate([np.tile(red, (32, 32, 1)), np.tile(blue[0], (32, 32, 1))], axis=1)
    bottom = np.concatenate([np.tile(blue[1], (32, 32, 1)), np.tile(black, (32, 32, 1))], axis=1)
    return np.concatenate([top, bottom]).astype(np.uint8)


RGBA = Image.fromarray(quarters((255, 0, 0, 0), ((0, 0, 255, 128), (0, 0, 255, 255)), (0, 0, 0, 255)))
LARGE = {format: claim_size(format, SAMPLES[format], 12_000, 10_001) for format in FORMATS}
ABSURD = {
    "jpeg": claim_size("JPEG", SAMPLES["JPEG"], 65_500, 65_500),
    "png": claim_size("PNG", SAMPLES["PNG"], 2**31 - 1, 2**31 - 1),
    "webp": claim_size("WEBP", SAMPLES["WEBP"], 65_535, 65_535),
    "webp-overflow": claim_size("WEBP", SAMPLES["WEBP"], 2**24, 2**24),
    "gif": claim_size("GIF", SAMPLES["GIF"], 65_535, 65_535),
    "bmp": claim_size("BMP", SAMPLES["BMP"], 2**31 - 1, -(2**31)),
    "tiff": claim_size("TIFF", SAMPLES["TIFF"], 2**32 - 1, 2**32 - 1),
    "avif": claim_size("AVIF", SAMPLES["AVIF"], 2**32 - 1, 2**32 - 1),
    "heif": claim_size("HEIF", SAMPLES["HEIF"], 2**32 - 1, 2**32 - 1),
}
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", PICTURE.size, "blue")]}
IMAGES = {
    **{format.lower(): data for format, data in SAMPLES.items()},
    **{f"sideways {format}": oriented(PICTURE, format, 6) for format in FORMATS if format not in ("GIF", "BMP")},
    **{f"transparent {format}": sample(format, RGBA) for format in ("PNG", "WEBP", "TIFF", "AVIF", "HEIF")},
    **{f"{name} of frames": encode(PICTURE, name, **FRAMES, **OPTIONS[name]) for name in ("GIF", "PNG", "TIFF")},
    "grey jpeg": encode(PICTURE.convert("L"), "JPEG"),
    "cmyk jpeg": encode(PICTURE.convert("CMYK"), "JPEG"),
    "progressive jpeg": encode(PICTURE, "JPEG", progressive=True),
    "palette png": encode(PICTURE.quantize(16), "PNG"),
    "1-bit bmp": encode(PICTURE.convert("1"), "BMP"),
    "16-bit grey png": encode(Image.fromarray(GREY16), "PNG"),
    "fax": encode(PICTURE.convert("1"), "TIFF", compression="group4"),
    "one pixel": encode(Image.new("RGB", (1, 1)), "PNG"),
}  # fmt: skip
FAULTY = {
    "empty": b"",
    "one byte": b"\0",
    "text": TEXT,
    "html": HTML,
    "svg": b"<svg></svg>",
    "pdf": b"%PDF-1.7\n",
    "program": b"\x7fELF" + bytes(60),
    "zeros": bytes(5000),
    "json": b'{"image": {"content": ""}}',
    **{name.lower(): other_format(name) for name in ("ICO", "PPM", "PDF", "TGA", "JPEG2000", "QOI")},
    **{f"half a {format}": data[: len(data) // 2] for format, data in SAMPLES.items()},
    **{f"20 bytes of a {format}": data[:20] for format, data in SAMPLES.items()},
    **{f"large {format}": data for format, data in LARGE.items()},
    **{f"absurd {name}": data for name, data in ABSURD.items()},
    "scans beyond the pixel budget": multi_scan_jpeg(9_000, 9_000)[:100_000],
}
