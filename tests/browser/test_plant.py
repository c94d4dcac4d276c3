"""Test that several photos of one plant, added one after the other, get one answer."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.visitor import candidates, choose, tabs, verdict, wait
from tests.support.drawn_flower import draw_flower, encode

OTHER = encode(draw_flower(500, 420), "JPEG", quality=90)


def add(page: Page, *photos: bytes, name: str = "other.jpg") -> None:
    """Add photos to the plant that is shown, and wait for the answer."""
    files: list[Any] = [{"name": name, "mimeType": "", "buffer": data} for data in photos]
    page.set_input_files("#another", files)
    wait(page)


def test_another_photo_gives_one_answer_from_both(page: Page, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    with page.expect_response(lambda response: "fuse=1" in response.url) as answer:
        add(page, OTHER)
    document = answer.value.json()
    assert len(document["images"]) == 2
    expect(page.locator("#of-plant")).to_have_text("From 2 photos of this plant.")
    expect(verdict(page)).to_have_text(document["species"]["names"]["en"])
    expect(candidates(page)).to_have_count(5)
    expect(tabs(page)).to_have_count(1)


def test_plant_takes_five_photos_at_most(page: Page, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    add(page, *[OTHER] * 6)
    expect(page.locator("#of-plant")).to_have_text("From 5 photos of this plant.")
    expect(page.locator("#another")).to_have_count(0)


def test_invalid_photo_leaves_the_answer_as_it_was(page: Page, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    before = verdict(page).text_content()
    add(page, b"no image")
    expect(page.locator("#unused")).to_contain_text("This is not a picture I can read")
    expect(page.locator("#of-plant")).to_have_count(0)
    assert verdict(page).text_content() == before
    add(page, OTHER)
    expect(page.locator("#of-plant")).to_have_text("From 2 photos of this plant.")
    expect(page.locator("#unused")).to_have_count(0)


def test_curl_line_sends_all_photos_of_a_plant(page: Page, rose: bytes, tmp_path: Path) -> None:
    names = ('it\'s "a" \\ b;c.jpg', "other, 2.jpg")
    choose(page, (names[0], rose))
    add(page, OTHER, name=names[1])
    line = page.locator("#curl").text_content() or ""
    assert shlex.split(line)[0] == "curl"
    for name, data in zip(names, (rose, OTHER), strict=True):
        (tmp_path / name).write_bytes(data)
    answer = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=True).stdout  # noqa: S607
    document = json.loads(answer)
    assert [image["bytes"] for image in document["images"]] == [len(rose), len(OTHER)]
