"""The HTTP adapter: requests to calls of the classifier, documents and errors to responses."""

import io
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Request, Response

from .archive import Archive
from .classifier import Classifier, Source, refusal
from .document import ErrorDocument, ResultDocument, Timing, error_document
from .errors import FlowersError, InputError, SurroundingsError
from .http_images import ImageReader
from .log import trace_fields
from .settings import LANGUAGES, Settings
from .stored_object import ObjectAddress, ObjectMissingError

if TYPE_CHECKING:
    from .storage import Storage

_OPENAPI = Path(__file__).parent / "openapi.json"
_DRAIN_BYTES = 64 * 1024 * 1024
_NOTHING_TIMED: Timing = {"decode": 0.0, "inference": 0.0, "total": 0.0}

logger = logging.getLogger(__name__)


class _Answer(NamedTuple):
    body: Mapping[str, Any] | None
    code: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    timing: Timing = _NOTHING_TIMED


def _drain(request: Request) -> None:
    """Reads what the client still sends, up to a limit, so that it gets to see the answer and memory stays bounded.

    functions-framework reads the rest of a request into memory before it answers; here nothing is left to read.
    """
    left = _DRAIN_BYTES
    with suppress(Exception):  # the client is gone, or its transfer is broken
        while left > 0 and (chunk := request.stream.read(min(left, 64 * 1024))):
            left -= len(chunk)
    request.stream = io.BytesIO()


class HttpFunction:
    """Answers the requests of the HTTP contract with `classifier`."""

    def __init__(self, classifier: Classifier, settings: Settings, storage: Callable[[], "Storage"]) -> None:
        """`storage` gives the adapter when a request or the archive first needs it."""
        self._classifier = classifier
        self._storage = storage
        self._archive = Archive(settings.archive_bucket, settings, storage) if settings.archive_bucket else None
        self._settings = settings
        self._images = ImageReader(settings.max_image_bytes)
        self._routes: dict[str, dict[str, Callable[[Request], _Answer]]] = {
            "/": {"GET": self._describe, "POST": self._classify},
            "/health": {"GET": self._health},
            "/species": {"GET": self._species},
            "/openapi.json": {"GET": self._openapi},
        }

    def __call__(self, request: Request) -> Response:
        """The response to any request; errors become error documents, never a traceback."""
        started = perf_counter()
        try:
            answer = self._dispatch(request)
        except FlowersError as error:
            answer = _refuse(error)
        except Exception:
            logger.exception("a request failed unexpectedly", extra={"fields": _trace(request)})
            answer = _refuse(SurroundingsError("INTERNAL", "The classifier failed. The fault is logged."))
        _drain(request)
        elapsed = round((perf_counter() - started) * 1000, 1)
        response = self._respond(answer, elapsed)
        self._log(request, answer, response, elapsed)
        return response

    def _dispatch(self, request: Request) -> _Answer:
        methods = self._routes.get(request.path)
        if methods is None:
            raise InputError("NOT_FOUND", f"Nothing is at this path. There are {', '.join(self._routes)}.")
        allowed = ["OPTIONS", *methods, *(["HEAD"] if "GET" in methods else [])]
        if request.method == "OPTIONS":
            return _Answer(None, 204, {"Allow": ", ".join(allowed), **self._preflight(allowed)})
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            refused = _refuse(InputError("METHOD_NOT_ALLOWED", f"Use {' or '.join(methods)} here."))
            return refused._replace(headers={"Allow": ", ".join(allowed)})
        return handler(request)

    def _describe(self, _: Request) -> _Answer:
        return _Answer(
            {
                "description": "Names the flower in a photograph. POST an image to /; /openapi.json has the details.",
                "model": self._classifier.identity,
                "paths": list(self._routes),
            }
        )

    def _health(self, _: Request) -> _Answer:
        return _Answer({"status": "ok", "model": self._classifier.identity})

    def _species(self, _: Request) -> _Answer:
        return _Answer({"species": self._classifier.species()})

    def _openapi(self, _: Request) -> _Answer:
        document: dict[str, Any] = json.loads(_OPENAPI.read_text(encoding="utf-8"))
        top = document["components"]["parameters"]["top"]["schema"]
        top["maximum"], top["default"] = len(self._classifier.model.card.labels), self._classifier.default_top
        document["components"]["parameters"]["lang"]["schema"]["default"] = self._settings.default_language
        return _Answer(document)

    def _classify(self, request: Request) -> _Answer:
        top, language = self._parameters(request)
        images = self._images.read(request)
        if isinstance(images, ObjectAddress):
            return self._classify_stored(images, top, language)
        if len(images) == 1:
            try:
                document = self._classify_sent(images[0], top, language)
            except FlowersError as error:
                return _refuse(error, refusal(error, images[0]))
            return _Answer(document, timing=document["timing_ms"])
        results: list[ResultDocument | ErrorDocument] = []
        timing = _NOTHING_TIMED
        for data in images:
            try:
                document = self._classify_sent(data, top, language)
            except FlowersError as error:
                results.append(refusal(error, data))
            else:
                results.append(document)
                timing = _sum(timing, document["timing_ms"])
        return _Answer({"results": results}, timing=timing)

    def _classify_sent(self, data: bytes, top: int | None, language: str | None) -> ResultDocument:
        document = self._classifier.classify(data, top, language)
        if self._archive:
            self._archive.keep(data, document)
        return document

    def _classify_stored(self, address: ObjectAddress, top: int | None, language: str | None) -> _Answer:
        source, data = Source(address.uri), None
        try:
            if address.bucket not in self._settings.allowed_buckets:
                raise InputError(
                    "BUCKET_NOT_ALLOWED",
                    f"The bucket {address.bucket} may not be read through this endpoint. Send the image's bytes.",
                )
            stored = self._storage().look_up(address)
            if stored is None:
                raise _not_found(address)
            source = Source(address.uri, str(stored.generation), stored.size)
            self._classifier.check_size(stored.size)
            try:
                data = self._storage().read(stored, self._settings.max_image_bytes)
            except ObjectMissingError:
                raise _not_found(address) from None
            document = self._classifier.classify(data, top, language, source)
        except FlowersError as error:
            if isinstance(error, SurroundingsError) and error.__cause__:
                logger.warning("%s (%s)", error.message, error.__cause__)
            return _refuse(error, refusal(error, data, source))
        return _Answer(document, timing=document["timing_ms"])

    def _parameters(self, request: Request) -> tuple[int | None, str | None]:
        text, language = request.args.get("top"), request.args.get("lang")
        most = len(self._classifier.model.card.labels)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise InputError("INVALID_PARAMETER", f"top should be a whole number from 1 to {most}.")
        if language is not None and language not in LANGUAGES:
            raise InputError("INVALID_PARAMETER", f"lang should be one of {', '.join(LANGUAGES)}.")
        return None if text is None else int(text), language

    def _preflight(self, allowed: list[str]) -> dict[str, str]:
        if self._settings.cors_allow_origin is None:
            return {}
        return {
            "Access-Control-Allow-Methods": ", ".join(allowed),
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "3600",
        }

    def _respond(self, answer: _Answer, elapsed: float) -> Response:
        text = "" if answer.body is None else json.dumps(answer.body, ensure_ascii=False) + "\n"
        response = Response(text, answer.code, answer.headers, mimetype="application/json")
        timing = answer.timing
        response.headers["Server-Timing"] = (
            f"decode;dur={timing['decode']:.1f}, inference;dur={timing['inference']:.1f}, total;dur={elapsed:.1f}"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        if origin := self._settings.cors_allow_origin:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Server-Timing"
            if origin != "*":
                response.headers["Vary"] = "Origin"
        return response

    def _log(self, request: Request, answer: _Answer, response: Response, elapsed: float) -> None:
        level = logging.ERROR if answer.code >= 500 else logging.INFO
        reason = "" if answer.body is None else answer.body.get("error", {}).get("reason", "")
        fields = {
            "httpRequest": {
                "requestMethod": request.method,
                "requestUrl": request.path,
                "status": answer.code,
                "latency": f"{elapsed / 1000:.4f}s",
                "responseSize": str(response.content_length),
                "userAgent": request.user_agent.string,
            },
            **_trace(request),
        }
        logger.log(level, f"{request.method} {request.path} {answer.code} {reason}".rstrip(), extra={"fields": fields})


def _trace(request: Request) -> dict[str, str]:
    return trace_fields(request.headers.get("X-Cloud-Trace-Context"))


def _refuse(error: FlowersError, document: ErrorDocument | None = None) -> _Answer:
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, SurroundingsError) else {}
    return _Answer(document or error_document(error), error.code, headers)


def _not_found(address: ObjectAddress) -> InputError:
    return InputError("NOT_FOUND", f"There is no object {address.uri}.")


def _sum(one: Timing, other: Timing) -> Timing:
    return {
        "decode": one["decode"] + other["decode"],
        "inference": one["inference"] + other["inference"],
        "total": one["total"] + other["total"],
    }
