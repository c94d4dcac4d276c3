"""Share a small data set of drawn flowers among the tests of the export."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.training.dataset import Dataset, load_dataset

COLOURS = {"001": (200, 40, 60), "002": (60, 60, 210), "003": (230, 210, 60)}


def _draw(folder: Path, colour: tuple[int, int, int], number: int) -> None:
    random = np.random.default_rng(number)
    pixels = random.integers(0, 90, (110, 140, 3), dtype=np.uint8)
    y, x = np.mgrid[0:110, 0:140]
    pixels[(x - random.integers(50, 90)) ** 2 + (y - random.integers(40, 70)) ** 2 < 30**2] = colour
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"image_{number:05}.jpg")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return three classes of coloured discs: 3 × 50 to train with (less the holdout), 3 × 4 to test."""
    root = tmp_path_factory.mktemp("discs")
    for number, (folder, colour) in enumerate(COLOURS.items()):
        for index in range(54):
            split = "train" if index < 50 else "valid"
            _draw(root / split / folder, colour, number * 100 + index)
    (root / "classes.json").write_text(json.dumps({"001": "red disc", "002": "blue disc", "003": "yellow disc"}))
    return load_dataset([root])
