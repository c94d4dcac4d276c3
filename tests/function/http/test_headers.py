"""Test how the headers and paths of clients, browsers and proxies change an answer."""

import http.client
import json
import re
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.http.function import HttpFunction
from flowers.http.work import RequestWork
from flowers.settings import Settings
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import ask, client_of, client_with, contract_of, multipart, no_storage, part, post
from tests.support.server_process import serving
from tests.support.uploads import log_lines

TRACE = "105445aa7843bc8bf206b12000100000"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def names(document: Mapping[str, Any]) -> list[str]:
    """Return the names of a result's predictions."""
    return [prediction["name"] for prediction in document["predictions"]]


@pytest.mark.bundled_model
@pytest.mark.parametrize("tag", ["es", "es-ES", "es-419", "es_MX", "ES", "Es-es"])
def test_lang_with_a_region_is_the_language(client: FlaskClient, jpeg: bytes, tag: str) -> None:
    spanish = names(post(client, jpeg, query="lang=es&top=50").document)
    assert spanish != names(post(client, jpeg, query="lang=en-US&top=50").document)
    assert names(post(client, jpeg, query=f"lang={tag}&top=50").document) == spanish


@pytest.mark.bundled_model
@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("es", "es"),
        ("es-ES,es;q=0.9,en;q=0.8", "es"),
        ("fr-FR,fr;q=0.9,es-MX;q=0.5,en;q=0.4", "es"),
        ("es;q=0,en", "en"),
        ("en-GB,es;q=0.9", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("", "en"),
        (";;;q=x", "en"),
    ],
)
def test_accept_language_decides_without_lang(client: FlaskClient, jpeg: bytes, header: str, language: str) -> None:
    expected = names(post(client, jpeg, query=f"lang={language}&top=50").document)
    reply = ask(client, "POST", "/?top=50", jpeg, headers={"Accept-Language": header})
    assert names(reply.document) == expected
    both = ask(client, "POST", "/?top=50&lang=en", jpeg, headers={"Accept-Language": header})
    assert names(both.document) == names(post(client, jpeg, query="lang=en&top=50").document)


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"traceparent": PARENT}, TRACE),
        ({"traceparent": PARENT.replace("00-", "cc-", 1) + "-more"}, TRACE),
        ({"traceparent": PARENT, "X-Cloud-Trace-Context": "abc/1;o=1"}, "abc"),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
        ({"traceparent": "rose"}, None),
        ({}, None),
    ],
)
def test_trace_and_request_id_come_from_either_header(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], trace: str | None
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with log_lines() as lines:
        reply = ask(client, "POST", "/", b"text", headers=headers)
    (line,) = lines
    assert line.get("logging.googleapis.com/trace") == trace
    request_id = reply.document["error"]["request_id"]
    assert request_id == line["request_id"]
    assert request_id == trace if trace else re.fullmatch(r"[0-9a-f]{32}", request_id)


def test_every_error_document_carries_the_request_id(client: FlaskClient, jpeg: bytes) -> None:
    replies = [
        ask(client, "GET", "/nowhere"),
        ask(client, "PUT", "/"),
        post(client, b""),
        post(client, b"", query="top=0"),
    ]
    assert all(reply.document["error"]["request_id"] for reply in replies)
    several = post(client, *multipart(part(jpeg), part(b"x"), part(b"y"))).document["results"]
    assert "error" not in several[0]
    assert several[1]["error"]["request_id"] == several[2]["error"]["request_id"]


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt"])
def test_reserved_path_is_answered_as_a_document(client: FlaskClient, path: str) -> None:
    for method in ("GET", "POST"):
        reply = ask(client, method, path)
        assert (reply.status, reply.reason) == (404, "NOT_FOUND")


def test_retry_after_is_exposed_to_other_origins(jpeg: bytes) -> None:
    reply = post(client_with(cors_allow_origin="*"), jpeg)
    assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 70_000 + b"\r\n\r\n", 431, "HEADERS_TOO_LARGE"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", 431, "HEADERS_TOO_LARGE"),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "MALFORMED_REQUEST"),
        (b"GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400, "MALFORMED_REQUEST"),
    ],
)
def test_unreadable_request_gets_a_document(
    client: FlaskClient, server_port: int, head: bytes, status: int, reason: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server_port, timeout=30)
    connection.connect()
    connection.sock.sendall(head)
    response = http.client.HTTPResponse(connection.sock)
    response.begin()
    document = json.load(response)
    connection.close()
    assert (response.status, document["error"]["code"], document["error"]["reason"]) == (status, status, reason)
    contract_of(client).validate({"$ref": "#/components/schemas/Error"}, document)


@pytest.fixture(scope="module")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Provide the port of the function in a server of its own."""
    with serving(tmp_path_factory.mktemp("server")) as port:
        yield port


def test_images_of_a_form_share_a_pixel_limit(jpeg: bytes) -> None:
    client = client_with(max_image_pixels=320 * 240 * 2)
    broken = jpeg[: len(jpeg) // 2]
    reply = post(client, *multipart(*(part(data) for data in (broken, b"x", jpeg, jpeg, jpeg))))
    reasons = [result.get("error", {}).get("reason") for result in reply.document["results"]]
    assert reasons == ["UNDECODABLE_IMAGE", "UNSUPPORTED_FORMAT", None, "IMAGE_TOO_LARGE", "IMAGE_TOO_LARGE"]
    assert "another request" in reply.document["results"][-1]["error"]["message"]


def test_too_large_image_spoils_no_other(jpeg: bytes) -> None:
    client = client_with(max_image_pixels=320 * 240)
    large = encode(draw_flower(640, 480), "PNG")
    reply = post(client, *multipart(part(large), part(jpeg)))
    assert ["error" in result for result in reply.document["results"]] == [True, False]


def test_images_of_a_form_begin_within_30_seconds(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RequestWork(1)._deadline == pytest.approx(RequestWork(1, 0)._deadline + 30, abs=1)
    monkeypatch.setattr("flowers.http.classification.RequestWork", lambda pixels: RequestWork(pixels, -1))
    reply = post(client_with(), *multipart(part(jpeg), part(jpeg)))
    assert [result["error"]["reason"] for result in reply.document["results"]] == ["UNAVAILABLE"] * 2


class Topic:
    """Keep what is published."""

    def __init__(self) -> None:
        self.lines = list[dict[str, Any]]()
        self.arrived = threading.Semaphore(0)

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        """Keep the document."""
        self.lines.append(json.loads(data))
        self.arrived.release()


@pytest.mark.bundled_model
@pytest.mark.parametrize("query", ["", "top=1&lang=es&heatmap=1", "top=9&lang=es"])
def test_published_document_has_default_top_and_lang(jpeg: bytes, query: str) -> None:
    topic = Topic()
    settings = Settings()
    cloud = Cloud(no_storage, lambda: topic)  # type: ignore[arg-type, return-value]
    client = client_of(HttpFunction(Classifier(settings), settings, cloud))
    default = post(client, jpeg).document
    asked = post(client, jpeg, query=query).document
    assert topic.arrived.acquire(timeout=20)
    assert topic.arrived.acquire(timeout=20)
    for published in topic.lines:
        assert published["predictions"] == default["predictions"]
    assert {line["classified_at"] for line in topic.lines} == {default["classified_at"], asked["classified_at"]}
    wanted = {"": 5, "top=1&lang=es&heatmap=1": 1, "top=9&lang=es": 9}[query]
    assert len(asked["predictions"]) == wanted
    assert ("heatmap" in asked["predictions"][0]) == ("heatmap" in query)


@pytest.mark.parametrize("count", [1, 2])
def test_published_error_has_the_answers_request_id(count: int) -> None:
    topic = Topic()
    settings = Settings()
    cloud = Cloud(no_storage, lambda: topic)  # type: ignore[arg-type, return-value]
    client = client_of(HttpFunction(Classifier(settings), settings, cloud))
    answer = post(client, *multipart(*[part(b"no image")] * count)).document
    assert topic.arrived.acquire(timeout=20)
    errors = [one["error"] for one in answer.get("results", [answer])]
    assert topic.lines[0]["error"]["request_id"] == errors[0]["request_id"]
    assert len({error["request_id"] for error in errors}) == 1
