"""The photographs of the measurements, made of the data set's: as from a web page and as from a camera."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path("../shared/flowers102/valid")
COUNT = 12
_GRAIN = 5.0  # standard deviation in levels of 255: what makes an enlarged photo as hard to code as a camera's


def _files() -> list[Path]:
    """An even spread of the data set's photographs."""
    files = sorted(DATA.glob("*/*.jpg"))
    if len(files) < COUNT:
        raise SystemExit(f"{DATA} has no photographs: the measurements need the data set, see export/")
    return files[:: len(files) // COUNT][:COUNT]


def _enlarged(file: Path, size: tuple[int, int], quality: int) -> bytes:
    """The middle of a photo in the shape of `size` (width, height), with grain, as a JPEG; always the same bytes."""
    with Image.open(file) as photo:
        image = photo.convert("RGB")
    scale = min(image.width / size[0], image.height / size[1])
    left, top = (image.width - size[0] * scale) / 2, (image.height - size[1] * scale) / 2
    large = image.resize(size, Image.Resampling.BICUBIC, box=(left, top, image.width - left, image.height - top))
    grain = np.random.default_rng(0).normal(0, _GRAIN, (size[1], size[0], 1)).astype(np.float32)
    out = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def small_photos() -> list[bytes]:
    """JPEGs of 667 × 500 pixels, some 100 kB."""
    return [_enlarged(file, (667, 500), 87) for file in _files()]


def large_photos() -> list[bytes]:
    """JPEGs of 4000 × 3000 pixels, 3 to 4 MB; a few, since each takes a second to make."""
    return [_enlarged(file, (4000, 3000), 90) for file in _files()[:4]]
