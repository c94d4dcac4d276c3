"""Test the review page: decisions by keyboard, strangers' text shown as text, and the file that is saved."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from export.review.run import CollectOptions, run
from tests.support.archives import Kept, in_folder, keep

HOSTILE = "</script><img src=x onerror=alert(1)>"
NAMED = keep(1, correction={"label": "sunflower", "comment": "<b>sown in May</b>"})
DESCRIBED = keep(2, 0.8, correction={"text": HOSTILE, "comment": "{{data}} & \u2028"})
UNSURE = [keep(number, number / 20) for number in range(3, 8)]


@pytest.fixture
def review(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Open the page of seven photos from the disk; no script or policy may complain, nothing else may be loaded."""
    run(CollectOptions(tmp_path / "out", str(in_folder(tmp_path / "archive", NAMED, DESCRIBED, *UNSURE))))
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
    page.on("console", lambda line: complaints.append(line.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "out" / "review" / "index.html").as_uri())
    yield page
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []


def saved(page: Page, file: Path) -> dict[str, Any]:
    """Save the decisions by their key, and return them."""
    with page.expect_download() as download:
        page.keyboard.press("w")
    assert download.value.suggested_filename == "decisions.json"
    download.value.save_as(file)
    document: dict[str, Any] = json.loads(file.read_text())
    assert document["schema"] == "flowers.decisions/v1"
    decisions: dict[str, Any] = document["decisions"]
    return decisions


def go_to(page: Page, photo: Kept) -> None:
    """Walk to a photo by keyboard."""
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    while photo.digest not in str(page.get_attribute("#picture", "src")):
        page.keyboard.press("ArrowRight")


def test_keys_decide_about_every_photo(review: Page, tmp_path: Path) -> None:
    go_to(review, NAMED)
    review.keyboard.press("Enter")
    for photo, key in zip(UNSURE, "2dfgh", strict=True):
        go_to(review, photo)
        review.keyboard.press(key)
    go_to(review, DESCRIBED)
    review.keyboard.press("Enter")  # there is nothing to accept, so another label is asked for
    review.fill("#label", "Helianthus Annuus")
    review.keyboard.press("Enter")
    assert review.inner_text("#progress") == "7 decided"
    decided = saved(review, tmp_path / "decisions.json")
    assert [decided[photo.digest] for photo in (NAMED, DESCRIBED, *UNSURE)] == [
        {"label": "sunflower"},
        {"label": "sunflower"},
        {"label": "sunflower"},
        {"discard": True},
        {"other": "other-flowers"},
        {"other": "plants-without-flowers"},
        {"other": "scenes"},
    ]
    run(CollectOptions(tmp_path / "out", decisions=tmp_path / "decisions.json"))
    assert len([*(tmp_path / "out").glob("*/sunflower/*.jpg")]) == 3


def test_texts_of_strangers_are_shown_as_text(review: Page) -> None:
    go_to(review, DESCRIBED)
    assert review.inner_text("#said") == HOSTILE
    assert "{{data}} &" in review.inner_text("#comment")
    go_to(review, NAMED)
    assert (review.inner_text("#said"), review.inner_text("#comment")) == ("sunflower", "<b>sown in May</b>")
    assert review.locator("img").count() == 1


def test_new_kind_needs_a_second_enter(review: Page, tmp_path: Path) -> None:
    go_to(review, UNSURE[0])
    review.keyboard.press("l")
    review.fill("#label", "Bellis perennis")
    review.keyboard.press("Enter")
    assert "is not in the catalogue" in review.inner_text("#hint")
    assert saved_by_click(review, tmp_path) == {}
    review.focus("#label")
    review.keyboard.press("Enter")
    assert saved_by_click(review, tmp_path) == {UNSURE[0].digest: {"label": "Bellis perennis"}}


def saved_by_click(page: Page, folder: Path) -> dict[str, Any]:
    """Save the decisions by the button, and return them."""
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(folder / "clicked.json")
    decisions: dict[str, Any] = json.loads((folder / "clicked.json").read_text())["decisions"]
    return decisions


def test_decisions_outlive_a_closed_page(review: Page, tmp_path: Path) -> None:
    go_to(review, UNSURE[0])
    review.keyboard.press("d")
    go_to(review, UNSURE[1])
    review.keyboard.press("d")
    go_to(review, UNSURE[1])
    review.keyboard.press("u")
    review.reload()
    assert saved(review, tmp_path / "decisions.json") == {UNSURE[0].digest: {"discard": True}}


def test_photo_is_seen(review: Page) -> None:
    assert review.evaluate("document.getElementById('picture').decode().then(() => true)")
    assert review.evaluate("document.getElementById('picture').naturalWidth") > 0
