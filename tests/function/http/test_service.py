"""Test the OpenAPI document itself, methods and CORS, the log lines, and overload."""

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.http.function import HttpFunction
from flowers.imaging.memory import PixelBudget
from flowers.log import configure_logging
from flowers.settings import Settings
from tests.support.http_contract import (
    Contract,
    ask,
    check_meaning,
    client_of,
    client_with,
    multipart,
    no_storage,
    part,
    post,
)

PATHS = ("/", "/health", "/species", "/openapi.json")
ORIGIN = "https://garden.example"
TRACE = "105445aa7843bc8bf206b12000100000"


def members(value: Any, name: str) -> Iterator[Any]:
    """Yield all values of the members called `name`, at any depth."""
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from members(item, name)


@contextmanager
def log_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield a list that holds, after the block, the lines of JSON on standard output."""
    logger = logging.getLogger("flowers")
    handlers, lines = logger.handlers, list[dict[str, Any]]()
    configure_logging()
    yield lines
    lines += [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logger.handlers = handlers


def test_openapi_is_valid_and_licensed(client: FlaskClient) -> None:
    document = ask(client, "GET", "/openapi.json").document
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert set(document["paths"]) == {*PATHS, "/corrections", "/v1/models/{name}", "/v1/models/{name}:predict"}


def test_openapi_operations_have_id_and_summary(client: FlaskClient) -> None:
    document = ask(client, "GET", "/openapi.json").document
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(set(identifiers)) == len(identifiers) >= 13
    assert all(operation["summary"] and operation["tags"] for operation in operations)


def test_openapi_examples_match_schemas(client: FlaskClient) -> None:
    contract = Contract(ask(client, "GET", "/openapi.json").document)
    checked = 0
    for media in members(contract.document, "application/json"):
        for example in [entry["value"] for entry in media.get("examples", {}).values()] or [media["example"]]:
            contract.validate(media["schema"], example)
            check_meaning(example)
            checked += 1
    for kind in ("parameters", "headers"):
        for entry in contract.document["components"][kind].values():
            if "example" in entry:
                contract.validate(entry["schema"], entry["example"])
                checked += 1
    assert checked >= 20


def test_every_reason_of_the_contract_has_an_example(client: FlaskClient) -> None:
    document = ask(client, "GET", "/openapi.json").document
    reasons = document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["reason"]["enum"]
    examples = list(members(document, "examples"))
    assert set(reasons) <= {name for group in examples for name in group}


@pytest.mark.parametrize("path", PATHS)
def test_options_without_cors_lists_methods(client: FlaskClient, path: str) -> None:
    reply = ask(client, "OPTIONS", path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"})
    assert reply.status == 204
    allowed = set(reply.headers["Allow"].split(", "))
    assert allowed == {"GET", "HEAD", "OPTIONS"} | ({"POST"} if path == "/" else set())
    assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("origin", ["*", ORIGIN])
def test_cors_web_app_may_post_and_read(jpeg: bytes, origin: str) -> None:
    client = client_with(cors_allow_origin=origin)
    preflight = ask(client, "OPTIONS", "/", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"})
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "authorization"} <= set(allowed)
    for reply in (preflight, post(client, jpeg), post(client, b"no image"), ask(client, "GET", "/nowhere")):
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert "Server-Timing" in reply.headers["Access-Control-Expose-Headers"]
        assert reply.headers.get("Vary", "") == ("" if origin == "*" else "Origin")


def test_answer_without_cors_allows_no_origin(client: FlaskClient, jpeg: bytes) -> None:
    reply = ask(client, "POST", "/", jpeg, headers={"Origin": ORIGIN})
    assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]


def test_answer_forbids_type_guessing(client: FlaskClient) -> None:
    assert ask(client, "GET", "/health").headers["X-Content-Type-Options"] == "nosniff"


def test_request_writes_one_line_with_latency(
    client: FlaskClient, jpeg: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    headers = {"User-Agent": "garden/1.0 é"}
    with log_lines(capsys) as lines:
        client.post("/?top=1", data=jpeg, headers=headers)
        client.post("/", data=b"no image")
        client.get("/nowhere")
    found, refused, lost = [line for line in lines if "httpRequest" in line]
    assert {found["severity"], refused["severity"], lost["severity"]} == {"INFO"}
    assert "200" in found["message"] and "UNSUPPORTED_FORMAT" in refused["message"] and "404" in lost["message"]
    request = found["httpRequest"]
    assert (request["requestMethod"], request["requestUrl"], request["status"]) == ("POST", "/", 200)
    assert request["userAgent"] == headers["User-Agent"]
    assert request["latency"].endswith("s") and 0 < float(request["latency"][:-1]) < 60
    assert "logging.googleapis.com/trace" not in found


def test_each_result_is_logged_with_its_quality(
    client: FlaskClient, jpeg: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with log_lines(capsys) as lines:
        several = post(client, *multipart(part(jpeg), part(b"no image"), part(jpeg)))
        instances = [{"b64": base64.b64encode(jpeg).decode()}]
        name = ask(client, "GET", "/health").document["model"]["name"]
        client.post(f"/v1/models/{name}:predict", json={"instances": instances, "parameters": {"lang": "es"}})
    document = several.document["results"][0]
    quality = {
        "event": "classified",
        "label": document["predictions"][0]["label"],
        "confidence": document["confidence"],
        "identified": document["identified"],
    }
    logged = [line for line in lines if "event" in line]
    assert [{name: line.get(name) for name in quality} for line in logged] == [quality] * 3


@pytest.mark.parametrize(("project", "prefix"), [(None, ""), ("my-garden", "projects/my-garden/traces/")])
@pytest.mark.parametrize("header", [TRACE, f"{TRACE}/123;o=1", f"{TRACE}/123"])
def test_log_line_names_the_trace(
    client: FlaskClient,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    project: str | None,
    prefix: str,
    header: str,
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    if project:
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    with log_lines(capsys) as lines:
        client.get("/health", headers={"X-Cloud-Trace-Context": header})
    assert len(lines) == 1
    assert lines[0]["logging.googleapis.com/trace"] == prefix + TRACE


def test_overload_gets_retry_after_then_recovers(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    budget = PixelBudget(settings.pixel_budget, wait_seconds=0.1)
    monkeypatch.setattr("flowers.classifier.PixelBudget", lambda _: budget)
    client = client_of(HttpFunction(Classifier(settings), settings, Cloud(no_storage)))
    with budget.reserve(budget.total):
        reply = post(client, jpeg)
        several = post(client, *multipart(part(jpeg), part(jpeg)))
    assert (reply.status, reply.reason) == (503, "UNAVAILABLE")
    assert int(reply.headers["Retry-After"]) >= 1
    assert reply.document["image"]["bytes"] == len(jpeg)
    assert [result["error"]["reason"] for result in several.document["results"]] == ["UNAVAILABLE"] * 2
    assert post(client, jpeg).status == 200


def test_internal_error_is_logged_not_answered(
    jpeg: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    classifier = Classifier(settings)
    client = client_of(HttpFunction(classifier, settings, Cloud(no_storage)))
    document = client.get("/openapi.json").get_json()
    monkeypatch.delattr("flowers.classifier.decode")
    with log_lines(capsys) as lines:
        response = client.post("/", data=jpeg, headers={"X-Cloud-Trace-Context": f"{TRACE}/1"})
    assert response.status_code == 500
    schema = document["paths"]["/"]["post"]["responses"]["500"]["$ref"]
    contract = Contract(document)
    contract.validate(contract.resolve({"$ref": schema})["content"]["application/json"]["schema"], response.get_json())
    assert "budget" not in response.text and "Traceback" not in response.text
    fault = next(line for line in lines if "Traceback" in line["message"])
    assert fault["severity"] == "ERROR" and "budget" in fault["message"]
    assert TRACE in fault["logging.googleapis.com/trace"]
