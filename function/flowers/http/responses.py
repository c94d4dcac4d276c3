"""Turn answers into responses: JSON or HTML, with the headers that every response has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

from flask import Flask, Request, Response, request

from ..documents import ErrorDocument, Timing, error_document, one_line
from ..errors import FlowersError, InputError, UnavailableError
from ..log import trace_id

_REQUEST_ID = "flowers.request_id"
NOTHING_TIMED: Timing = {"decode": 0.0, "inference": 0.0, "total": 0.0}


class Answer(NamedTuple):
    """Hold what a route answers: a document, the text of an HTML page, or nothing; and the time that it took."""

    body: Mapping[str, Any] | str | None
    code: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    timing: Timing = NOTHING_TIMED

    @property
    def reason(self) -> str:
        """Return the reason of an error document, or "" for any other answer."""
        reason: str = self.body.get("error", {}).get("reason", "") if isinstance(self.body, Mapping) else ""
        return reason


def refuse(error: FlowersError, document: ErrorDocument | None = None) -> Answer:
    """Return the answer for an error. Give `document` if it says more of the image than the error does."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, UnavailableError) else {}
    return Answer(document or error_document(error), error.code, headers)


def request_id_of(asked: Request) -> str:
    """Return the trace that a request belongs to, which finds it in the log, or else an ID of its own."""
    trace = trace_id(asked.headers.get("X-Cloud-Trace-Context"), asked.headers.get("traceparent"))
    request_id: str = asked.environ.setdefault(_REQUEST_ID, trace or uuid4().hex)
    return request_id


def with_request_id(answer: Answer, request_id: str) -> Answer:
    """Return the answer with the request's ID in its error documents."""
    body: Any = answer.body
    if isinstance(body, Mapping):
        for document in [body, *body.get("results", []), *body.get("predictions", [])]:
            if "error" in document:
                document["error"]["request_id"] = request_id
    return answer


def respond(asked: Request, answer: Answer, elapsed: float, allow_origin: str | None) -> Response:
    """Return the response to `asked` after `elapsed` milliseconds.

    `allow_origin` is the origin that may read it, or `*`. If the request names the answer's ETag, the response is 304.
    """
    if isinstance(answer.body, str):
        response = Response(answer.body, answer.code, answer.headers, mimetype="text/html")
    else:
        line = b"" if answer.body is None else one_line(answer.body) + b"\n"
        response = Response(line, answer.code, answer.headers, mimetype="application/json")
    timing = answer.timing
    response.headers["Server-Timing"] = (
        f"decode;dur={timing['decode']:.1f}, inference;dur={timing['inference']:.1f}, total;dur={elapsed:.1f}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    if allow_origin:
        response.headers["Access-Control-Allow-Origin"] = allow_origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After, Server-Timing"
        if allow_origin != "*":
            response.vary.add("Origin")
    if "ETag" in answer.headers:
        response.make_conditional(asked)
    return response


def answer_reserved_paths(app: Flask, function: Callable[[Request], Response]) -> None:
    """Let `function` answer also the paths that functions-framework answers itself: /favicon.ico and /robots.txt."""

    def answer(_: Exception) -> Response:
        current: Request = request._get_current_object()  # type: ignore[attr-defined]
        return function(current)

    app.register_error_handler(404, answer)


def bad_request(status: int) -> tuple[int, bytes]:
    """Return status and body of the answer to a request that the server cannot read; `status` is the server's."""
    if status == 431:
        error = InputError("HEADERS_TOO_LARGE", "The request's headers are too large. Send shorter or fewer headers.")
    elif status == 500:
        return 500, one_line(error_document(UnavailableError("INTERNAL", "The server failed."))) + b"\n"
    else:
        error = InputError("MALFORMED_REQUEST", "The request is not valid HTTP.")
    return error.code, one_line(error_document(error)) + b"\n"
