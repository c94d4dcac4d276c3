"""Test that decoding keeps to the memory limits, whatever a file claims or unpacks to."""

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flowers.errors import ImageFacts, InputError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.formats import FORMATS
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.paths import ROOT
from tests.support.pictures import (
    claim_size,
    draw_picture,
    multi_scan_jpeg,
    png_chunk,
    png_file,
    sample,
    tiff_file,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure memory")

ALLOWED = 32 * 1024 * 1024  # bytes: far above what 500,000 pixels take, far below what any of the files unpacks to
# Decodes each file of a folder in a process of its own, and tells the outcome and the most memory it took.
MEASURE = """
import json, os, sys
from pathlib import Path
from flowers.imaging.decode import decode
from flowers.imaging.crop import InputRule
from flowers.errors import InputError
from flowers.imaging.memory import PixelBudget

def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

def attempt(file):
    try:
        decode(file.read_bytes(), InputRule(224, 224), 100_000_000, PixelBudget(500_000))
    except InputError as error:
        return error.reason
    return "shown"

for file in Path(sys.argv[1]).glob("*.good"):
    assert attempt(file) == "shown", file
found = {}
for file in Path(sys.argv[1]).glob("*.bad"):
    reader, writer = os.pipe()
    if os.fork() == 0:
        before = status("VmRSS")
        outcome = attempt(file)
        plugins = [name for name in sys.modules if name.endswith("ImagePlugin")]
        answer = {"outcome": outcome, "bytes": status("VmHWM") - before, "plugins": plugins}
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        found[file.stem] = json.load(answer)
    os.wait()
print(json.dumps(found))
"""


def single_tile_tiff(size: int, side: int) -> bytes:
    """Return a white TIFF of `size` × `size` pixels, whose one tile is `side` × `side`."""
    tile = zlib.compress(b"\xff" * (side * side), 9)
    tags = {256: size, 257: size, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 0, 325: len(tile)}
    return tiff_file({tag: (value,) for tag, value in tags.items()}, tile)


def dotted_png(side: int) -> bytes:
    """Return a black PNG of one bit a pixel."""
    return png_file(side, side, 1, 0, bytes(side * (1 + -(-side // 8))))


def bombs() -> dict[str, tuple[bytes, str]]:
    """Return small files that claim or unpack to a lot, and the outcome of each."""
    png = sample("PNG")
    zeros = b"a\0\0" + zlib.compress(bytes(150_000_000), 9)
    text, profile = png_chunk(b"zTXt", zeros), png_chunk(b"iCCP", zeros)
    claims = {
        f"{format}-claims-120-megapixels": claim_size(format, sample(format), 12_000, 10_001) for format in FORMATS
    }
    claims |= {
        f"{format}-claims-90-megapixels": claim_size(format, sample(format), 9_000, 10_000)
        for format in FORMATS
        if format not in ("JPEG", "WEBP")  # a JPEG is decoded smaller; the WebP library notices by itself
    }
    huge = draw_picture(400, 300).resize((4000, 3000))
    return {
        **{name: (data, "IMAGE_TOO_LARGE") for name, data in claims.items()},
        "tiff-of-nothing": (b"II*\0" + bytes(100), "UNDECODABLE_IMAGE"),
        "png-of-180-megapixels": (dotted_png(13_417), "IMAGE_TOO_LARGE"),
        "png-with-150-megabytes-of-text": (png[:33] + text + png[33:], "shown"),
        "png-with-150-megabytes-of-text-at-its-end": (png[:-12] + text + png[-12:], "shown"),
        "png-with-150-megabytes-of-profile": (png[:33] + profile + png[33:], "shown"),
        "jpeg-of-12-megapixels": (encode(huge, "JPEG", quality=90), "shown"),
        "jpeg-of-12-megapixels-progressive": (
            encode(huge, "JPEG", quality=90, progressive=True),
            "IMAGE_TOO_LARGE",
        ),
        "jpeg-of-25-megapixels-in-three-scans": (multi_scan_jpeg(5000, 5000), "IMAGE_TOO_LARGE"),
        "tiff-with-a-tile-of-64-megapixels": (single_tile_tiff(64, 8192), "IMAGE_TOO_LARGE"),
    }


BOMBS = bombs()
AVIF = encode(Image.new("RGB", (5000, 5000), "green"), "AVIF", speed=10)
HEIF = encode(Image.new("RGB", (2048, 2048), "green"), "HEIF")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the outcome, memory and plugins of each file."""
    folder = tmp_path_factory.mktemp("bombs")
    for format in FORMATS:
        (folder / f"{format}.good").write_bytes(sample(format))
    for name, (data, _) in BOMBS.items():
        (folder / f"{name}.bad").write_bytes(data)
    (folder / "avif-unpacks-to-25-megapixels.bad").write_bytes(claim_size("AVIF", AVIF, 64, 64))
    (folder / "heif-unpacks-to-4-megapixels.bad").write_bytes(claim_size("HEIF", HEIF, 64, 64))
    command = [sys.executable, "-c", MEASURE, str(folder)]
    run = subprocess.run(command, cwd=ROOT / "function", capture_output=True, timeout=120, check=False, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_takes_little_memory(name: str, measured: Any) -> None:
    assert len(BOMBS[name][0]) < 3_000_000
    assert measured[name]["bytes"] < ALLOWED


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_has_its_reason(name: str, measured: Any) -> None:
    assert measured[name]["outcome"] == BOMBS[name][1]


def test_heif_larger_than_claimed_is_undecodable(measured: Any) -> None:
    found = measured["heif-unpacks-to-4-megapixels"]
    assert found["outcome"] == "UNDECODABLE_IMAGE"
    assert found["bytes"] < ALLOWED


def test_avif_larger_than_claimed_takes_little_memory(measured: Any) -> None:
    assert measured["avif-unpacks-to-25-megapixels"]["bytes"] < ALLOWED


def test_only_plugins_of_the_contract_are_opened(measured: Any) -> None:
    # Pillow itself loads that of PPM at start; nothing is opened with it, see the unsupported formats.
    allowed = {"Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP"}
    loaded = {name for found in measured.values() for name in found["plugins"]}
    assert loaded <= {f"PIL.{name}ImagePlugin" for name in allowed}


def test_small_png_of_180_megapixels_is_too_large() -> None:
    data = BOMBS["png-of-180-megapixels"][0]
    assert len(data) < 23_000

    with pytest.raises(InputError) as caught:
        decode(data, InputRule(224, 224), 100_000_000, PixelBudget(1_000_000_000))

    assert (caught.value.reason, caught.value.facts) == ("IMAGE_TOO_LARGE", ImageFacts("PNG", 13_417, 13_417))
