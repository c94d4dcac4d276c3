"""Make the README's picture of the page: PYTHONPATH=function .venv/browser/bin/python -m tests.browser.screenshot

The sunflower is drawn here, so that nobody owns the picture.
"""

import io
import shutil
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, serving
from tests.browser.visitor import candidates, choose
from tests.support.drawn_flower import encode

PICTURE = Path(__file__).with_name("screenshot.jpg")
_WIDTH, _HEIGHT = 1200, 900
_PETALS = 21
_RADIUS = 0.36  # of the picture's height
_HEART = 0.4  # of the flower's radius

Pixels = NDArray[np.float64]


def _meadow(random: np.random.Generator) -> Pixels:
    """Draw greens out of focus."""
    coarse = (random.random((7, 10)) * 160 + 40).astype(np.uint8)
    light = np.asarray(Image.fromarray(coarse).resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC), float) / 255
    return light[..., np.newaxis] * (105, 190, 85)


def _petals(pixels: Pixels, x: Pixels, y: Pixels, random: np.random.Generator) -> Pixels:
    """Return three rings of pointed yellow petals; x and y are distances from the heart in heights of the picture."""
    for start, shade, length in ((0.0, 0.80, 1.0), (np.pi / _PETALS, 0.95, 0.95), (0.12, 1.05, 0.86)):
        for number in range(_PETALS):
            angle = start + 2 * np.pi * number / _PETALS + random.normal(0, 0.05)
            reach, breadth = _RADIUS * length * random.normal(1, 0.06), _RADIUS * 0.17 * random.normal(1, 0.12)
            along = ((x * np.cos(angle) + y * np.sin(angle)) / reach).clip(0, 1)
            across = np.abs(y * np.cos(angle) - x * np.sin(angle))
            half = breadth * np.sin(np.pi * along**0.75) ** 0.8
            edge = across / np.maximum(half, 1e-6)
            light = shade * random.normal(1, 0.05) * (1 - 0.3 * edge**2) * (0.72 + 0.38 * along)
            light *= 1 - 0.1 * np.cos(14 * edge) ** 2
            colour = np.stack([246 * light, 190 * light * (0.8 + 0.25 * along), 20 * light], axis=-1)
            cover = ((half - across) * _HEIGHT / 1.2).clip(0, 1)[..., np.newaxis]
            pixels = pixels * (1 - cover) + colour * cover
    return pixels


def _heart(pixels: Pixels, x: Pixels, y: Pixels) -> Pixels:
    """Return a brown disc with florets in the spirals of the golden angle (H. Vogel, 1979)."""
    radius = _RADIUS * _HEART
    distance = np.hypot(x, y)
    brown = np.stack([level * (1.2 - 0.5 * distance / radius) for level in (70, 38, 16)], axis=-1)
    cover = ((radius - distance) * _HEIGHT / 2).clip(0, 1)[..., np.newaxis]
    pixels = pixels * (1 - cover) + brown * cover
    for number in range(520):
        share, angle = np.sqrt((number + 0.5) / 520), number * np.pi * (3 - np.sqrt(5))
        square = (x - radius * share * np.cos(angle)) ** 2 + (y - radius * share * np.sin(angle)) ** 2
        colour = (150, 95, 30) if share > 0.62 else (92, 96, 38) if share < 0.33 else (80, 44, 18)
        dot = 0.75 * np.exp(-square * _HEIGHT**2 / 10)[..., np.newaxis]
        pixels = pixels * (1 - dot) + np.array(colour) * dot
    return pixels


def draw_sunflower() -> Image.Image:
    """Return a drawn sunflower that the bundled model recognizes."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(float)
    x, y = (x - _WIDTH / 2) / _HEIGHT, (y - _HEIGHT / 2) / _HEIGHT
    pixels = _heart(_petals(_meadow(random), x, y, random), x, y)
    pixels *= (1.06 - 0.25 * np.hypot(x + 0.1, y + 0.15))[..., np.newaxis]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


def main() -> None:
    """Write the picture. Needs Chromium."""
    chromium = shutil.which("chromium") or sys.exit("needs Chromium: apt-get install chromium")
    with serving() as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 800}, locale="en-GB", reduced_motion="reduce")
        page.goto(service.url)
        page.wait_for_selector("#species-list li", state="attached")
        choose(page, ("sunflower.jpg", encode(draw_sunflower(), "JPEG", quality=92)))
        candidates(page).first.click()
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    shot.save(PICTURE, quality=88, subsampling=0, optimize=True)


if __name__ == "__main__":
    main()
