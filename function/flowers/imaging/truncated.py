"""Show JPEG files whose last bytes are missing, as viewers do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from . import jpeg
from .decoders import Size, is_of_machine, load_strictly
from .header import Header

# The share of a picture's rows that has to be there.
_MIN_SHARE = 0.9
_BLOCK_ROWS = 16
_END = b"\xff\xd9"
# Data that decode to something else than the plain colour with which libjpeg fills up what is missing.
_NOISE = bytes(range(1, 255)) * 16


def seems_cut_short(image: Image.Image, header: Header) -> bool:
    """Return whether a JPEG with a proper end may lack rows: its last pixel is as libjpeg fills up what is missing."""
    if header.frame is None or header.frame.whole:
        return False
    last = image.getpixel((image.width - 1, image.height - 1))
    return all(127 <= value <= 128 for value in (last if isinstance(last, tuple) else (last or 0,)))


def load_truncated(data: bytes, header: Header, draft: Size) -> tuple[ImageFile.ImageFile, float] | None:
    """Return a JPEG without its end, missing rows in one colour, and the share that is there; None if it is too small.

    What follows the scan, as its end or another picture, is left out.
    """
    if header.frame is None:
        return None
    if not header.frame.whole:
        data = data[: jpeg.end_of_scan(data, header.frame)]
    data = data.rstrip(b"\xff")
    try:
        image = load_strictly(data + _END, header, draft)
        if header.frame.whole:
            return (image, 1.0) if jpeg.is_finely_known(data, header.frame) else None
        other = load_strictly(data + _NOISE + _END, header, draft)
    except Exception as error:
        if is_of_machine(error):
            raise
        return None
    block = _BLOCK_ROWS * image.height / header.height
    share = _equal_share(np.asarray(image), np.asarray(other), block)
    return (image, share) if share >= _MIN_SHARE else None


def _equal_share(one: NDArray[Any], other: NDArray[Any], block: float) -> float:
    """Return the share of a picture before its first difference from another, which is where its data end."""
    differing = one != other
    if differing.ndim == 3:
        differing = differing.any(axis=2)
    rows = np.flatnonzero(differing.any(axis=1))
    if not rows.size:
        return 1.0
    height, width = differing.shape
    # Data come in rows of blocks. The first difference's column tells how much of the last row is there.
    first = int(rows[0])
    column = int(np.flatnonzero(differing[first])[0])
    share: float = (first + min(block, height - first) * column / width) / height
    return share
