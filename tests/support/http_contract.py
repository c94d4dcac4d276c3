"""Send requests as bytes, and check answers against the OpenAPI document that the function serves."""

import base64
import io
import json
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from flask import Flask, Request, Response, request
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.datastructures import Headers

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.cloud.storage import Storage
from flowers.http.function import HttpFunction
from flowers.settings import Settings
from tests.support.paths import ROOT

# What no answer may show: a traceback, or where the code lies on the server.
SECRETS = (b"Traceback", b'File "', b"site-packages", b"flowers.onnx", str(ROOT).encode())
_BOUNDARY = "----flower-boundary-7MA4YWxkTrZu0gW"


class Reply(NamedTuple):
    """Hold an answer that keeps the contract, and its document (None without a body)."""

    status: int
    headers: Headers
    body: bytes
    document: Any

    @property
    def reason(self) -> str:
        """Return the reason of an error document, "" for any other."""
        reason: str = self.document.get("error", {}).get("reason", "") if self.document else ""
        return reason


class Contract:
    """Check answers against an OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return the part of the document that `part` refers to, or `part` itself."""
        while "$ref" in part:
            target: dict[str, Any] = self.document
            for key in part["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            part = target
        return part

    def validate(self, schema: dict[str, Any], value: Any) -> None:
        """Fail unless `value` follows `schema`, a schema of the document."""
        rooted = {**schema, "components": self.document["components"]}
        checker = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator(rooted, format_checker=checker).validate(value)

    def check(self, method: str, path: str, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Reply:
        """Return the answer to `method` at `path` (without its query). Fail unless the document lists it."""
        got = Headers(list(headers))
        assert status != 500, body
        assert not [secret for secret in SECRETS if secret in body], body
        answers = self._answers(method, path)
        assert str(status) in answers, f"{method} {path} answered {status}, not in the document: {body[:300]!r}"
        answer = self.resolve(answers[str(status)])
        for name, reference in answer.get("headers", {}).items():
            header = self.resolve(reference)
            assert name in got or not header["required"], f"{name} is missing"
            value = got[name]
            self.validate(header["schema"], int(value) if header["schema"]["type"] == "integer" else value)
        if "content" not in answer or method == "HEAD":
            assert body == b""
            return Reply(status, got, body, None)
        assert got["Content-Type"] == "application/json"
        document = json.loads(body.decode("utf-8"))
        self.validate(answer["content"]["application/json"]["schema"], document)
        if method == "POST":
            check_meaning(document, status)
        return Reply(status, got, body, document)

    def _answers(self, method: str, path: str) -> dict[str, Any]:
        operations = self.document["paths"].get(self._template(path))
        if operations is None:
            return {"404": {"$ref": "#/components/responses/NotFound"}}
        operation = operations.get(method.lower())
        if operation is None:
            return {"405": {"$ref": "#/components/responses/MethodNotAllowed"}}
        answers: dict[str, Any] = operation["responses"]
        return answers

    def _template(self, path: str) -> str:
        """Return the path as the document writes it: the model's name as `{name}`."""
        (name,) = self.document["components"]["parameters"]["model"]["schema"]["enum"]
        return path.replace(f"/v1/models/{name}", "/v1/models/{name}")


def check_meaning(document: dict[str, Any], status: int | None = None) -> None:
    """Check what a schema cannot say: codes repeat the status, and the first prediction is the best and identified."""
    if "schema" not in document:
        for part in document.get("results") or document.get("predictions") or []:
            check_meaning(part)
        return
    if "error" in document:
        assert status in (None, document["error"]["code"])
    if "predictions" in document:
        assert status in (None, 200)
        confidences = [prediction["confidence"] for prediction in document["predictions"]]
        assert confidences == sorted(confidences, reverse=True)
        assert document["confidence"] == confidences[0]
        assert document["identified"] == (document["species"] is not None)
        if document["identified"]:
            assert document["species"]["label"] == document["predictions"][0]["label"]
        timing = document["timing_ms"]
        assert timing["total"] + 0.2 >= timing["decode"] + timing["inference"]


@cache
def contract_of(client: FlaskClient) -> Contract:
    """Return the contract as `client`'s function serves it."""
    return Contract(client.get("/openapi.json").get_json())


def ask(client: FlaskClient, method: str, target: str, body: bytes | None = None, **options: Any) -> Reply:
    """Return the checked answer of `client`; `options` are those of werkzeug's `EnvironBuilder`."""
    response = client.open(target, method=method, data=body, **options)
    path = target.partition("?")[0]
    return contract_of(client).check(method, path, response.status_code, response.headers.items(), response.get_data())


def post(client: FlaskClient, body: bytes, content_type: str | None = None, query: str = "") -> Reply:
    """Return the checked answer to an image, JSON or anything else sent to `/`."""
    return ask(client, "POST", f"/?{query}" if query else "/", body, content_type=content_type)


def post_unannounced(client: FlaskClient, body: bytes, content_type: str | None = None) -> Reply:
    """Do as `post` without announcing the body's length, as a server passes on a chunked transfer."""
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    stream = io.BytesIO(body)
    return ask(client, "POST", "/", content_type=content_type, input_stream=stream, environ_overrides=environ)


def no_storage() -> Storage:
    """Fail if the function uses storage."""
    raise AssertionError("this request is nothing for Cloud Storage")


def client_with(**changes: Any) -> FlaskClient:
    """Return a client of the function with `changes` of the default settings, in a server that passes on everything."""
    settings = Settings(**changes)
    return client_of(HttpFunction(Classifier(settings), settings, Cloud(no_storage)))


def client_of(function: HttpFunction) -> FlaskClient:
    """Return a client of `function` in a server that passes on every path and method."""
    app = Flask("wrapped", root_path=str(ROOT))

    @app.before_request
    def answer() -> Response:
        current: Request = request._get_current_object()  # type: ignore[attr-defined]
        return function(current)

    return app.test_client()


def json_request(content: bytes | str) -> bytes:
    """Return the JSON body with an image's bytes, or with a text in place of their base64."""
    text = content if isinstance(content, str) else base64.b64encode(content).decode()
    return json.dumps({"image": {"content": text}}).encode()


def part(content: bytes, name: str = "image", filename: str | None = "photo.jpg") -> bytes:
    """Return a multipart part; a plain field without `filename`."""
    file = f'; filename="{filename}"\r\nContent-Type: image/jpeg' if filename else ""
    return f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content


def multipart(*parts: bytes) -> tuple[bytes, str]:
    """Return the body of a form and its content type (RFC 7578)."""
    delimiter = f"--{_BOUNDARY}".encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
    return body, f"multipart/form-data; boundary={_BOUNDARY}"
