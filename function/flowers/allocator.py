"""What the C library does with memory that was freed."""

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
# Below it are a photo's bytes and what a draft decodes; above it whole pictures, in Pillow's blocks of 16 MiB.
_LARGE_BLOCK_BYTES = 4 * 1024 * 1024


def return_large_blocks() -> None:
    """Lets glibc give every large block back as soon as it is freed; elsewhere it does nothing.

    By default glibc learns to keep such blocks, for each thread apart: eight threads that decoded a large picture one
    after the other hold eight pictures, and `PixelBudget` bounds nothing (mallopt(3), "Dynamic threshold"). Smaller
    blocks are kept for the next photo, up to twice that size: to give them back and take them anew costs 5 ms.
    """
    with suppress(OSError, AttributeError):
        glibc = ctypes.CDLL(None)
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        glibc.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE_BLOCK_BYTES)
