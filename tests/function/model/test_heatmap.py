"""Test that heat maps lie where the evidence is, in the upright photo, and are the maps behind the logits."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from google.cloud import storage
from numpy.typing import NDArray
from PIL import Image

from flowers.classifier import Classifier, look
from flowers.cloud.clients import Cloud
from flowers.http.function import HttpFunction
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from flowers.model.outputs import heatmap, probabilities
from flowers.model.session import Model
from flowers.settings import BUNDLED_MODEL, Settings
from tests.support.http_contract import Reply, client_of, client_with, multipart, part, post
from tests.support.pictures import oriented, sample
from tests.support.tiny_model import tiny_model

WHOLE = (0.0, 0.0, 1.0, 1.0)


def maps(reply: Reply) -> dict[str, dict[str, Any]]:
    """Return the heat map of each label in an answer."""
    return {prediction["label"]: prediction["heatmap"] for prediction in reply.document["predictions"]}


def grid(heatmap: dict[str, Any]) -> NDArray[np.float64]:
    """Return the values as rows."""
    return np.array(heatmap["values"]).reshape(heatmap["height"], heatmap["width"])


def centre_of_mass(heatmap: dict[str, Any]) -> tuple[float, float]:
    """Return the mean place of the evidence, x and y in pixels of the upright photo."""
    values, area = grid(heatmap), heatmap["area"]
    y, x = np.mgrid[0.5 : values.shape[0], 0.5 : values.shape[1]]
    width, height = area["right"] - area["left"], area["bottom"] - area["top"]
    return (
        area["left"] + (values * x).sum() / values.sum() / values.shape[1] * width,
        area["top"] + (values * y).sum() / values.sum() / values.shape[0] * height,
    )


@pytest.fixture
def tiny(tmp_path: Path) -> FlaskClient:
    """Return the function with the tiny model, whose class maps are the colours of the 8 × 6 pixels that it sees."""
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_model())
    return client_with(model_path=file, top_k=3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(600, 300), (300, 600)], ids=["wide", "high"])
def test_heatmap_follows_rotated_photo(tiny: FlaskClient, size: tuple[int, int], orientation: int) -> None:
    width, height = size
    picture = Image.new("RGB", size)
    picture.paste("red", (width // 2 - 80, height // 2 - 100, width // 2 - 20, height // 2 - 20))
    picture.paste("lime", (width // 2 + 10, height // 2 + 60, width // 2 + 90, height // 2 + 80))

    reply = post(tiny, oriented(picture, "PNG", orientation), query="heatmap=1")

    found = maps(reply)
    cell = 0.875 * min(width / 6, height / 8)
    assert centre_of_mass(found["red"]) == pytest.approx((width / 2 - 50, height / 2 - 60), abs=cell / 2)
    assert centre_of_mass(found["green"]) == pytest.approx((width / 2 + 50, height / 2 + 70), abs=cell / 2)
    middle = {"left": width / 2 - 3 * cell, "top": height / 2 - 4 * cell}
    middle |= {"right": width / 2 + 3 * cell, "bottom": height / 2 + 4 * cell}
    assert [each["area"] for each in found.values()] == [pytest.approx(middle, abs=0.06)] * 3
    assert (reply.document["image"]["width"], reply.document["image"]["height"]) == size


@pytest.mark.bundled_model
@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_heatmap_lies_on_side_of_flower(client: FlaskClient, photos: list[Path], side: str, orientation: int) -> None:
    flower = Image.open(photos[53]).convert("RGB")  # a sunflower
    place = {"left": (0, 112), "right": (224, 112), "top": (112, 0), "bottom": (112, 224)}[side]
    picture = Image.new("RGB", (448, 448), (40, 90, 40))
    picture.paste(flower.resize((224, 224), box=(0, 0, min(flower.size), min(flower.size))), place)

    reply = post(client, oriented(picture, "PNG", orientation), query="heatmap=1")

    assert reply.document["identified"]
    values = grid(reply.document["predictions"][0]["heatmap"])
    half = {"left": values[:, :3], "right": values[:, 4:], "top": values[:3], "bottom": values[4:]}[side]
    assert half.sum() > 0.8 * values.sum()


@pytest.mark.bundled_model
def test_heatmap_means_are_logits(client: FlaskClient, jpeg: bytes) -> None:
    model = Model.load(BUNDLED_MODEL)
    reply = post(client, jpeg, query=f"heatmap=1&top={len(model.card.labels)}")

    decoded = decode(jpeg, model.card.input_rule, 10**6, PixelBudget(10**6))
    output = model.run(decoded.pixels[np.newaxis])
    assert output.class_maps is not None
    means = output.class_maps[0].mean(axis=(0, 1))
    assert means == pytest.approx(output.logits[0], abs=1e-4)
    shares = probabilities(look(model, decoded.pixels).logits[0], model.card.temperature)
    for prediction in reply.document["predictions"]:
        index = model.card.labels.index(prediction["label"])
        raw, values = output.class_maps[0, ..., index], grid(prediction["heatmap"])
        assert prediction["confidence"] == pytest.approx(shares[index], abs=1e-3)
        assert values * max(raw.max(), 0) == pytest.approx(raw.clip(min=0), abs=0.001 * float(abs(raw).max()))
        assert values.max() == (1 if raw.max() > 0 else 0)


def test_heatmap_values_span_0_to_1() -> None:
    found = heatmap(np.array([[-4, 0, 1], [2, 8, -0.5]], np.float32), (10, 20.26, 40, 60))
    assert (found["width"], found["height"]) == (3, 2)
    assert found["values"] == [0, 0, 0.125, 0.25, 1, 0]
    assert found["area"] == {"left": 10, "top": 20.3, "right": 40, "bottom": 60}


@pytest.mark.parametrize("value", [-3, 0])
def test_heatmap_without_evidence_is_empty(value: float) -> None:
    assert heatmap(np.full((2, 2), value, np.float32), WHOLE)["values"] == [0, 0, 0, 0]


@pytest.mark.bundled_model
def test_heatmap_not_requested_is_absent(client: FlaskClient, jpeg: bytes) -> None:
    plain, refused, asked = (post(client, jpeg, query=query) for query in ("", "heatmap=0", "heatmap=1"))
    assert set(plain.document) == set(refused.document) == set(asked.document)
    keys = {"label", "scientific_name", "name", "confidence", "family"}
    assert all(set(prediction) == keys for reply in (plain, refused) for prediction in reply.document["predictions"])
    assert all(set(prediction) == keys | {"heatmap"} for prediction in asked.document["predictions"])
    for prediction in asked.document["predictions"]:
        del prediction["heatmap"]
    assert asked.document["predictions"] == plain.document["predictions"]


def test_each_image_of_a_form_gets_its_heatmap(tiny: FlaskClient) -> None:
    pictures = [sample("PNG", Image.new("RGB", size, "red")) for size in ((60, 80), (120, 160))]
    reply = post(tiny, *multipart(*map(part, pictures)), query="heatmap=1&top=1")
    areas = [result["predictions"][0]["heatmap"]["area"]["right"] for result in reply.document["results"]]
    assert areas == [56.2, 112.5]


def test_heatmap_of_model_without_maps_is_absent(tmp_path: Path, jpeg: bytes) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_model(with_maps=False))
    client = client_with(model_path=file, top_k=3)

    asked, plain = post(client, jpeg, query="heatmap=1"), post(client, jpeg)

    assert asked.status == 200
    assert "tiny" in asked.document["heatmap_absent"] and "class_maps" in asked.document["heatmap_absent"]
    assert not any("heatmap" in prediction for prediction in asked.document["predictions"])
    assert "heatmap_absent" not in plain.document


@pytest.mark.bundled_model
def test_archive_keeps_result_without_heatmaps(bucket: storage.Bucket, jpeg: bytes) -> None:
    settings = Settings(archive_bucket=bucket.name)
    client = client_of(HttpFunction(Classifier(settings), settings, Cloud()))
    asked = post(client, jpeg, query="heatmap=1").document
    deadline = time.monotonic() + 20
    while not (kept := [blob for blob in bucket.list_blobs() if blob.name.endswith(".json")]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    archived = json.loads(kept[0].download_as_bytes())
    assert archived["predictions"] == [
        {key: value for key, value in prediction.items() if key != "heatmap"} for prediction in asked["predictions"]
    ]
    assert archived["predictions"] != asked["predictions"]


@pytest.mark.parametrize("value", ["abc", "", "2", "true", "-1", "01"])
def test_heatmap_other_than_0_or_1_is_refused(client: FlaskClient, jpeg: bytes, value: str) -> None:
    reply = post(client, jpeg, query=f"heatmap={value}")
    assert (reply.status, reply.reason) == (400, "INVALID_PARAMETER")
    assert reply.document["error"]["message"] == f"heatmap={value!r} is invalid. Use 1 or 0."
