"""Make the photographs that the measurements send, from ../shared/flowers102 if it exists, else from drawn flowers."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from tests.support.drawn_flower import draw_flower, encode
from tests.support.paths import FLOWERS102

# A camera's grain in levels of 255. Without it an enlarged photo has far fewer bytes than a real one.
_GRAIN = 5.0


@dataclass(frozen=True)
class Size:
    """Hold a photo's size in pixels, and how many of a hundred requests send one."""

    name: str
    width: int
    height: int
    share: int = 0


SIZES = (Size("small", 256, 192, 30), Size("500 px", 500, 375, 60), Size("12 megapixels", 4000, 3000, 10))


def _originals(count: int) -> list[Image.Image]:
    files = sorted((FLOWERS102 / "valid").rglob("*.jpg"))
    if not files:
        return [draw_flower(640 + 40 * number, 480) for number in range(count)]
    return [Image.open(file).convert("RGB") for file in files[:: len(files) // count][:count]]


def _photo(original: Image.Image, size: Size) -> bytes:
    image = ImageOps.fit(original, (size.width, size.height), Image.Resampling.BICUBIC)
    if size.width > original.width:
        grain = np.random.default_rng(0).normal(0, _GRAIN, (size.height, size.width, 1)).astype(np.float32)
        image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
    return encode(image, "JPEG", quality=90)


def photos(sizes: tuple[Size, ...] = SIZES, count: int = 3) -> dict[Size, list[bytes]]:
    """Return `count` different JPEG files of each size, the same in each run."""
    originals = _originals(count)
    return {size: [_photo(original, size) for original in originals] for size in sizes}


def small_photos(count: int = 12) -> list[bytes]:
    """Return photos of 667 × 500 pixels, some 100 kB each."""
    (files,) = photos((Size("667 px", 667, 500),), count).values()
    return files


def large_photos(count: int = 4) -> list[bytes]:
    """Return photos of 12 megapixels, some 3 MB each."""
    (files,) = photos((Size("12 megapixels", 4000, 3000),), count).values()
    return files
