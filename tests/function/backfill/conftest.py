"""Share a folder of photographs among the tests of the backfill."""

from pathlib import Path

import pytest

from tests.support.upload_server import photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of photos as on a laptop, with other files between them."""
    folder = tmp_path / "photos"
    for name in ("rose.jpg", "trip/rose (1).JPG", "trip/2025/lily", "señora 🌷.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo(len(name)))
    (folder / "broken.jpg").write_bytes(photo(1)[:900])
    (folder / "notes.txt").write_text("no image")
    (folder / "README").write_text("no image, whatever its name claims")
    for hidden in (".hidden.jpg", ".thumbnails/rose.jpg"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(photo(2))
    return folder
