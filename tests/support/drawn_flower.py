"""Draw the flower that stands in for a photograph, and encode it in any format."""

import io
from typing import Any

import numpy as np
from PIL import Image


def draw_flower(width: int = 320, height: int = 240) -> Image.Image:
    """Draw a flower, RGB: eight violet petals about a yellow heart on green, left of the middle, not symmetrical."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (x - width * 0.4) / height, (y - height * 0.5) / height
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = (40, 120, 50)
    pixels[..., 1] += (y / height * 60).astype(np.uint8)
    pixels[radius < 0.38 * (0.65 + 0.35 * np.cos(4 * angle) ** 2)] = (150, 70, 190)
    pixels[radius < 0.1] = (240, 200, 40)
    return Image.fromarray(pixels)


def encode(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return the image's file bytes in `format`, a name that Pillow (or pillow-heif) can save."""
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
