"""Test that the part of a photo that the model sees lies within the photo, whatever its size."""

import pytest

from flowers.imaging.crop import InputRule


@pytest.mark.parametrize("fraction", [1.0, 0.95])
@pytest.mark.parametrize("target", [(224, 224), (192, 320), (7, 3)])
def test_box_stays_within_the_photo(target: tuple[int, int], fraction: float) -> None:
    rule = InputRule(target[1], target[0], "crop", fraction)
    for width in range(1, 700, 3):
        for height in (1, 2, 37, 161, 224, 375, 500, 667):
            left, top, right, bottom = rule.box(width, height, target)
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
