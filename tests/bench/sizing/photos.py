"""The photos that sizing measures with: ordinary ones of three sizes, and the heaviest that the limits let in."""

import base64
import io
import json
import math

import numpy as np
from PIL import Image

from tests.bench.photos_by_size import Size, photos
from tests.drawn_flower import draw_flower, encode

# The defaults of PIXEL_BUDGET and MAX_IMAGE_BYTES.
MOST_PIXELS = 50_000_000
MOST_BYTES = 32 * 1024 * 1024

# A request: its media type and its body.
Request = tuple[str, bytes]


def ordinary() -> dict[float, list[Request]]:
    """Requests with JPEG photos, by megapixels."""
    sizes = (Size("500 px", 500, 375, 1), Size("3 megapixels", 2000, 1500, 1), Size("12 megapixels", 4000, 3000, 1))
    return {
        size.width * size.height / 1e6: [("image/jpeg", data) for data in files]
        for size, files in photos(sizes).items()
    }


def heaviest() -> list[Request]:
    """Requests that take the most memory and time: most pixels (WebP, floats), most bytes (as they are, in JSON)."""
    side = math.isqrt(MOST_PIXELS)
    large = draw_flower().resize((side, side), Image.Resampling.NEAREST)
    floats = Image.fromarray(np.asarray(large.convert("L")).astype(np.float32))
    return [
        ("image/webp", encode(large, "WEBP", quality=30, method=0)),
        ("image/tiff", encode(floats, "TIFF", compression="tiff_adobe_deflate")),
        ("image/png", _noise(MOST_BYTES)),
        # Cloud Run takes requests of 32 MiB, so that base64 leaves three quarters of it.
        ("application/json", _in_json(_noise(MOST_BYTES * 3 // 4 - 1024))),
    ]


def _noise(size: int) -> bytes:
    """A PNG file of just less than `size` bytes, which no compression makes smaller."""
    side = math.isqrt(size // 3 - size // 100)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


def _in_json(data: bytes) -> bytes:
    return json.dumps({"image": {"content": base64.b64encode(data).decode()}}).encode()
