"""Translate HTTP: requests into calls of the classifier, documents and errors into responses."""

import io
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

from flask import Request, Response

from ..classifier import Classifier
from ..cloud.clients import Cloud
from ..errors import FlowersError, InputError, UnavailableError
from ..log import trace_fields
from ..settings import Settings
from .classification import Classification
from .deadline import BodyDeadline
from .description import Description
from .responses import Answer, refuse, request_id_of, respond, with_request_id

if TYPE_CHECKING:
    from .corrections import Corrections

_Routes = dict[str, dict[str, Callable[[Request], Answer]]]
_DRAIN_BYTES = 64 * 1024 * 1024

logger = logging.getLogger(__name__)


def _drain(request: Request) -> None:
    """Read what the client still sends, up to a limit, so that it sees the answer and memory stays bounded.

    Otherwise functions-framework reads the rest of a request into memory before it answers.
    """
    left = _DRAIN_BYTES
    with suppress(Exception):  # the client is gone, or its transfer is broken
        while left > 0 and (chunk := request.stream.read(min(left, 64 * 1024))):
            left -= len(chunk)
    request.stream = io.BytesIO()


class HttpFunction:
    """Answer the requests of the HTTP contract with `classifier`."""

    def __init__(self, classifier: Classifier, settings: Settings, cloud: Cloud) -> None:
        self._classifier, self._settings, self._cloud = classifier, settings, cloud
        self._photos = photos = Classification(classifier, settings, cloud)
        description = Description(classifier, settings)
        self._routes: _Routes = {
            "/": {
                "GET": lambda request: description.overview(request, list(self._routes)),
                "POST": photos.classify,
            },
            "/health": {"GET": description.health},
            "/species": {"GET": description.species},
            "/openapi.json": {"GET": description.openapi},
        }
        if settings.archive_bucket:
            self._routes["/corrections"] = {"POST": self._correct}
        # What model servers answer: KServe and TF Serving, and the paths that Vertex AI sets.
        model = f"/v1/models/{classifier.identity['name']}"
        self._serving_routes: _Routes = {
            model: {"GET": description.model_status},
            f"{model}:predict": {"POST": photos.predict},
        }
        if route := os.environ.get("AIP_HEALTH_ROUTE"):
            self._serving_routes.setdefault(route, {})["GET"] = description.health
        if route := os.environ.get("AIP_PREDICT_ROUTE"):
            self._serving_routes.setdefault(route, {})["POST"] = photos.predict

    def __call__(self, request: Request) -> Response:
        """Return the response to any request. Errors become error documents, never a traceback."""
        started = perf_counter()
        request_id = request_id_of(request)
        with BodyDeadline(request) as deadline:
            try:
                answer = self._dispatch(request)
            except FlowersError as error:
                answer = refuse(deadline.error(error))
            except Exception:
                logger.exception("a request failed unexpectedly", extra={"fields": _trace(request)})
                message = "Internal error, which is logged. Retry once, then tell the operator the `request_id`."
                answer = refuse(UnavailableError("INTERNAL", message))
            _drain(request)
        answer = with_request_id(answer, request_id)
        elapsed = round((perf_counter() - started) * 1000, 1)
        response = respond(request, answer, elapsed, self._settings.cors_allow_origin)
        self._log(request, answer, response, elapsed, request_id)
        return response

    def _dispatch(self, request: Request) -> Answer:
        methods = self._routes.get(request.path, {}) | self._serving_routes.get(request.path, {})
        if not methods:
            paths = ", ".join([*self._routes, *self._serving_routes])
            raise InputError("NOT_FOUND", f"Unknown path. Available paths: {paths}.")
        allowed = ["OPTIONS", *methods, *(["HEAD"] if "GET" in methods else [])]
        if request.method == "OPTIONS":
            return Answer(None, 204, {"Allow": ", ".join(allowed), **self._preflight(allowed)})
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            refused = refuse(
                InputError("METHOD_NOT_ALLOWED", f"{request.method} is not allowed. Use {' or '.join(methods)}.")
            )
            return refused._replace(headers={"Allow": ", ".join(allowed)})
        return handler(request)

    @cached_property
    def _corrections(self) -> "Corrections":
        from .corrections import Corrections  # few instances need it

        return Corrections(self._classifier, self._settings, self._cloud)

    def _correct(self, request: Request) -> Answer:
        return self._corrections.store(request)

    def _preflight(self, allowed: list[str]) -> dict[str, str]:
        if self._settings.cors_allow_origin is None:
            return {}
        return {
            "Access-Control-Allow-Methods": ", ".join(allowed),
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "3600",
        }

    def _log(self, request: Request, answer: Answer, response: Response, elapsed: float, request_id: str) -> None:
        level = logging.ERROR if answer.code >= 500 else logging.INFO
        fields = {
            "httpRequest": {
                "requestMethod": request.method,
                "requestUrl": request.path,
                "status": response.status_code,
                "latency": f"{elapsed / 1000:.4f}s",
                "responseSize": str(response.content_length),
                "userAgent": request.user_agent.string,
            },
            "request_id": request_id,
            **_trace(request),
        }
        message = f"{request.method} {request.path} {response.status_code} {answer.reason}".rstrip()
        logger.log(level, message, extra={"fields": fields})


def _trace(request: Request) -> dict[str, str]:
    return trace_fields(request.headers.get("X-Cloud-Trace-Context"), request.headers.get("traceparent"))
