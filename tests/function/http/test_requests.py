"""Test that every form of request and every path answers as the served OpenAPI document says."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from PIL import Image

import flowers
from flowers.imaging.formats import FORMATS
from flowers.settings import BUNDLED_MODEL
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import (
    Reply,
    ask,
    client_with,
    json_request,
    multipart,
    part,
    post,
    post_unannounced,
)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def predictions(reply: Reply) -> list[dict[str, object]]:
    found: list[dict[str, object]] = reply.document["predictions"]
    return found


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "image/jpeg",
        "image/png",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/plain; charset=utf-8",
    ],
)
def test_image_body_of_any_type_is_classified(client: FlaskClient, jpeg: bytes, content_type: str | None) -> None:
    reply = post(client, jpeg, content_type)
    assert reply.status == 200
    assert reply.document["image"] == {
        "uri": None,
        "generation": None,
        "format": "JPEG",
        "width": 320,
        "height": 240,
        "bytes": len(jpeg),
        "sha256": digest(jpeg),
    }
    assert reply.document["model"] == ask(client, "GET", "/health").document["model"]
    age = datetime.now(UTC) - datetime.fromisoformat(reply.document["classified_at"])
    assert timedelta() <= age < timedelta(minutes=1)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_the_contract_is_classified(client: FlaskClient, flower: Image.Image, format: str) -> None:
    reply = post(client, encode(flower, format), "image/x-any")
    assert reply.status == 200
    assert (reply.document["image"]["format"], reply.document["image"]["width"]) == (format, 320)


def test_rotated_image_has_upright_size(client: FlaskClient, flower: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    reply = post(client, encode(flower, "JPEG", exif=exif))
    assert (reply.document["image"]["width"], reply.document["image"]["height"]) == (240, 320)


def test_request_forms_give_same_predictions(client: FlaskClient, jpeg: bytes) -> None:
    replies = [
        post(client, jpeg),
        post_unannounced(client, jpeg),
        post(client, *multipart(part(jpeg))),
        post(client, json_request(jpeg), "application/json"),
        post(client, json_request(base64.encodebytes(jpeg).decode()), "application/json; charset=utf-8"),
        post(client, json_request(base64.encodebytes(jpeg).decode().replace("\n", "\r\n")), "Application/JSON"),
        post_unannounced(client, json_request(jpeg), "application/json"),
    ]
    assert [reply.status for reply in replies] == [200] * len(replies)
    assert all(predictions(reply) == predictions(replies[0]) for reply in replies)
    assert {reply.document["image"]["sha256"] for reply in replies} == {digest(jpeg)}


def test_several_parts_with_broken_one_keep_order(client: FlaskClient) -> None:
    images = [encode(draw_flower(width, 100), "PNG") for width in (101, 102, 103)]
    broken = images[1][:-60]
    comment = part(b"my garden", name="comment", filename=None)
    sent = [images[0], broken, b"no image", b"", images[2]]
    body, content_type = multipart(comment, *(part(data) for data in sent))
    reply = post(client, body, content_type)
    assert reply.status == 200
    results = reply.document["results"]
    assert [result["image"]["sha256"] for result in results] == [digest(data) for data in sent]
    reasons = [result.get("error", {}).get("reason") for result in results]
    assert reasons == [None, "UNDECODABLE_IMAGE", "UNSUPPORTED_FORMAT", "EMPTY_IMAGE", None]
    assert [results[index]["image"]["width"] for index in (0, 4)] == [101, 103]


def test_form_with_other_fields_is_classified(client: FlaskClient, jpeg: bytes) -> None:
    others = [part(b"x", name="photo"), part(b"y", name="image", filename=None)]
    reply = post(client, *multipart(*others, part(jpeg)))
    assert reply.status == 200
    assert reply.document["image"]["bytes"] == len(jpeg)


def test_unknown_json_members_are_ignored(client: FlaskClient, jpeg: bytes) -> None:
    request = json.loads(json_request(jpeg)) | {"requestId": 7}
    request["image"]["note"] = None
    assert post(client, json.dumps(request).encode(), "application/json").status == 200


def test_json_in_utf16_or_with_bom_is_read(client: FlaskClient, jpeg: bytes) -> None:
    text = json_request(jpeg).decode()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
        assert post(client, text.encode(encoding), "application/json").status == 200


@pytest.mark.bundled_model
def test_top_sets_the_number_of_predictions(client: FlaskClient, jpeg: bytes) -> None:
    classes = len(ask(client, "GET", "/species").document["species"])
    every = predictions(post(client, jpeg, query=f"top={classes}"))
    assert len(every) == classes == len({prediction["label"] for prediction in every})
    assert sum(float(str(prediction["confidence"])) for prediction in every) == pytest.approx(1, abs=0.01)
    for top in (1, 2, 7):
        assert predictions(post(client, jpeg, query=f"top={top}")) == every[:top]
    assert predictions(post(client, jpeg)) == every[:5]
    assert predictions(post(client, *multipart(part(jpeg)), query="top=2")) == every[:2]


@pytest.mark.bundled_model
def test_lang_names_the_predictions_in_that_language(client: FlaskClient, jpeg: bytes) -> None:
    names = {species["label"]: species["names"] for species in ask(client, "GET", "/species").document["species"]}
    every = f"top={len(names)}"
    for query, language in (("", "en"), (f"lang=en&{every}", "en"), (f"lang=es&{every}", "es")):
        found = predictions(post(client, jpeg, query=query))
        assert [prediction["name"] for prediction in found] == [names[p["label"]][language] for p in found]
    assert any(name["en"] != name["es"] for name in names.values())


def test_settings_set_defaults_and_openapi(jpeg: bytes) -> None:
    client = client_with(top_k=2, default_language="es")
    reply = post(client, jpeg)
    assert len(predictions(reply)) == 2
    assert predictions(reply) == predictions(post(client, jpeg, query="top=2&lang=es"))
    parameters = ask(client, "GET", "/openapi.json").document["components"]["parameters"]
    assert parameters["top"]["schema"]["default"] == 2
    assert parameters["top"]["schema"]["maximum"] == len(ask(client, "GET", "/species").document["species"])
    assert parameters["lang"]["schema"]["default"] == "es"


@pytest.mark.bundled_model
@pytest.mark.parametrize(("reject_below", "identified"), [(0.0, True), (1.0, False)])
def test_result_below_threshold_lists_nearest(jpeg: bytes, reject_below: float, identified: bool) -> None:
    client = client_with(reject_below=reject_below)
    reply = post(client, jpeg)
    assert (reply.status, reply.document["identified"], len(predictions(reply))) == (200, identified, 5)
    if identified:
        assert reply.document["species"] in ask(client, "GET", "/species").document["species"]


def test_health_shows_digest_of_model_file(client: FlaskClient) -> None:
    reply = ask(client, "GET", "/health")
    assert (reply.status, reply.document["status"]) == (200, "ok")
    assert reply.document["model"]["sha256"] == digest(BUNDLED_MODEL.read_bytes())


def test_version_of_the_code_is_shown(client: FlaskClient) -> None:
    assert ask(client, "GET", "/health").document["version"] == flowers.__version__
    assert ask(client, "GET", "/openapi.json").document["info"]["version"] == flowers.__version__


def test_species_are_listed_once_each(client: FlaskClient) -> None:
    labels = [species["label"] for species in ask(client, "GET", "/species").document["species"]]
    assert len(labels) == len(set(labels)) > 1


def test_root_lists_paths_that_answer(client: FlaskClient) -> None:
    document = ask(client, "GET", "/").document
    assert {"/", "/health", "/species", "/openapi.json"} == set(document["paths"])
    assert [ask(client, "GET", path).status for path in document["paths"]] == [200] * 4


@pytest.mark.parametrize("path", ["/", "/health", "/species", "/openapi.json"])
def test_head_answers_like_get_without_a_body(client: FlaskClient, path: str) -> None:
    head, get = ask(client, "HEAD", path), ask(client, "GET", path)
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(get.body)


def test_server_timing_equals_the_result(client: FlaskClient, jpeg: bytes) -> None:
    for body, content_type in ((jpeg, None), multipart(part(jpeg), part(jpeg))):
        reply = post(client, body, content_type)
        timings = dict(entry.split(";dur=") for entry in reply.headers["Server-Timing"].split(", "))
        for phase in ("decode", "inference"):
            told = sum(result["timing_ms"][phase] for result in reply.document.get("results", [reply.document]))
            assert float(timings[phase]) == pytest.approx(told, abs=0.11)
            assert float(timings[phase]) > 0
        assert float(timings["total"]) + 0.2 >= float(timings["decode"]) + float(timings["inference"])


def test_image_of_max_bytes_is_classified(flower: Image.Image) -> None:
    data = encode(flower, "JPEG")
    client = client_with(max_image_bytes=len(data))
    assert post(client, data).status == post_unannounced(client, data).status == 200
    assert post(client, json_request(data), "application/json").status == 200
    assert post(client, *multipart(part(data))).status == 200
    assert post(client, data + b"\0").reason == "IMAGE_TOO_LARGE"
