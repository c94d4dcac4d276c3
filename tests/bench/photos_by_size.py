"""The photographs that load is made of: three sizes, of ../shared/flowers102 where it is, drawn ones elsewhere."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.drawn_flower import draw_flower, encode

_FLOWERS = Path(__file__).parents[3] / "shared" / "flowers102" / "valid"
_VARIETY = 3
# A camera's grain: without it an enlarged photo is a fifth of the bytes of a real one, and decodes that much faster.
_GRAIN = 6.0


@dataclass(frozen=True)
class Size:
    """A size of photo (pixels), and how many of a hundred requests send one."""

    name: str
    width: int
    height: int
    share: int


SIZES = (Size("small", 256, 192, 30), Size("500 px", 500, 375, 60), Size("12 megapixels", 4000, 3000, 10))


def _originals() -> list[Image.Image]:
    files = sorted(_FLOWERS.rglob("*.jpg"))
    if not files:
        return [draw_flower(640 + 40 * number, 480) for number in range(_VARIETY)]
    return [Image.open(file).convert("RGB") for file in files[:: len(files) // _VARIETY][:_VARIETY]]


def _photo(original: Image.Image, size: Size) -> bytes:
    image = original.resize((size.width, size.height), Image.Resampling.BICUBIC)
    if size.width > original.width:
        grain = np.random.default_rng(0).normal(0, _GRAIN, (size.height, size.width, 1))
        image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
    return encode(image, "JPEG", quality=90)


def photos(sizes: tuple[Size, ...] = SIZES) -> dict[Size, list[bytes]]:
    """JPEG files of each size, several different ones."""
    originals = _originals()
    return {size: [_photo(original, size) for original in originals] for size in sizes}
