"""Keep what Pillow and its libraries print of broken files out of the log. The error document says what is wrong."""

import ctypes
import functools
import logging
import warnings
from contextlib import suppress
from pathlib import Path

import PIL


def silence_pillow() -> None:
    """Drop Pillow's own warnings and log entries."""
    warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
    logger = logging.getLogger("PIL")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@functools.cache
def silence_libtiff() -> None:
    """Drop the messages that libtiff writes to standard error. Pillow does so for warnings, but not for errors."""
    for library in Path(PIL.__file__).parents[1].glob("pillow.libs/libtiff*"):  # as Pillow's wheels for Linux have it
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)
