"""Decode image bytes to upright RGB pixels of the size that the model sees."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageFacts, InputError, UnavailableError
from .colours import to_srgb
from .crop import Box, InputRule
from .decoders import Size, is_of_machine, load
from .header import Header, read_header
from .memory import PixelBudget, check_memory
from .pixels import simplify
from .truncated import is_complete, load_truncated

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FRACTIONS = (8, 4, 2, 1)  # those at which libjpeg decodes


class Decoded(NamedTuple):
    """Hold upright pixels, uint8 [H, W, 3] sRGB of the model's size, and the facts of their image.

    `area` is the part of the upright photo that they show.
    """

    pixels: NDArray[np.uint8]
    facts: ImageFacts
    area: Box


def decode(data: bytes, rule: InputRule, max_pixels: int, budget: PixelBudget) -> Decoded:
    """Decode an image's first frame to what the model sees.

    Raise `InputError` (EMPTY_IMAGE, UNSUPPORTED_FORMAT, IMAGE_TOO_LARGE, UNDECODABLE_IMAGE), and `UnavailableError`
    when `budget` stays exhausted or this machine fails.
    """
    try:
        header = read_header(data)
        try:
            return _decode(data, header, rule, max_pixels, budget)
        except InputError as error:
            error.facts = header.facts
            raise
    except Exception as error:
        if is_of_machine(error):
            raise UnavailableError(
                "UNAVAILABLE", "The image could not be decoded on this machine. Try again."
            ) from error
        raise


def _decode(data: bytes, header: Header, rule: InputRule, max_pixels: int, budget: PixelBudget) -> Decoded:
    if header.width * header.height > max_pixels:
        raise InputError(
            "IMAGE_TOO_LARGE",
            f"The image has {header.width} × {header.height} pixels. The limit is {max_pixels:,}. Scale it down.",
        )
    draft = _draft(header, rule)
    held = _held(header, draft)
    with budget.reserve(held):
        try:
            image, truncated = _load(data, header, draft)
        except InputError:
            check_memory(held)
            raise
        if header.format == "HEIF":  # whose clean aperture may crop the picture
            header = header.decoded_as(*image.size)
        small = _small(simplify(image, header), header, rule)
    if header.turn in _UPRIGHT:
        small = small.transpose(_UPRIGHT[header.turn])
    area = rule.box(*header.upright, (rule.width, rule.height))  # a middle part is the same however the photo is turned
    return Decoded(np.asarray(small), header.facts._replace(truncated=truncated), area)


def _load(data: bytes, header: Header, draft: Size) -> tuple[Image.Image, bool]:
    """Return the decoded image, and whether it is truncated."""
    try:
        image = load(data, header, draft)
    except InputError as error:
        found = load_truncated(data, header, draft) if error.reason == "UNDECODABLE_IMAGE" else None
        if found is None:
            raise
        return found, True
    return image, not is_complete(image, data, header, draft)


def _draft(header: Header, rule: InputRule) -> Size:
    """Return the size below which a JPEG must not be decoded.

    A turned photo swaps its sides, so this is for a square as wide as the target's longer side.
    """
    side = max(rule.width, rule.height)
    left, top, right, bottom = rule.box(header.width, header.height, (side, side))
    return math.ceil(header.width * side / (right - left)), math.ceil(header.height * side / (bottom - top))


def _held(header: Header, draft: Size) -> int:
    """Return how many pixels decoding holds."""
    if not header.scalable:
        return header.held
    scale = min(header.width // draft[0], header.height // draft[1])
    fraction = next((one for one in _FRACTIONS if one <= scale), 1)
    return -(-header.width // fraction) * -(-header.height // fraction)


def _small(image: Image.Image, header: Header, rule: InputRule) -> Image.Image:
    """Return the part that the model sees, in its size, on a white background."""
    turns = header.turn in (5, 6, 7, 8)
    target = (rule.height, rule.width) if turns else (rule.width, rule.height)
    small = image.resize(target, Image.Resampling.BICUBIC, box=rule.box(*image.size, target), reducing_gap=2.0)
    small = to_srgb(small, header.colours)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("RGB")
