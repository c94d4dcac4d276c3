"""Show JPEG files whose last bytes are missing, as viewers do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from .decoders import Size, is_of_machine, load_strictly
from .header import Header, undecodable
from .jpeg import Frame
from .scans import find_scans, missing_bits, shows_all

# The share of a picture's rows that has to be there.
_MIN_SHARE = 0.9
_BLOCK_ROWS = 16
_END = b"\xff\xd9"
# Data that do not decode to the plain colour with which libjpeg fills up missing rows.
_NOISE = bytes(range(1, 255)) * 16


def is_complete(image: Image.Image, data: bytes, header: Header, draft: Size) -> bool:
    """Return whether a picture that was decoded without an error is complete: a JPEG may have been closed early.

    A cut in a scan that adds only the last bit of each coefficient is not noticed.
    Raise `InputError` (UNDECODABLE_IMAGE) if too few rows are there.
    """
    frame = header.frame
    if frame is None or not _seems_cut_short(image, data, frame):
        return True
    scans = find_scans(data, frame)
    if not shows_all(frame, scans):
        raise undecodable(header.format)
    share = _share(image, data[: scans[-1].end], header, draft)
    if share < _MIN_SHARE and not shows_all(frame, scans[:-1]):
        raise undecodable(header.format)
    return share == 1 and missing_bits(frame, scans) == 0


def _seems_cut_short(image: Image.Image, data: bytes, frame: Frame) -> bool:
    """Return whether anything may be missing, without decoding again."""
    if frame.whole:
        scans = find_scans(data, frame)
        return missing_bits(frame, scans) > 0 or missing_bits(frame, scans[:-1]) > 1
    # If rows of a single scan are missing, libjpeg fills them up with grey.
    last = image.getpixel((image.width - 1, image.height - 1))
    return all(127 <= value <= 128 for value in (last if isinstance(last, tuple) else (last or 0,)))


def load_truncated(data: bytes, header: Header, draft: Size) -> ImageFile.ImageFile | None:
    """Return a JPEG without its end, missing rows in one colour; None if too many are missing, or for other files."""
    frame = header.frame
    scans = find_scans(data, frame) if frame else []
    if frame is None or not scans:
        return None
    data = data[: scans[-1].end]
    try:
        image = load_strictly(data.rstrip(b"\xff") + _END, header, draft)
    except Exception as error:
        if is_of_machine(error):
            raise
        return None
    if missing_bits(frame, scans[:-1]) <= 1:
        return image
    nearly_all = missing_bits(frame, scans) <= 1 and _share(image, data, header, draft) >= _MIN_SHARE
    return image if nearly_all else None


def _share(image: Image.Image, data: bytes, header: Header, draft: Size) -> float:
    """Return the share of a picture's rows that the last scan has; its data end with `data`."""
    try:
        other = load_strictly(data.rstrip(b"\xff") + _NOISE + _END, header, draft)
    except Exception as error:
        if is_of_machine(error):
            raise
        return 0.0
    block = _BLOCK_ROWS * image.height / header.height
    return _equal_share(np.asarray(image), np.asarray(other), block)


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
