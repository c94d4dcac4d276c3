"""Decode mutated files, and compare the memory that each takes with the limit from its header.

    python -m tests.support.mutations FILES [SEED]

prints one line of JSON: how many files were shown, how many were refused, and the worst of them.
"""

import json
import random
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from flowers.errors import FlowersError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.formats import sniff
from flowers.imaging.memory import PixelBudget
from flowers.process import return_large_blocks
from tests.support.drawn_flower import encode
from tests.support.pictures import draw_picture, interlaced_png, sample

# What a held pixel takes at most in any decoder, and what decoding takes beside that: bytes.
PIXEL_BYTES, BASE_BYTES = 16, 12 * 1024 * 1024
BUDGET = 2_000_000
OUTCOMES = ("shown", "IMAGE_TOO_LARGE", "UNSUPPORTED_FORMAT", "UNDECODABLE_IMAGE")
_NUMBERS = (0, 1, 2, 7, 16, 17, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_MARKERS = (b"\xff\xd0", b"\xff\x00", b"\xff\xff", b"\xff\xd8", b"\xff\xda", b"\xff\xc2", b"\xff\xe0\x00\x02", b"\0\3")


class RecordingBudget(PixelBudget):
    """Record the reserved pixels."""

    held = 0

    @contextmanager
    def reserve(self, units: int) -> Iterator[None]:
        """Hold `units` pixels while the block runs."""
        with super().reserve(units):
            self.held = units
            yield


def seeds() -> list[tuple[str, bytes]]:
    """Return intact files of all formats and variants."""
    picture, large = draw_picture(), draw_picture(600, 400)
    alpha = picture.convert("RGBA")
    alpha.putalpha(picture.getchannel("R"))
    pillow_heif.register_heif_opener(thumbnails=False)
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    animation = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}
    return [
        ("JPEG", sample("JPEG")),
        ("JPEG", encode(large, "JPEG", progressive=True, quality=80)),
        ("JPEG", encode(picture.convert("CMYK"), "JPEG", restart_marker_rows=1)),
        ("PNG", sample("PNG")),
        ("PNG", interlaced_png(np.asarray(picture))),
        ("PNG", encode(picture.quantize(16), "PNG", **animation)),
        ("WEBP", encode(large, "WEBP", quality=60)),
        ("WEBP", encode(alpha, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\10\0\0")),
        ("WEBP", encode(picture, "WEBP", **animation)),
        ("GIF", encode(picture, "GIF", **animation, disposal=2)),
        ("BMP", sample("BMP")),
        ("BMP", encode(picture.quantize(16), "BMP")),
        ("TIFF", sample("TIFF")),
        ("TIFF", encode(picture, "TIFF")),
        ("TIFF", encode(large, "TIFF", compression="jpeg")),
        ("TIFF", encode(deep, "TIFF", compression="tiff_adobe_deflate")),
        ("TIFF", encode(picture.convert("1"), "TIFF", compression="group4")),
        ("TIFF", encode(alpha, "TIFF", tiffinfo={322: 64, 323: 64}, compression="tiff_adobe_deflate")),
        ("AVIF", sample("AVIF")),
        ("AVIF", encode(alpha, "AVIF", speed=10)),
        ("AVIF", encode(picture, "AVIF", speed=10, **animation)),
        ("HEIF", sample("HEIF")),
        ("HEIF", encode(alpha, "HEIF", quality=50)),
        ("HEIF", encode(large, "HEIF", quality=50, tile_size=256)),
    ]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return the file after a few changes, most of them near its start, where the headers are."""
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        at = int(len(data) * chance.random() ** chance.choice((1, 3, 6)))
        kind = chance.randrange(8)
        if kind == 0:
            change, skip = bytes([data[at] ^ 1 << chance.randrange(8)]), 1
        elif kind == 1:
            change, skip = bytes([chance.randrange(256)]), 1
        elif kind == 2:
            size = chance.choice((2, 3, 4))
            number = chance.choice(_NUMBERS) & (1 << 8 * size) - 1
            change, skip = number.to_bytes(size, chance.choice(("big", "little"))), size
        elif kind == 3:
            change, skip = chance.choice(_MARKERS), 0
        elif kind == 4:
            change, skip = b"", chance.randrange(1, 40)
        elif kind == 5:
            change, skip = data[at : at + chance.randrange(1, 200)] * 2, 0
        elif kind == 6:
            start = chance.randrange(len(data))
            change, skip = data[start : start + chance.randrange(1, 40)], 0
        else:
            change, skip = chance.randbytes(chance.randrange(1, 9)), chance.randrange(9)
        data = data[:at] + change + data[at + skip :] or b"\0"
    return data if chance.randrange(2) else with_checksums(data)


def with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksum that each chunk needs, so that its decoder reads on; any other file as it is."""
    if sniff(data) != "PNG":
        return data
    mended, at = bytearray(data), 8
    while at + 12 + (length := int.from_bytes(data[at : at + 4], "big")) <= len(data):
        end = at + 8 + length
        mended[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(mended)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def measure(data: bytes) -> tuple[str, int, int]:
    """Return the outcome, the peak memory of decoding in bytes, and the reserved pixels."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest memory so far, see proc(5)
    before, budget = _status("VmRSS"), RecordingBudget(BUDGET)
    try:
        decode(data, InputRule(224, 224), 250_000_000, budget)
        outcome = "shown"
    except FlowersError as error:
        outcome = error.reason
    return outcome, _status("VmHWM") - before, budget.held


def main(files: int, seed: int) -> None:
    """Decode `files` mutated files and print what was found. Write the first file that takes too much, and end."""
    return_large_blocks()
    chance, originals, outcomes = random.Random(seed), seeds(), Counter[str]()  # noqa: S311 - repeatable
    for name, data in originals:
        outcome, _, _ = measure(data)
        assert outcome == "shown", name
    worst: dict[str, Any] = {"bytes": 0, "pixels": 0, "format": ""}
    for _ in range(files):
        name, data = chance.choice(originals)
        data = mutated(data, chance)
        outcome, taken, held = measure(data)
        outcomes[f"{name} {outcome}"] += 1
        if taken > worst["bytes"]:
            worst = {"bytes": taken, "pixels": held, "format": name}
        if taken > BASE_BYTES + PIXEL_BYTES * held or outcome not in OUTCOMES:
            file = Path(tempfile.gettempdir(), f"mutation-{seed}.bin")
            file.write_bytes(data)
            sys.exit(f"{name}: {outcome}, {taken:,} bytes for {held:,} pixels, seed {seed}: {file}")
    print(json.dumps({"outcomes": dict(sorted(outcomes.items())), "worst": worst}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
