"""Bring decoded pixels of all kinds to the few modes that are resized: L, RGB, RGBA, CMYK and YCbCr."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .header import Header

_PLAIN = ("L", "RGB", "CMYK", "YCbCr")
_SIGNED = 2  # TIFF's tag SampleFormat


def simplify(image: Image.Image, header: Header) -> Image.Image:
    """Return a decoded image in a mode that can be resized and shown."""
    signed = header.layout is not None and header.layout.sample_format == _SIGNED
    if image.mode[0] in "IF" or (image.mode == "L" and signed):
        return _grey8(image, max(header.layout.bits) if header.layout and signed else 0)
    if "frame" in image.info:
        return _on_screen(image, image.info["frame"])
    if image.has_transparency_data:
        if image.mode in ("La", "RGBa"):
            return image.convert(image.mode.upper()).convert("RGBA")
        return image if image.mode == "RGBA" else image.convert("RGBA")
    return image if image.mode in _PLAIN else image.convert("RGB")


def _grey8(image: Image.Image, signed_bits: int) -> Image.Image:
    """Return integers or floats as 8-bit grey: 8 and 16 bits by their range, wider ones by their values."""
    values: NDArray[Any] = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = Image.fromarray((values >> 8).astype(np.uint8))
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
            return grey.convert("RGBA")
        return grey
    if signed_bits in (8, 16):
        values = values.astype(np.int8 if signed_bits == 8 else np.int16)
        half = 1 << signed_bits - 1
        # Values without a sign take the upper half of the range, as scanners of 15 bits write them.
        top = half - 1 if values.min() >= 0 else 2 * half - 1
        return _scaled(values.astype(np.float32) + (0 if values.min() >= 0 else half), top)
    values = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    largest = float(values.max())
    return _scaled(values, next((top for top in (1.0, 255.0, 65535.0) if largest <= top), largest))


def _scaled(values: NDArray[np.float32], top: float) -> Image.Image:
    return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8))


def _on_screen(image: Image.Image, frame: tuple[int, int, int, int]) -> Image.Image:
    """Return a GIF's first frame on its transparent screen."""
    shown = Image.new("RGBA", image.size)
    shown.paste(image.crop(frame).convert("RGBA"), frame)
    return shown
