"""Test that a visitor can say what a photo shows, if the service keeps photos."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from google.cloud import storage
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Service, Visit, serving
from tests.browser.visitor import choose, wait
from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import EmulatedStorage


@pytest.fixture(scope="module")
def bucket() -> Iterator[storage.Bucket]:
    """Return a bucket for photos."""
    with EmulatedStorage():
        yield storage.Client().create_bucket(f"garden-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="module")
def archiving(bucket: storage.Bucket) -> Iterator[Service]:
    """Return a function that keeps photos."""
    url = os.environ["STORAGE_EMULATOR_HOST"]
    with serving(REJECT_BELOW="0", ARCHIVE_BUCKET=bucket.name, STORAGE_EMULATOR_HOST=url) as service:
        yield service


def corrections(bucket: storage.Bucket) -> list[dict[str, Any]]:
    """Return the stored corrections."""
    blobs = bucket.list_blobs()
    return [json.loads(blob.download_as_bytes()) for blob in blobs if ".correction" in blob.name]


def send(page: Page, text: str) -> None:
    """Send the form until the photo has arrived in the archive, and expect `text`."""
    told = page.locator("#corrected")
    for _ in range(20):
        page.locator("#correction button").click()
        expect(told).not_to_have_text("")
        if told.text_content() == text:
            return
        time.sleep(0.5)
    expect(told).to_have_text(text)


def refusing(status: int) -> Callable[[Route], None]:
    """Return what answers a request with an error."""
    return lambda route: route.fulfill(status=status, json={})


def clear(bucket: storage.Bucket) -> None:
    """Delete all that the bucket holds."""
    for blob in list(bucket.list_blobs()):
        blob.delete()


def test_visitor_corrects_by_kind_then_by_text(
    visit: Visit, archiving: Service, bucket: storage.Bucket, rose: bytes
) -> None:
    clear(bucket)
    page = visit.open(service=archiving)
    expect(page.locator(".intake .hint")).to_contain_text("The service keeps the photos that you send.")
    choose(page, ("rose.jpg", rose))
    page.locator("#correction summary").click()
    page.get_by_label("One of the flowers I know").select_option(value="oxeye daisy")
    expect(page.get_by_label("Any other name")).to_be_disabled()
    send(page, "Thank you. Your answer is kept with the photo.")
    (stored,) = corrections(bucket)
    assert (stored["label"], stored["text"]) == ("oxeye daisy", None)
    page.get_by_label("One of the flowers I know").select_option(value="")
    page.get_by_label("Any other name").fill("  <b>Bellis</b> perennis ")
    send(page, "Thank you. Your answer is kept with the photo.")
    (stored,) = corrections(bucket)
    assert (stored["label"], stored["text"]) == (None, "<b>Bellis</b> perennis")


def test_all_photos_of_a_plant_are_corrected(
    visit: Visit, archiving: Service, bucket: storage.Bucket, rose: bytes, lily: bytes
) -> None:
    clear(bucket)
    page = visit.open(service=archiving)
    choose(page, ("rose.jpg", rose))
    page.set_input_files("#another", [{"name": "lily.png", "mimeType": "", "buffer": lily}])
    wait(page)
    page.locator("#correction summary").click()
    page.get_by_label("Any other name").fill("Bellis")
    send(page, "Thank you. Your answer is kept with the photo.")
    assert len(corrections(bucket)) == 2


def test_faults_of_a_correction_are_told_in_spanish(visit: Visit, archiving: Service) -> None:
    page = visit.open("?lang=es", service=archiving)
    choose(page, ("nueva.png", encode(draw_flower(331, 331), "PNG")))
    page.locator("#correction summary").click()
    send(page, "Elige una flor o escribe un nombre.")
    page.get_by_label("Cualquier otro nombre").fill("margarita")
    for status, text in (
        (404, "La foto aún no está guardada. Espera unos segundos y envíalo otra vez."),
        (429, "No se ha podido guardar. Inténtalo de nuevo en un minuto."),
    ):
        page.route("**/corrections", refusing(status))
        page.locator("#correction button").click()
        expect(page.locator("#corrected")).to_have_text(text)
        page.unroute("**/corrections")
    page.get_by_label("English").click()
    expect(page.locator("#corrected")).to_have_text("That could not be stored. Try again in a minute.")
    expect(page.get_by_label("Any other name")).to_have_value("margarita")


def test_correction_works_by_keyboard_and_for_axe(visit: Visit, archiving: Service, rose: bytes) -> None:
    page = visit.open(service=archiving, width=320, color_scheme="dark", reduced_motion="reduce", bypass_csp=True)
    choose(page, ("rose.jpg", rose))
    page.locator("#correction summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#kind")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Bellis perennis")
    page.keyboard.press("Enter")
    expect(page.locator("#corrected")).not_to_have_text("")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_nothing_is_corrected_without_an_archive(page: Page, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    expect(page.locator("#correction")).to_have_count(0)
