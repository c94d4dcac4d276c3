"""Image bytes to upright RGB pixels of the size that the model sees."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ..errors import FlowersError, ImageFacts, InputError
from .crop import Box, InputRule
from .formats import sniff
from .memory import PixelBudget
from .plugins import held_pixels, open_image

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


class Decoded(NamedTuple):
    """Upright pixels, uint8 [H, W, 3] RGB of the model's size, and the facts of the image they came from.

    `area` is the part of the upright photo that they show.
    """

    pixels: NDArray[np.uint8]
    facts: ImageFacts
    area: Box


def _orientation(read_exif: Callable[[], Image.Exif]) -> int:
    """The EXIF orientation, 1 to 8; 1 where none is told."""
    try:
        value = read_exif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata is no reason to refuse a photo that shows
        return 1
    return value if value in _UPRIGHT else 1


def _exif_of_header(image: ImageFile.ImageFile) -> Image.Exif:
    """The EXIF that stands before the pixels; unlike `getexif`, this never decodes those of a PNG."""
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")
    return exif


def _draft(data: bytes, image: ImageFile.ImageFile, rule: InputRule) -> None:
    """Lets libjpeg decode at 1/2, 1/4 or 1/8 of the size, never below what the model needs.

    Asked before the orientation is known, so for a square as wide as the target's longer side.
    """
    side = max(rule.width, rule.height)
    left, top, right, bottom = rule.box(*image.size, (side, side))
    image.decodermaxblock = max(image.decodermaxblock, len(data))  # all bytes at once, not 64 KiB a turn
    image.draft(None, (math.ceil(image.width * side / (right - left)), math.ceil(image.height * side / (bottom - top))))


def _grey8(image: Image.Image) -> Image.Image:
    """Integers or floats of more than 8 bits as 8-bit grey: 16 bits by their range, wider ones by their values."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values >> 8).astype(np.uint8))
    values = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    most = float(values.max())
    range_ = next((top for top in (1.0, 255.0, 65535.0) if most <= top), most)
    return Image.fromarray((np.clip(values / range_, 0, 1) * 255).astype(np.uint8))


def _small_rgb(image: Image.Image, rule: InputRule, target: tuple[int, int]) -> Image.Image:
    """The part that the model sees, at `target` size, colours as a person would see them on white paper."""
    if image.mode[0] in "IF":
        image = _grey8(image)
    elif image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    box = rule.box(*image.size, target)
    small = image.resize(target, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("RGB")


def _decode(data: bytes, name: str, image: ImageFile.ImageFile, rule: InputRule, budget: PixelBudget) -> Decoded:
    full = image.size
    if name == "JPEG":
        _draft(data, image, rule)
    with budget.reserve(held_pixels(data, image, full)):
        image.load()
        if name == "TIFF":  # Pillow has turned it upright while loading
            full = image.size
        orientation = _orientation(image.getexif)
        sideways = orientation in _SIDEWAYS
        target = (rule.height, rule.width) if sideways else (rule.width, rule.height)
        small = _small_rgb(image, rule, target)
    if orientation in _UPRIGHT:
        small = small.transpose(_UPRIGHT[orientation])
    width, height = full[::-1] if sideways else full
    area = rule.box(width, height, (rule.width, rule.height))  # a middle part is the same however the photo is turned
    return Decoded(np.asarray(small), ImageFacts(name, width, height), area)


def decode(data: bytes, rule: InputRule, max_pixels: int, budget: PixelBudget) -> Decoded:
    """Decodes an image's first frame into what the model sees.

    Raises `InputError` (EMPTY_IMAGE, UNSUPPORTED_FORMAT, IMAGE_TOO_LARGE, UNDECODABLE_IMAGE), and `SurroundingsError`
    when `budget` stays exhausted.
    """
    if not data:
        raise InputError("EMPTY_IMAGE", "The image has no bytes. Send a whole image file.")
    name = sniff(data)
    if name is None:
        raise InputError(
            "UNSUPPORTED_FORMAT",
            "This is no image of a known format. Send JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC.",
        )
    facts = ImageFacts(name)
    try:
        image = open_image(data, name)
        sideways = name != "TIFF" and _orientation(lambda: _exif_of_header(image)) in _SIDEWAYS
        facts = ImageFacts(name, *(image.size[::-1] if sideways else image.size))
        if image.width * image.height > max_pixels:
            raise InputError(
                "IMAGE_TOO_LARGE",
                f"The image has {image.width} × {image.height} pixels; {max_pixels:,} is the most. Scale it down.",
            )
        return _decode(data, name, image, rule, budget)
    except InputError as error:
        error.facts = facts
        raise
    except FlowersError:
        raise
    except Exception as error:  # decoders answer hostile bytes with errors of any class
        fault = InputError(
            "UNDECODABLE_IMAGE", f"The {name} image is truncated or corrupt. Check the file and send it again."
        )
        fault.facts = facts
        raise fault from error
