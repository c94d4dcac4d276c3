"""Test the page for everyone: two languages, the keyboard, screen readers, any width, names that look like HTML."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FileChooser, Page, expect

from tests.browser.conftest import Service, Visit, serving
from tests.browser.visitor import candidates, choose, heat, tabs, verdict

HOSTILE = "<img src=x onerror=alert(1)>"


def test_page_has_the_language_of_the_browser(visit: Visit) -> None:
    expect(visit.open(locale="es-MX").locator("h1")).to_have_text("¿Qué flor es esta?")
    expect(visit.open(locale="fr-FR").locator("h1")).to_have_text("What flower is this?")


def test_lang_in_address_beats_browser_language(visit: Visit) -> None:
    page = visit.open("?lang=es", locale="en-GB")
    expect(page.locator("h1")).to_have_text("¿Qué flor es esta?")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(visit.open("?lang=xx", locale="es").locator("h1")).to_have_text("¿Qué flor es esta?")


def test_language_switch_translates_without_request(page: Page, visit: Visit, service: Service, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose), ("broken.jpg", b"no image"))
    candidates(page).first.click()
    asked = [url for url in visit.asked if "heatmap" in url]
    page.get_by_role("button", name="Español").click()
    spanish = service.ask(rose, "lang=es")
    expect(verdict(page)).to_have_text(spanish["species"]["names"]["es"])
    expect(page.locator(".candidates .name")).to_have_text([each["name"] for each in spanish["predictions"]])
    expect(page.locator("#where")).to_have_text(re.compile("^(Los indicios|Nada en la foto)"))
    expect(tabs(page).nth(1)).to_contain_text("No es una imagen que pueda leer")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("#curl")).to_contain_text("lang=es")
    assert heat(page) is not None
    assert [url for url in visit.asked if "heatmap" in url] == asked != []
    assert page.url.endswith("?lang=es")
    page.reload()
    expect(page.locator("h1")).to_have_text("¿Qué flor es esta?")


def test_both_languages_say_the_same_things(page: Page) -> None:
    keys: list[list[str]] = page.evaluate(
        "() => Object.values(TEXTS).map(texts => [...Object.keys(texts), ...Object.keys(texts.errors)])"
    )
    assert keys[0] == keys[1]


def test_species_are_found_by_any_name(page: Page, service: Service) -> None:
    listed = page.locator("#species-list li")
    page.locator("#species summary").click()
    count = len(service.species())
    expect(page.locator("#species summary")).to_have_text(f"The {count} flowers I know")
    expect(listed).to_have_count(count)
    for wanted in ("passion", "PASSIFLORA", "flor de la pasion", " pasión ", "passifloraceae"):
        page.get_by_label("Find a flower").fill(wanted)
        expect(listed).to_have_count(1)
        expect(listed).to_have_text("passion flower Passiflora genus")
        expect(page.locator("#found")).to_have_text(f"1 of {count}")
    page.get_by_label("Find a flower").fill("zzz")
    expect(page.locator("#found")).to_have_text(f"0 of {count}")


@pytest.mark.parametrize(
    ("language", "family", "genus", "group"),
    [
        (
            "en",
            "Family Rosaceae",
            "a genus: the name stands for several species",
            "a group: the name stands for several similar kinds",
        ),
        (
            "es",
            "Familia Rosaceae",
            "un género: el nombre abarca varias especies",
            "un grupo: el nombre abarca varias especies parecidas",
        ),
    ],
)
def test_answer_shows_family_rank_and_taxon(
    visit: Visit, service: Service, rose: bytes, language: str, family: str, genus: str, group: str
) -> None:
    page = visit.open(f"?lang={language}")
    document = service.ask(rose)
    document["species"].update(family="Rosaceae", rank="genus", inaturalist_taxon_id=53438)
    page.route("**/?*", lambda route: route.fulfill(json=document))
    choose(page, ("rose.jpg", rose))
    expect(page.locator(".plant").first).to_have_text(f"{family} · {genus}")
    expect(page.locator("#taxon")).to_have_attribute("href", "https://www.inaturalist.org/taxa/53438")
    document["species"].update(rank="group", inaturalist_taxon_id=None)
    choose(page, ("daisy.jpg", rose))
    expect(page.locator(".plant")).to_have_text(f"{family} · {group}")
    expect(page.locator("#taxon")).to_have_count(0)


@pytest.mark.parametrize("name", ["rose.jpg", "it's a $(touch x) `rose`.jpg", HOSTILE + ".jpg", 'a "b" \\ c.jpg', "-"])
def test_curl_line_gives_the_same_answer(page: Page, visit: Visit, rose: bytes, tmp_path: Path, name: str) -> None:
    visit.contexts[0].grant_permissions(["clipboard-read", "clipboard-write"])
    choose(page, (name, rose))
    page.locator("#terminal summary").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copy")).to_have_text("Copied.")
    line: str = page.evaluate("() => navigator.clipboard.readText()")
    assert page.locator("#curl").inner_text() == line
    assert shlex.split(line)[0] == "curl"
    (tmp_path / name).write_bytes(rose)
    answer = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=True).stdout  # noqa: S607
    document = json.loads(answer)
    assert document["species"]["names"]["en"] == verdict(page).text_content()
    assert "heatmap" in document["predictions"][0]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_page_works_by_keyboard_alone(page: Page, rose: bytes) -> None:
    def press_until(selector: str, key: str = "Tab") -> None:
        for _ in range(40):
            page.keyboard.press(key)
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"{selector} is not reached")

    choosers: list[FileChooser] = []

    def keep(chooser: FileChooser) -> None:
        choosers.append(chooser)

    page.on("filechooser", keep)
    press_until("[data-language=es]")
    press_until("#choose")
    outline = page.evaluate("() => getComputedStyle(document.activeElement.parentElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    with page.expect_request(lambda request: request.method == "POST"):
        while not choosers:
            page.wait_for_timeout(20)
        choosers[0].set_files([{"name": "rose.jpg", "mimeType": "image/jpeg", "buffer": rose}])
    expect(candidates(page)).to_have_count(5)
    press_until(".candidates li:nth-child(2) button")
    page.keyboard.press("Enter")
    assert heat(page) is not None
    page.keyboard.press("Escape")
    assert heat(page) is None
    page.keyboard.press("Space")
    assert heat(page) is not None
    press_until("#terminal summary")
    page.keyboard.press("Enter")
    press_until("#copy")
    press_until("#strip button")
    press_until("#species summary")
    page.keyboard.press("Enter")
    press_until("#filter")
    page.keyboard.type("sunflower")
    expect(page.locator("#found")).to_have_text(re.compile(r"^[12] of \d+$"))
    press_until("[data-language=en]", "Shift+Tab")


def hostile(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with HTML in all of its texts."""
    for prediction in document["predictions"]:
        prediction.update(label=HOSTILE, name=HOSTILE, scientific_name=HOSTILE)
    document["species"] = hostile_species()
    return document


def hostile_species() -> dict[str, Any]:
    """Return a species with HTML in all of its facts."""
    texts = dict.fromkeys(("label", "scientific_name", "rank", "family", "order", "inaturalist_taxon_id"), HOSTILE)
    return {**texts, "names": {"en": HOSTILE, "es": HOSTILE}}


def expect_no_html(page: Page) -> None:
    """Fail if a hostile text became an element. `visit` fails if a dialog came up."""
    page.wait_for_timeout(100)
    assert page.evaluate("() => document.querySelectorAll('[src=x], [onerror], body h1 ~ h1').length") == 0


def test_file_name_is_never_html(page: Page, rose: bytes) -> None:
    choose(page, (HOSTILE + ".jpg", rose), (HOSTILE + ".txt", b"no image"))
    expect(tabs(page).first).to_contain_text(HOSTILE)
    expect(page.locator("#curl")).to_contain_text(HOSTILE)
    tabs(page).nth(1).click()
    expect(page.locator("#words")).to_contain_text(HOSTILE)
    expect_no_html(page)


def test_label_or_error_message_is_never_html(page: Page, service: Service, rose: bytes) -> None:
    answers = [hostile(service.ask(rose)), service.ask(b"no image")]
    answers[1]["error"].update(reason=HOSTILE, message=HOSTILE)
    page.route("**/?*", lambda route: route.fulfill(json=answers[0]))
    choose(page, ("rose.jpg", rose))
    expect(verdict(page)).to_have_text(HOSTILE)
    candidates(page).first.click()
    expect(page.locator("#where")).to_contain_text(HOSTILE)
    page.unroute("**/?*")
    page.route("**/?*", lambda route: route.fulfill(status=422, json=answers[1]))
    choose(page, ("other.jpg", rose))
    expect(verdict(page)).to_have_text("Something went wrong on my side")
    expect_no_html(page)


def test_listed_species_is_never_html(visit: Visit, service: Service) -> None:
    page = visit.open()
    page.route("**/species", lambda route: route.fulfill(json={"species": [hostile_species()]}))
    page.reload()
    expect(page.locator("#species-list li")).to_have_text(f"{HOSTILE} {HOSTILE}")
    expect_no_html(page)


def test_browser_itself_refuses_html_from_scripts(page: Page, visit: Visit) -> None:
    refused = page.evaluate(
        "() => { try { document.createElement('p').innerHTML = '<b>x</b>' } catch (error) { return error.name } }"
    )
    assert refused == "TypeError"
    page.wait_for_timeout(50)
    assert ["TrustedHTML" in complaint for complaint in visit.complaints] == [True]
    visit.complaints.clear()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_axe_finds_nothing(visit: Visit, rose: bytes, scheme: str, width: int) -> None:
    page = visit.open(width=width, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)

    def check(state: str) -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, f"{state}: {results.generate_report()}"

    check("empty")
    choose(page, ("rose.jpg", rose), ("broken.jpg", b"no image"))
    candidates(page).first.click()
    page.locator("#terminal summary").click()
    page.locator("#species summary").click()
    check("result")
    tabs(page).nth(1).click()
    check("error")
    page.route("**/?*", lambda route: route.continue_() if route.request.method == "GET" else None)
    page.set_input_files("#choose", [{"name": "slow.jpg", "mimeType": "", "buffer": rose}])
    expect(page.locator("#progress")).to_be_visible()
    check("looking")


@pytest.mark.parametrize("width", [320, 768, 1600])
def test_no_width_needs_scrolling_sideways(visit: Visit, rose: bytes, width: int) -> None:
    page = visit.open("?lang=es", width=width)
    choose(page, ("a-very-long-name-without-any-spaces-" * 6 + ".jpg", rose), ("broken" * 30, b"no image"))
    candidates(page).first.click()
    page.locator("#terminal summary").click()
    page.locator("#species summary").click()
    for tab in tabs(page).all():
        tab.click()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    for box in [page.locator("#choose").bounding_box(), tabs(page).first.bounding_box()]:
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_reduced_motion_stops_animation(visit: Visit, rose: bytes) -> None:
    durations = []
    for motion in ("no-preference", "reduce"):
        page = visit.open(reduced_motion=motion)
        choose(page, ("rose.jpg", rose))
        candidates(page).first.click()
        durations.append(page.evaluate("() => getComputedStyle(document.querySelector('.heat')).animationName"))
    assert durations == ["appear", "none"]


def test_touch_screen_offers_a_camera(visit: Visit) -> None:
    phone = visit.open(width=390, has_touch=True, is_mobile=True)
    expect(phone.get_by_text("Take a photo")).to_be_visible()
    expect(phone.locator("#camera")).to_have_attribute("capture", "environment")
    expect(visit.open().get_by_text("Take a photo")).to_be_hidden()


@pytest.mark.parametrize("status", [404, 503])
def test_failed_species_request_is_explained(page: Page, status: int) -> None:
    page.route("**/species", lambda route: route.fulfill(status=status, json={"species": [hostile_species()]}))
    page.reload()
    page.locator("#species summary").click()
    expect(page.locator("#found")).to_have_text("The list could not be loaded. Reload the page to try again.")
    expect(page.locator("#species-list li")).to_have_count(0)


def test_page_tells_whether_photos_are_kept(page: Page, visit: Visit) -> None:
    expect(page.locator("[data-text=visitHint]")).to_contain_text("is gone when you close it")
    with serving(ARCHIVE_BUCKET="photos-of-visitors") as keeping:
        for language, kept in (("en", "The service keeps the photos"), ("es", "El servicio guarda las fotos")):
            archived = visit.open(f"?lang={language}", keeping)
            expect(archived.locator("[data-text=visitHintArchived]")).to_contain_text(kept)
            expect(archived.locator("[data-text=visitHint]")).to_have_count(0)
