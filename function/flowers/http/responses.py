"""Answers to responses: a document as JSON or a page as HTML, with the headers that every response carries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import Request, Response

from ..documents import ErrorDocument, Timing, error_document, one_line
from ..errors import FlowersError, UnavailableError

NOTHING_TIMED: Timing = {"decode": 0.0, "inference": 0.0, "total": 0.0}


class Answer(NamedTuple):
    """What a route answers: a document, the text of an HTML page, or nothing; and the time that it took."""

    body: Mapping[str, Any] | str | None
    code: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    timing: Timing = NOTHING_TIMED

    @property
    def reason(self) -> str:
        """The reason of an error document, "" for any other answer."""
        reason: str = self.body.get("error", {}).get("reason", "") if isinstance(self.body, Mapping) else ""
        return reason


def refuse(error: FlowersError, document: ErrorDocument | None = None) -> Answer:
    """The answer that says what went wrong; `document` is one that knows more of the image than the error does."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, UnavailableError) else {}
    return Answer(document or error_document(error), error.code, headers)


def respond(request: Request, answer: Answer, elapsed: float, allow_origin: str | None) -> Response:
    """The response to `request` after `elapsed` milliseconds; `allow_origin` is the origin that may read it, or `*`.

    Where the answer has an ETag and the request names it, nothing but 304 is sent.
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
        response.headers["Access-Control-Expose-Headers"] = "Server-Timing"
        if allow_origin != "*":
            response.vary.add("Origin")
    if "ETag" in answer.headers:
        response.make_conditional(request)
    return response
