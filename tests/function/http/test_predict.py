"""Test that clients of TF Serving, KServe and Vertex AI get the documents of `POST /`."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from flowers.imaging.memory import Budget
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import Reply, ask, client_with, contract_of, post
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

VERTEX_ROUTES = {
    "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict",
}


def name_of(client: FlaskClient) -> str:
    name: str = ask(client, "GET", "/health").document["model"]["name"]
    return name


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def predict(client: FlaskClient, body: object, **options: Any) -> Reply:
    """Return the checked answer to a prediction request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(client, "POST", f"/v1/models/{name_of(client)}:predict", data, **options)


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("classified_at", "timing_ms")}


def reasons_of(reply: Reply) -> list[str | None]:
    return [document.get("error", {}).get("reason") for document in reply.document["predictions"]]


@pytest.mark.parametrize("holder", [None, "image", "image_bytes"])
def test_predict_answers_what_post_answers(client: FlaskClient, jpeg: bytes, holder: str | None) -> None:
    instance = {holder: b64(jpeg)} if holder else b64(jpeg)
    reply = predict(client, {"instances": [instance]})
    assert reply.status == 200
    (document,) = reply.document["predictions"]
    assert without_times(document) == without_times(post(client, jpeg).document)


@pytest.mark.parametrize("top", [2, 2.0, "2"])
def test_parameters_set_top_and_lang(client: FlaskClient, jpeg: bytes, top: object) -> None:
    reply = predict(client, {"instances": [b64(jpeg)], "parameters": {"top": top, "lang": "es", "other": 1}})
    expected = post(client, jpeg, query="top=2&lang=es").document
    assert reply.document["predictions"][0]["predictions"] == expected["predictions"]


def test_each_instance_has_its_own_result_or_error(client: FlaskClient, jpeg: bytes) -> None:
    png = encode(draw_flower(90, 80), "PNG")
    bad = [b64(b"text"), {"b64": "*"}, {"url": "x"}, "text", {"image": "text"}, b64(b"")]
    reply = predict(client, {"instances": [b64(jpeg), *bad, b64(png)]})
    malformed = ["MALFORMED_REQUEST"] * 4
    assert reasons_of(reply) == [None, "UNSUPPORTED_FORMAT", *malformed, "EMPTY_IMAGE", None]
    assert reply.document["predictions"][-1]["image"]["width"] == 90
    assert float(reply.headers["Server-Timing"].split("inference;dur=")[1].split(",")[0]) > 0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"instances"', b"\xff", b"[" * 100_000, b'{"instances": {}}', b'{"instances": []}',
     json.dumps({"instances": [{}] * 101}).encode(), b'{"instances": [{}], "parameters": [1]}'],
)  # fmt: skip
def test_malformed_body_is_refused(client: FlaskClient, body: bytes) -> None:
    reply = predict(client, body)
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "parameters", [{"top": 0}, {"top": 1.5}, {"top": True}, {"top": [1]}, {"top": 10**30}, {"lang": "xx"}, {"lang": 1}]
)
def test_invalid_parameter_is_refused(client: FlaskClient, parameters: object) -> None:
    reply = predict(client, {"instances": [b64(b"x")], "parameters": parameters})
    assert (reply.status, reply.reason) == (400, "INVALID_PARAMETER")


def test_null_parameters_are_the_defaults(client: FlaskClient, jpeg: bytes) -> None:
    for parameters in (None, {}, {"top": None, "lang": None}):
        assert reasons_of(predict(client, {"instances": [b64(jpeg)], "parameters": parameters})) == [None]


def test_too_large_request_is_refused_unread() -> None:
    reply = predict(client_with(max_image_bytes=3000), b" " * 100_000)
    assert (reply.status, reply.reason) == (413, "IMAGE_TOO_LARGE")


def test_overload_gets_503_and_retry_after(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(1_000_000, wait_seconds=0.1)
    monkeypatch.setattr("flowers.http.requests.Budget", lambda *_: budget)
    client = client_with()
    with budget.reserve(budget.total):
        reply = predict(client, {"instances": [b64(jpeg)]})
    assert (reply.status, reply.reason) == (503, "UNAVAILABLE")
    assert int(reply.headers["Retry-After"]) >= 1


def test_model_status_says_ready(client: FlaskClient) -> None:
    identity = ask(client, "GET", "/health").document["model"]
    document = ask(client, "GET", f"/v1/models/{identity['name']}").document
    assert (document["name"], document["ready"]) == (identity["name"], True)
    assert document["model_version_status"][0]["version"] == identity["version"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/other", "/v1/models/other:predict", "/v1/models/"])
def test_unknown_model_is_not_found(client: FlaskClient, path: str) -> None:
    reply = ask(client, "POST", path, b"{}")
    assert (reply.status, reply.reason) == (404, "NOT_FOUND")
    assert f"/v1/models/{name_of(client)}:predict" in reply.document["error"]["message"]


def test_wrong_method_lists_the_allowed(client: FlaskClient) -> None:
    path = f"/v1/models/{name_of(client)}"
    assert ask(client, "POST", path, b"{}").headers["Allow"] == "OPTIONS, GET, HEAD"
    assert ask(client, "GET", f"{path}:predict").headers["Allow"] == "OPTIONS, POST"


def test_openapi_names_the_served_model(client: FlaskClient) -> None:
    schema = contract_of(client).document["components"]["parameters"]["model"]["schema"]
    assert schema == {"type": "string", "enum": [name_of(client)]}


def test_vertex_routes_answer_when_set(monkeypatch: pytest.MonkeyPatch, jpeg: bytes) -> None:
    for name, route in VERTEX_ROUTES.items():
        monkeypatch.setenv(name, route)
    client = client_with()
    assert client.get(VERTEX_ROUTES["AIP_HEALTH_ROUTE"]).get_json()["status"] == "ok"
    answer = client.post(VERTEX_ROUTES["AIP_PREDICT_ROUTE"], json={"instances": [b64(jpeg)]}).get_json()
    assert without_times(answer["predictions"][0]) == without_times(post(client, jpeg).document)


def test_vertex_routes_are_unknown_when_unset(client: FlaskClient) -> None:
    for route in VERTEX_ROUTES.values():
        assert ask(client, "GET", route).status == 404


def test_vertex_predict_route_may_be_the_root(monkeypatch: pytest.MonkeyPatch, jpeg: bytes) -> None:
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/")
    client = client_with()
    assert len(client.post("/", json={"instances": [b64(jpeg)] * 2}).get_json()["predictions"]) == 2
    assert client.get("/").get_json()["status"] == "alive"


@pytest.fixture
def kserve() -> Any:
    """Return the package of KServe's own client. Skip the test if it is not installed."""
    return pytest.importorskip("kserve")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Return the address of functions-framework, serving in a process of its own."""
    port = free_port()
    server = ServerProcess(framework("classify_http", port), tmp_path / "log", clean_environment())
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()


def test_kserve_client_gets_predictions(kserve: Any, url: str, client: FlaskClient, jpeg: bytes) -> None:
    name, instances = name_of(client), {"instances": [b64(jpeg)], "parameters": {"top": 1}}

    async def use() -> tuple[bool, bool, dict[str, Any]]:
        rest = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v1"))
        return (
            await rest.is_server_live(url),
            await rest.is_model_ready(url, name),
            await rest.infer(url, instances, model_name=name),
        )

    live, ready, answer = asyncio.run(use())
    assert (live, ready) == (True, True)
    assert without_times(answer["predictions"][0]) == without_times(post(client, jpeg, query="top=1").document)


def test_server_listens_on_the_port_of_vertex(tmp_path: Path) -> None:
    own, port = free_port(), free_port()
    server = ServerProcess(
        framework("classify_http", own), tmp_path / "log", clean_environment(AIP_HTTP_PORT=str(port))
    )
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60)
        assert not answers(f"http://127.0.0.1:{own}/health")
    finally:
        server.kill()
