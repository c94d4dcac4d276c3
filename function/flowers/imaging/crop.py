"""Choose the part of a photo that a model sees."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Left, top, right, bottom in pixels.
Box = tuple[float, float, float, float]


class InputRule(NamedTuple):
    """Define the part of a photo that the model sees, and its size in pixels.

    `crop`: the middle part of the target's shape, `fraction` (0..1] of the largest such part. `stretch`: all of it.
    """

    height: int
    width: int
    mode: Literal["crop", "stretch"] = "crop"
    fraction: float = 1.0

    def box(self, width: int, height: int, target: tuple[int, int]) -> Box:
        """Return the part of a `width` × `height` image that fills `target` (width, height)."""
        if self.mode == "stretch":
            return 0, 0, width, height
        scale = min(width / target[0], height / target[1]) * self.fraction
        # Rounding must not leave the image: Pillow refuses a box that begins below 0.
        left, top = max(0.0, (width - target[0] * scale) / 2), max(0.0, (height - target[1] * scale) / 2)
        return left, top, width - left, height - top


def middle(pixels: NDArray[np.uint8], fraction: float) -> NDArray[np.uint8]:
    """Return the middle `fraction` (0..1) of each side of `pixels`, uint8 [H, W, 3], enlarged to the same size."""
    height, width = pixels.shape[:2]
    left, top = width * (1 - fraction) / 2, height * (1 - fraction) / 2
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box=box))
