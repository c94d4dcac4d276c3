"""Test that the page names photographs which the model was never trained on, with the model's own threshold."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Service, Visit, serving
from tests.browser.visitor import choose, verdict
from tests.support.paths import ELSEWHERE

pytestmark = pytest.mark.skipif(not ELSEWHERE.is_dir(), reason="needs the photographs in ../shared/flowers-elsewhere")


@pytest.fixture(scope="module")
def calibrated() -> Iterator[Service]:
    """Provide the function as it is deployed."""
    with serving() as service:
        yield service


@pytest.mark.parametrize(
    ("photo", "name"),
    [
        ("054/tf5_0043.jpg", "sunflower"),
        ("050/tf5_0098.jpg", "common dandelion"),  # its clock of seeds
        ("050/avi14_0101.jpg", "common dandelion"),
        ("103/avi14_0042.jpg", "tulip"),
    ],
)
def test_photograph_from_elsewhere_is_named(visit: Visit, calibrated: Service, photo: str, name: str) -> None:
    page = visit.open(service=calibrated)
    choose(page, ("photo.jpg", (ELSEWHERE / "valid" / photo).read_bytes()))
    expect(verdict(page)).to_have_text(name)
    expect(page.locator(".scientific")).not_to_be_empty()
