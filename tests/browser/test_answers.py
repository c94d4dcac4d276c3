"""Test that photos chosen, dropped or pasted get their species, or an error in plain words."""

import hashlib
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Service, Visit, serving
from tests.browser.visitor import candidates, choose, hand_over, tabs, verdict, wait
from tests.support.drawn_flower import draw_flower, encode
from tests.support.pictures import oriented


def sent_by(page: Page, name: str, data: bytes) -> bytes:
    """Return the bytes that the page sends to the classifier for a file."""
    page.evaluate(
        """() => {
            const ask = window.fetch;
            window.fetch = (address, options) => ask(address, { ...options, body: (window.sent = options.body) });
        }"""
    )
    with page.expect_response(lambda response: response.request.method == "POST") as found:
        choose(page, (name, data))
    sent = bytes(page.evaluate("async () => [...new Uint8Array(await window.sent.arrayBuffer())]"))
    assert found.value.json()["image"]["sha256"] == hashlib.sha256(sent).hexdigest()
    return sent


def expect_answer(page: Page, document: dict[str, Any], language: str = "en") -> None:
    """Fail unless the page shows the document's content."""
    best = document["predictions"][0]
    expect(verdict(page)).to_have_text(document["species"]["names"][language])
    expect(page.locator(".scientific")).to_have_text(best["scientific_name"])
    expect(page.locator(".candidates .name")).to_have_text([each["name"] for each in document["predictions"]])
    shares = page.locator(".candidates .bar span").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width / bar.parentElement.clientWidth)"
    )
    for share, prediction in zip(shares, document["predictions"], strict=True):
        assert share == pytest.approx(max(prediction["confidence"], 0), abs=0.03)


def test_chosen_photo_is_named(page: Page, service: Service, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    document = service.ask(rose)
    expect_answer(page, document)
    percent = round(document["confidence"] * 100)
    expect(page.locator(".sure")).to_have_text(
        re.compile(rf"^(Perhaps|Likely|Very likely|Almost certain) · {percent}%$")
    )
    expect(page.locator("#live")).to_have_text(re.compile(f"^rose.jpg: {document['species']['names']['en']}, "))
    expect(page.get_by_alt_text("Your photo rose.jpg")).to_be_visible()
    assert page.evaluate("() => document.querySelector('#photo img').naturalWidth") == 400


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_dropped_or_pasted_photo_is_named(page: Page, service: Service, rose: bytes, event: str) -> None:
    hand_over(page, event, ("rose.jpg", rose))
    expect_answer(page, service.ask(rose))


def test_dropped_text_says_no_file(page: Page) -> None:
    page.evaluate(
        "() => document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: new DataTransfer(), bubbles: true}))"
    )
    expect(page.locator("#live")).to_have_text(re.compile("^There was no file"))
    expect(tabs(page)).to_have_count(0)


def test_small_photo_is_sent_unchanged(page: Page, rose: bytes) -> None:
    assert sent_by(page, "rose.jpg", rose) == rose


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_large_photo_is_scaled_and_upright(page: Page, service: Service, orientation: int) -> None:
    upright = draw_flower(1200, 1600)
    sent = sent_by(page, "large.jpg", oriented(upright, "JPEG", orientation))
    picture = Image.open(io.BytesIO(sent))
    assert (picture.format, picture.size) == ("JPEG", (768, 1024))
    assert picture.getexif().get(0x0112, 1) == 1
    difference = np.asarray(picture, int) - np.asarray(upright.resize((768, 1024)), int)
    assert np.abs(difference).mean() < 3
    expect_answer(page, service.ask(sent))


def test_small_turned_photo_is_shown_upright(page: Page, service: Service) -> None:
    data = oriented(draw_flower(300, 400), "JPEG", 6)
    assert sent_by(page, "turned.jpg", data) == data
    expect_answer(page, service.ask(data))
    frame = page.locator("#photo").bounding_box()
    assert frame and frame["width"] / frame["height"] == pytest.approx(3 / 4, abs=0.01)


def test_scaled_transparent_picture_gets_white(page: Page) -> None:
    picture = Image.new("RGBA", (900, 900), (0, 0, 0, 0))
    sent = Image.open(io.BytesIO(sent_by(page, "glass.png", encode(picture, "PNG")))).convert("RGB")
    assert sent.getpixel((400, 400)) == (255, 255, 255)


def test_undecodable_file_is_sent_unchanged(page: Page, service: Service) -> None:
    heic = encode(draw_flower(1600, 1200), "HEIF")
    assert sent_by(page, "phone.heic", heic) == heic
    expect_answer(page, service.ask(heic))
    expect(page.locator("#photo")).to_contain_text("cannot show this kind of file")


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"no image at all", "This is not a picture I can read"),
        (b"", "This file is empty"),
        (encode(draw_flower(), "JPEG")[:2000], "This picture is damaged"),
    ],
    ids=["text", "empty", "truncated"],
)
def test_broken_file_shows_error_others_go_on(
    page: Page, service: Service, rose: bytes, data: bytes, title: str
) -> None:
    choose(page, ("broken.jpg", data))
    expect(verdict(page)).to_have_text(title)
    expect(page.locator("#words")).to_contain_text("broken.jpg")
    expect(page.locator("#live")).to_have_text(f"broken.jpg: {title}")
    expect(page.locator("#terminal")).to_be_hidden()
    choose(page, ("rose.jpg", rose))
    expect_answer(page, service.ask(rose))


def test_far_too_large_file_is_not_sent(page: Page, visit: Visit) -> None:
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(33 * 1024 * 1024)], "film.mov"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }"""
    )
    wait(page)
    expect(verdict(page)).to_have_text("This picture is too large")
    assert not [url for url in visit.asked if "heatmap" in url]


def test_offline_photo_can_be_retried(page: Page, service: Service, rose: bytes) -> None:
    page.route("**/?*", lambda route: route.abort())
    choose(page, ("rose.jpg", rose))
    expect(verdict(page)).to_have_text("No answer from the classifier")
    page.unroute("**/?*")
    page.get_by_role("button", name="Try again").click()
    wait(page)
    expect_answer(page, service.ask(rose))


@pytest.mark.parametrize(("status", "title"), [(503, "Very busy just now"), (500, "Something went wrong on my side")])
def test_answer_without_document_is_explained(page: Page, rose: bytes, status: int, title: str) -> None:
    page.route("**/?*", lambda route: route.fulfill(status=status, body="<h1>Service Unavailable</h1>"))
    choose(page, ("rose.jpg", rose))
    expect(verdict(page)).to_have_text(title)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_several_photos_show_progress(page: Page, service: Service, rose: bytes, lily: bytes) -> None:
    held: list[Route] = []
    free = False

    def hold(route: Route) -> None:
        if free:
            route.continue_()
        else:
            held.append(route)

    page.route("**/?*", hold)
    files = (("rose.jpg", rose), ("broken.jpg", b"no image"), ("lily.png", lily))
    page.set_input_files("#choose", [{"name": name, "mimeType": "", "buffer": data} for name, data in files])
    expect(page.locator("#progress")).to_contain_text("0 of 3")
    expect(page.locator("#progress")).to_be_visible()
    expect(page.locator("#progress-bar")).to_have_js_property("max", 3)
    while not held:
        page.wait_for_timeout(20)
    held.pop(0).continue_()
    expect(page.locator("#progress")).to_contain_text("1 of 3")
    free = True
    for route in held:
        route.continue_()
    wait(page)

    expect(tabs(page)).to_have_count(3)
    expect_answer(page, service.ask(rose))
    tabs(page).nth(1).click()
    expect(verdict(page)).to_have_text("This is not a picture I can read")
    tabs(page).nth(2).click()
    expect_answer(page, service.ask(lily))
    expect(tabs(page).nth(2)).to_have_attribute("aria-current", "true")


def test_unidentified_picture_is_an_answer(visit: Visit, rose: bytes) -> None:
    with serving(REJECT_BELOW="1") as service:
        page = visit.open(service=service)
        choose(page, ("chair.jpg", rose))
        expect(verdict(page)).to_have_text("None of the flowers I know")
        expect(verdict(page)).not_to_have_class(re.compile("fault"))
        expect(page.locator("#words")).to_contain_text(f"any of the {len(service.species())} flowers")
        expect(candidates(page)).to_have_count(5)
        expect(page.locator("#live")).to_have_text("chair.jpg: None of the flowers I know")


def test_history_stays_in_the_page(page: Page, rose: bytes, lily: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    choose(page, ("lily.png", lily))
    expect(tabs(page)).to_have_count(2)
    assert page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.reload()
    expect(page.locator("#choose")).to_be_attached()
    expect(tabs(page)).to_have_count(0)
