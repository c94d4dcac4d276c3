"""Test that the heat map lies over the right part of the photo, for the chosen candidate."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Service, Visit, serving
from tests.browser.visitor import candidates, choose, heat, verdict
from tests.support.drawn_flower import encode
from tests.support.tiny_model import tiny_model


def brightness(picture: str) -> NDArray[np.int64]:
    """Return how light each pixel of a heat map's picture is, 0..765."""
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("RGBA"))
    light: NDArray[np.int64] = pixels[..., :3].sum(axis=2, dtype=np.int64)
    return light


def test_heatmap_toggles_for_chosen_candidate(page: Page, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    assert heat(page) is None
    expect(page.locator("#where")).to_have_text("Choose a name to see where in the photo the evidence for it lies.")

    candidates(page).nth(0).click()
    first = heat(page)
    expect(candidates(page).nth(0)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#where")).to_contain_text(verdict(page).text_content() or "?")
    expect(page.locator("#legend")).to_be_visible()

    candidates(page).nth(1).click()
    assert first is not None and heat(page) not in (None, first)
    expect(page.locator(".heat")).to_have_count(1)
    assert [each.get_attribute("aria-pressed") for each in candidates(page).all()].index("true") == 1

    candidates(page).nth(1).click()
    assert heat(page) is None
    expect(page.locator("#legend")).to_be_hidden()


def test_heatmap_covers_area_of_answer(page: Page, service: Service, rose: bytes) -> None:
    choose(page, ("rose.jpg", rose))
    document = service.ask(rose)
    for index, prediction in enumerate(document["predictions"]):
        candidates(page).nth(index).click()
        found, values = heat(page), np.array(prediction["heatmap"]["values"]).reshape(7, 7)
        assert found is not None
        shown = brightness(found)
        middle = shown.shape[0] // 7 // 2
        cells = shown[middle :: 2 * middle, middle :: 2 * middle]  # between them the map is smoothed
        if values.max() > 0:
            assert cells.flat[values.argmax()] > 0.95 * cells.max()
            assert cells[values == 0].max() < cells[values == 1].min()
    area, image = document["predictions"][0]["heatmap"]["area"], document["image"]
    photo, map_ = page.locator("#photo").bounding_box(), page.locator(".heat").bounding_box()
    assert photo and map_
    assert (map_["x"] - photo["x"]) / photo["width"] == pytest.approx(area["left"] / image["width"], abs=0.005)
    assert (map_["y"] - photo["y"]) / photo["height"] == pytest.approx(area["top"] / image["height"], abs=0.005)
    assert map_["width"] / photo["width"] == pytest.approx((area["right"] - area["left"]) / image["width"], abs=0.005)
    assert map_["height"] / photo["height"] == pytest.approx(
        (area["bottom"] - area["top"]) / image["height"], abs=0.005
    )


@pytest.fixture(scope="module")
def red_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Provide a function with the tiny model, whose evidence for "red" is the red of the picture."""
    file = tmp_path_factory.mktemp("model") / "tiny.onnx"
    file.write_bytes(tiny_model())
    with serving(MODEL_PATH=str(file), TOP_K="3", REJECT_BELOW="0") as service:
        yield service


@pytest.mark.parametrize(
    ("place", "words"), [((10, 10), "at the top left"), ((45, 60), "in the middle"), ((78, 110), "at the bottom right")]
)
def test_words_say_where_the_evidence_lies(
    visit: Visit, red_service: Service, place: tuple[int, int], words: str
) -> None:
    picture = Image.new("RGB", (120, 160))
    picture.paste("red", (*place, place[0] + 30, place[1] + 40))
    page = visit.open(service=red_service)
    choose(page, ("red.png", encode(picture, "PNG")))
    candidates(page).filter(has_text="red").click()
    expect(page.locator("#where")).to_have_text(f"The evidence for red is strongest {words}.")
    candidates(page).filter(has_text="blue").click()
    expect(page.locator("#where")).to_contain_text("Nothing in the photo speaks for blue")


def test_model_without_maps_is_explained(visit: Visit, tmp_path: Path, rose: bytes) -> None:
    (tmp_path / "tiny.onnx").write_bytes(tiny_model(with_maps=False))
    with serving(MODEL_PATH=str(tmp_path / "tiny.onnx"), TOP_K="3") as service:
        page = visit.open(service=service)
        choose(page, ("rose.jpg", rose))
        expect(page.locator("#where")).to_have_text("This model cannot show where the evidence lies.")
        expect(page.locator(".candidates li")).to_have_count(3)
        expect(candidates(page)).to_have_count(0)
