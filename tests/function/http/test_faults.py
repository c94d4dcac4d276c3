"""Test that every bad request is refused with its own code and reason, and a document that keeps the contract."""

import io
import json

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.support.drawn_flower import encode
from tests.support.http_contract import Reply, ask, json_request, multipart, part, post, post_unannounced
from tests.support.sample_images import HTML, TEXT

HUGE = bytes(40 * 1024 * 1024)


def assert_refused(reply: Reply, status: int, reason: str) -> None:
    assert (reply.status, reply.reason) == (status, reason), reply.body
    assert reply.document["error"]["message"].endswith((".", "}", "g"))


def post_json(client: FlaskClient, body: object) -> Reply:
    """Return the answer to `body`: JSON as bytes, or what is to become JSON."""
    return post(client, body if isinstance(body, bytes) else json.dumps(body).encode(), "application/json")


def test_empty_body_is_no_image(client: FlaskClient) -> None:
    for reply in (post(client, b""), post(client, b"", "image/jpeg"), post_unannounced(client, b"")):
        assert_refused(reply, 400, "EMPTY_IMAGE")


def test_empty_file_in_a_form_is_no_image(client: FlaskClient) -> None:
    assert_refused(post(client, *multipart(part(b""))), 400, "EMPTY_IMAGE")


def test_empty_base64_is_no_image(client: FlaskClient) -> None:
    for text in ("", " \n"):
        assert_refused(post_json(client, {"image": {"content": text}}), 400, "EMPTY_IMAGE")


@pytest.mark.parametrize("data", [TEXT, HTML, b"\0", b"%PDF-1.7\n", b"\x7fELF" + bytes(60), b"<svg></svg>"])
def test_file_without_image_bytes_is_unsupported(client: FlaskClient, data: bytes) -> None:
    replies = [
        post(client, data, "image/jpeg"),
        post(client, *multipart(part(data, filename="rose.jpg"))),
        post(client, json_request(data), "application/json"),
    ]
    for reply in replies:
        assert_refused(reply, 415, "UNSUPPORTED_FORMAT")
        assert reply.document["image"]["bytes"] == len(data)
        assert reply.document["image"]["format"] is None


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_image_truncated_anywhere_is_undecodable(client: FlaskClient, flower: Image.Image, format: str) -> None:
    whole = encode(flower, format)
    for share in range(1, 20):
        data = whole[: max(32, len(whole) * share // 24)]
        reply = post(client, data)
        assert_refused(reply, 422, "UNDECODABLE_IMAGE")
        assert reply.document["image"]["format"] == format
        assert reply.document["image"]["width"] in (None, 320)


def test_first_bytes_alone_are_no_image(client: FlaskClient, jpeg: bytes) -> None:
    for length in (1, 2):
        assert_refused(post(client, jpeg[:length]), 415, "UNSUPPORTED_FORMAT")
    for length in (3, 4, 11, 20):
        assert_refused(post(client, jpeg[:length]), 422, "UNDECODABLE_IMAGE")


def test_body_of_40_mib_is_too_large(client: FlaskClient) -> None:
    form, form_type = multipart(part(HUGE))
    envelope = b'{"image": {"content": "' + b"A" * (len(HUGE) * 4 // 3) + b'"}}'
    for body, content_type in ((HUGE, "image/jpeg"), (form, form_type), (envelope, "application/json")):
        for send in (post, post_unannounced):
            reply = send(client, body, content_type)
            assert_refused(reply, 413, "IMAGE_TOO_LARGE")
            assert reply.document["image"] is None


def test_form_file_above_limit_is_too_large(client: FlaskClient) -> None:
    data = b"\xff\xd8\xff" + bytes(32 * 1024 * 1024)
    assert_refused(post(client, *multipart(part(data))), 413, "IMAGE_TOO_LARGE")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"image": {"content": "AA==',
        b"\xff\xfe\x00",
        b"\xc3\x28",
        b"rose.jpg",
        b"NaN",
        b'{"image": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"image": ' * 100_000,
        b'{"image": ' * 100_000 + b"1" + b"}" * 100_000,
        '{"image": {"content": "AA=="'.encode("utf-16"),
    ],
)
def test_broken_json_is_malformed(client: FlaskClient, body: bytes) -> None:
    assert_refused(post_json(client, body), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("body", [[], ["image"], None, 7, "image", True, {}, {"images": {}}, {"content": "AA=="}])
def test_json_without_an_image_is_malformed(client: FlaskClient, body: object) -> None:
    assert_refused(post_json(client, body), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("image", [None, 7, 1.5, True, [], ["content"], [["content"]], [{}], {}])
def test_image_in_json_has_one_source(client: FlaskClient, image: object) -> None:
    assert_refused(post_json(client, {"image": image}), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("content", [7, None, True, ["AA=="], {"content": "AA=="}, 1e308])
def test_json_content_other_than_text_is_malformed(client: FlaskClient, content: object) -> None:
    assert_refused(post_json(client, {"image": {"content": content}}), 400, "MALFORMED_REQUEST")
    assert_refused(post_json(client, {"image": {"gcs_uri": content}}), 400, "MALFORMED_REQUEST")


def test_content_and_address_together_are_malformed(client: FlaskClient) -> None:
    for address in ("gs://bucket/rose.jpg", None):
        image = {"content": "AA==", "gcs_uri": address}
        assert_refused(post_json(client, {"image": image}), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "text", ["A", "A===", "AAAAA", "ñandú", "AA==AA==", "AA*=", "data:,AA==", "data:;base64", "\ud800"]
)
def test_broken_base64_is_malformed(client: FlaskClient, text: str) -> None:
    assert_refused(post(client, json_request(text), "application/json"), 400, "MALFORMED_REQUEST")


def test_json_member_given_twice_last_counts(client: FlaskClient, jpeg: bytes) -> None:
    text = json.loads(json_request(jpeg))["image"]["content"]
    body = f'{{"image": {{"content": "!", "content": "{text}"}}}}'.encode()
    assert post_json(client, body).status == 200
    assert_refused(post_json(client, body.replace(b"}}", b'}, "image": 1}')), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    ("address", "status", "reason"),
    [
        ("http://169.254.169.254/computeMetadata/v1/", 403, "BUCKET_NOT_ALLOWED"),
        ("https://garden.example/rose.jpg", 403, "BUCKET_NOT_ALLOWED"),
        ("gs://someone-elses-bucket/rose.jpg", 403, "BUCKET_NOT_ALLOWED"),
        ("gs://bucket/../other/rose.jpg", 403, "BUCKET_NOT_ALLOWED"),
        ("file:///etc/passwd", 400, "MALFORMED_REQUEST"),
        ("/etc/passwd", 400, "MALFORMED_REQUEST"),
        ("rose.jpg", 400, "MALFORMED_REQUEST"),
        ("", 400, "MALFORMED_REQUEST"),
        ("gs:/bucket/rose.jpg", 400, "MALFORMED_REQUEST"),
    ],
)
def test_http_address_is_never_fetched(client: FlaskClient, address: str, status: int, reason: str) -> None:
    assert_refused(post_json(client, {"image": {"gcs_uri": address}}), status, reason)


@pytest.mark.parametrize(
    "parameters", ["", "; boundary=", '; boundary=""', "; boundary=é", "; boundary=other", "; boundary"]
)
def test_form_needs_its_boundary(client: FlaskClient, jpeg: bytes, parameters: str) -> None:
    body, _ = multipart(part(jpeg))
    assert_refused(post(client, body, f"multipart/form-data{parameters}"), 400, "MALFORMED_REQUEST")


def test_broken_form_is_malformed(client: FlaskClient, jpeg: bytes) -> None:
    body, content_type = multipart(part(jpeg))
    headless, _ = multipart(b"\r\n" + jpeg)
    latin, _ = multipart(part(jpeg).replace(b"image", b"im\xe4ge", 1))
    for broken in (b"", TEXT, body[:10], body[:100], body[: len(body) // 2], body[:-40], headless, latin):
        assert_refused(post(client, broken, content_type), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("parts", [(), (part(TEXT, "image", None),), (part(TEXT, "one"), part(TEXT, "two"))])
def test_form_without_image_part_is_malformed(client: FlaskClient, parts: tuple[bytes, ...]) -> None:
    reply = post(client, *multipart(*parts))
    assert_refused(reply, 400, "MALFORMED_REQUEST")
    assert "image" in reply.document["error"]["message"]


def test_form_has_100_parts_at_most(client: FlaskClient) -> None:
    assert len(post(client, *multipart(*[part(b"x")] * 100)).document["results"]) == 100
    for count in (101, 1000):
        assert_refused(post(client, *multipart(*[part(b"x")] * count)), 400, "MALFORMED_REQUEST")


@pytest.mark.bundled_model
@pytest.mark.parametrize(
    "top", ["0", "-1", "1000", "abc", "1.5", "", "%D9%A3", "1" + "0" * 30, "%2B5", "5%20", "1e1", "%FF"]
)
def test_top_outside_range_is_invalid(client: FlaskClient, jpeg: bytes, top: str) -> None:
    reply = post(client, jpeg, query=f"top={top}")
    assert_refused(reply, 400, "INVALID_PARAMETER")
    classes = len(ask(client, "GET", "/species").document["species"])
    assert f"from 1 to {classes}" in reply.document["error"]["message"]
    assert_refused(post(client, jpeg, query=f"top={classes + 1}"), 400, "INVALID_PARAMETER")


@pytest.mark.parametrize("lang", ["xx", "", "fr-ES", "english", "es%00", "%FF"])
def test_unknown_lang_is_invalid(client: FlaskClient, jpeg: bytes, lang: str) -> None:
    reply = post(client, jpeg, query=f"lang={lang}")
    assert_refused(reply, 400, "INVALID_PARAMETER")
    assert "en" in reply.document["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/Health", "/health/", "/healthz", "/species/rose", "/openapi.yaml", "/index.html"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_unknown_path_is_not_found(client: FlaskClient, method: str, path: str) -> None:
    assert_refused(ask(client, method, path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/%00", "/../etc/passwd", "/%2e%2e/etc/passwd", "/a//b", "/%FF%FE", "/é", "/" + "a" * 8000]
)
def test_weird_path_is_not_found(client: FlaskClient, path: str) -> None:
    assert_refused(ask(client, "GET", path), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/health", "/species", "/openapi.json"])
def test_wrong_method_lists_the_allowed(client: FlaskClient, method: str, path: str) -> None:
    reply = ask(client, method, path)
    assert_refused(reply, 405, "METHOD_NOT_ALLOWED")
    assert {"GET", "HEAD", "OPTIONS"} <= set(reply.headers["Allow"].split(", "))
    assert method not in reply.headers["Allow"]


def test_image_to_another_path_is_refused(client: FlaskClient, jpeg: bytes) -> None:
    for path in ("/health", "/species", "/openapi.json"):
        reply = ask(client, "POST", path, jpeg)
        assert_refused(reply, 405, "METHOD_NOT_ALLOWED")
        assert "POST" not in reply.headers["Allow"]


def test_body_shorter_than_length_is_malformed(client: FlaskClient, jpeg: bytes) -> None:
    environ = {"CONTENT_LENGTH": str(len(jpeg) + 100)}
    for method, path, expected in (("POST", "/", (400, 422)), ("GET", "/health", (200,))):
        stream = io.BytesIO(jpeg[: len(jpeg) // 2])
        assert ask(client, method, path, input_stream=stream, environ_overrides=environ).status in expected
