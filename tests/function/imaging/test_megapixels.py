"""Test that photos of 50, 108 and 200 megapixels, as phones take them, pass the default limits."""

import pytest

from flowers.errors import ImageFacts, InputError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.header import read_header
from flowers.imaging.memory import PixelBudget
from flowers.settings import Settings
from tests.support.drawn_flower import encode
from tests.support.pictures import claim_size, draw_picture

DEFAULTS = Settings()
# One block of each component, "no change of the mean" and "end of block": 14 bits, of which four make whole bytes.
FOUR_BLOCKS = int(("001010" + "0000" + "0000") * 4, 2).to_bytes(7, "big")


def flat_jpeg(width: int, height: int) -> bytes:
    """Return a baseline JPEG of one colour, made without its pixels."""
    header = encode(draw_picture(16, 16), "JPEG", subsampling=0)
    header = claim_size("JPEG", header, width, height)
    start = header.index(b"\xff\xda")
    blocks = -(-width // 8) * -(-height // 8)
    return header[: start + 14] + FOUR_BLOCKS * (blocks // 4 + 1) + b"\xff\xd9"


@pytest.mark.parametrize("size", [(12_000, 9_000), (16_320, 12_240)], ids=["108", "200"])
def test_baseline_jpeg_of_many_megapixels_is_shown(size: tuple[int, int]) -> None:
    budget = PixelBudget(4_000_000)  # an eighth of each side is decoded
    decoded = decode(flat_jpeg(*size), InputRule(224, 224), DEFAULTS.max_image_pixels, budget)
    assert decoded.facts == ImageFacts("JPEG", *size)
    assert (decoded.pixels == 128).all()


@pytest.mark.parametrize(
    ("format", "options"), [("JPEG", {"progressive": True}), ("HEIF", {}), ("AVIF", {}), ("PNG", {})]
)
def test_50_megapixels_fit_the_budget_in_any_format(format: str, options: dict[str, bool]) -> None:
    data = encode(draw_picture(), format, **options)
    header = read_header(claim_size(format, data, 8192, 6144))
    assert header.held == 8192 * 6144 <= DEFAULTS.pixel_budget


def test_100_megapixels_held_whole_are_too_large() -> None:
    data = claim_size("JPEG", encode(draw_picture(), "JPEG", progressive=True), 12_000, 9_000)
    with pytest.raises(InputError) as caught:
        decode(data, InputRule(224, 224), DEFAULTS.max_image_pixels, PixelBudget(DEFAULTS.pixel_budget))
    assert caught.value.reason == "IMAGE_TOO_LARGE"
    assert caught.value.facts == ImageFacts("JPEG", 12_000, 9_000)
