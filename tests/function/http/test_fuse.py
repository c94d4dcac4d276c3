"""Test that several photos of one plant get one result."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from flowers.classifier import Classifier, look
from flowers.cloud.clients import Cloud
from flowers.http.function import HttpFunction
from flowers.http.work import RequestWork
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from flowers.model.outputs import fuse, probabilities
from flowers.model.session import Calibration, Model, ModelError
from flowers.settings import BUNDLED_MODEL, Settings
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import Reply, client_of, json_request, multipart, no_storage, part, post
from tests.support.tiny_model import METADATA, tiny_model

PHOTOS = [encode(draw_flower(width, 200), "JPEG", quality=90) for width in (200, 240, 280, 320, 360)]


def post_plant(client: FlaskClient, photos: list[bytes], query: str = "") -> Reply:
    return post(client, *multipart(*(part(photo) for photo in photos)), query=f"fuse=1&{query}")


def tiny_client(folder: Path, metadata: dict[str, str], **changes: object) -> FlaskClient:
    """Return a client of the function with a tiny model that has `metadata`."""
    file = folder / "tiny.onnx"
    file.write_bytes(tiny_model(METADATA | metadata))
    settings = Settings(model_path=file, top_k=3, **changes)  # type: ignore[arg-type]
    return client_of(HttpFunction(Classifier(settings), settings, Cloud(no_storage)))


@pytest.mark.parametrize("count", [2, 5])
def test_fuse_gives_one_result_for_all_photos(client: FlaskClient, count: int) -> None:
    photos = PHOTOS[:count]
    reply = post_plant(client, photos, "top=1&lang=es")
    assert reply.status == 200
    digests = [hashlib.sha256(photo).hexdigest() for photo in photos]
    assert [image["sha256"] for image in reply.document["images"]] == digests
    assert reply.document["image"] == reply.document["images"][0]
    assert len(reply.document["predictions"]) == 1


def test_fuse_averages_the_scaled_logits(client: FlaskClient) -> None:
    model = Model.load(BUNDLED_MODEL)
    logits = []
    for photo in PHOTOS[:3]:
        pixels = decode(photo, model.card.input_rule, 10**6, PixelBudget(10**6)).pixels
        logits.append(look(model, pixels).logits[0])
    mean = np.mean(logits, axis=0) / model.card.calibration(3).temperature
    shares = probabilities(mean, 1.0)
    reply = post_plant(client, PHOTOS[:3])
    assert reply.document["confidence"] == pytest.approx(shares.max(), abs=1e-4)
    assert reply.document["predictions"][0]["label"] == model.card.labels[int(shares.argmax())]


def test_fuse_of_equal_photos_is_the_single_answer(tmp_path: Path) -> None:
    client = tiny_client(tmp_path, {})
    single, fused = post(client, PHOTOS[0]).document, post_plant(client, [PHOTOS[0]] * 4).document
    assert fused["predictions"] == single["predictions"]
    assert "images" not in single


def test_fuse_divides_by_the_temperature() -> None:
    logits = np.array([[2, 0], [4, 2]], np.float32)
    assert fuse(logits, 2.0).tolist() == [1.5, 0.5]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_fuse_names_the_invalid_photo(client: FlaskClient, number: int) -> None:
    photos = PHOTOS[:3]
    photos[number - 1] = PHOTOS[0][:2000]
    reply = post_plant(client, photos)
    assert (reply.status, reply.reason) == (422, "UNDECODABLE_IMAGE")
    assert reply.document["error"]["message"].startswith(f"Photo {number} of 3: ")
    assert reply.document["image"]["sha256"] == hashlib.sha256(PHOTOS[0][:2000]).hexdigest()


@pytest.mark.parametrize("count", [1, 6])
def test_fuse_refuses_too_few_or_many_photos(client: FlaskClient, count: int) -> None:
    reply = post_plant(client, [PHOTOS[0]] * count)
    assert (reply.status, reply.reason) == (400, "INVALID_PARAMETER")
    assert f"has {count}" in reply.document["error"]["message"]


def test_fuse_refuses_a_single_image(client: FlaskClient) -> None:
    stored = json.dumps({"image": {"gcs_uri": "gs://garden/rose.jpg"}}).encode()
    for body, content_type in (
        (PHOTOS[0], None),
        (json_request(PHOTOS[0]), "application/json"),
        (stored, "application/json"),
    ):
        assert post(client, body, content_type, "fuse=1").reason == "INVALID_PARAMETER"


@pytest.mark.parametrize("value", ["2", "yes", ""])
def test_fuse_is_0_or_1(client: FlaskClient, value: str) -> None:
    assert post(client, PHOTOS[0], query=f"fuse={value}").reason == "INVALID_PARAMETER"
    assert post(client, PHOTOS[0], query="fuse=0").status == 200


@pytest.mark.bundled_model
def test_fuse_shows_heat_maps_of_the_first_photo(client: FlaskClient) -> None:
    fused = post_plant(client, [PHOTOS[4], PHOTOS[0]], "heatmap=1").document["predictions"][0]
    first = post(client, PHOTOS[4], query="heatmap=1&top=50").document["predictions"]
    assert fused["heatmap"] == next(each["heatmap"] for each in first if each["label"] == fused["label"])


def test_fused_calibration_is_used_by_number_of_photos(tmp_path: Path) -> None:
    fused = {"2": {"temperature": 1000, "reject_below": 0}, "3": {"temperature": 1.5, "reject_below": 1}}
    client = tiny_client(tmp_path, {"fused": json.dumps(fused)})
    two, three = (post_plant(client, [PHOTOS[0]] * count).document for count in (2, 3))
    assert two["confidence"] == pytest.approx(1 / 3, abs=0.2)
    assert two["identified"]
    assert not three["identified"]
    assert three["confidence"] == post(client, PHOTOS[0]).document["confidence"]


def test_reject_below_setting_applies_to_fused_photos(tmp_path: Path) -> None:
    fused = json.dumps({"2": {"temperature": 1, "reject_below": 1}})
    client = tiny_client(tmp_path, {"fused": fused}, reject_below=0.0)
    assert post_plant(client, PHOTOS[:2]).document["identified"]


@pytest.mark.parametrize(
    "fused",
    ["[", "[1]", '{"two": {"temperature": 1, "reject_below": 0}}', '{"2": {"temperature": 1}}', '{"2": 1}',
     '{"2": {"temperature": 0, "reject_below": 0}}', '{"2": {"temperature": 1, "reject_below": 2}}',
     '{"2": {"temperature": "a", "reject_below": 0}}'],
)  # fmt: skip
def test_invalid_fused_metadata_is_refused(tmp_path: Path, fused: str) -> None:
    with pytest.raises(ModelError, match="fused"):
        tiny_client(tmp_path, {"fused": fused})


def test_missing_fused_metadata_falls_back(tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_model())
    assert Model.load(file).card.calibration(3) == Calibration(1.5, 0.25)


def test_fused_photos_have_limited_pixels(tmp_path: Path) -> None:
    client = tiny_client(tmp_path, {}, max_image_pixels=280 * 200 * 2)
    replies = [post_plant(client, [PHOTOS[2]] * count) for count in (2, 3)]
    assert [(reply.status, reply.reason) for reply in replies] == [(200, ""), (413, "IMAGE_TOO_LARGE")]
    assert replies[1].document["error"]["message"].startswith("Photo 3 of 3: The images before this one have 112,000")


def test_fused_photos_begin_within_30_seconds(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowers.http.classification.RequestWork", lambda pixels: RequestWork(pixels, -1))
    reply = post_plant(client, PHOTOS[:2])
    assert (reply.status, reply.reason) == (503, "UNAVAILABLE")
    assert reply.headers["Retry-After"] == "1"
