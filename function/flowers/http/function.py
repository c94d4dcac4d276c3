"""Translate HTTP: requests into calls of the classifier, documents and errors into responses."""

import io
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from flask import Request, Response

from .. import __version__
from ..classifier import Classifier, Reading, Source, image_error
from ..cloud.clients import Cloud
from ..cloud.objects import ObjectAddress, ObjectMissingError
from ..documents import RESULT_SCHEMA, ErrorDocument, ResultDocument, Timing, error_document, without_heatmaps
from ..errors import FlowersError, InputError, UnavailableError
from ..log import trace_fields
from ..model.species import LANGUAGES
from ..results.archive import Archive
from ..results.publisher import Publisher
from ..results.writer import ResultWriter
from ..settings import Settings
from .options import QueryOptions, read_flag, read_options
from .page import load_page
from .requests import ImageReader
from .responses import NOTHING_TIMED, Answer, refuse, request_id_of, respond, with_request_id
from .work import RequestWork

_OPENAPI = Path(__file__).parent / "openapi.json"
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


# More photos than this make an answer no surer.
_MAX_FUSED_PHOTOS = 5


class HttpFunction:
    """Answer the requests of the HTTP contract with `classifier`."""

    def __init__(self, classifier: Classifier, settings: Settings, cloud: Cloud) -> None:
        self._classifier = classifier
        self._cloud = cloud
        self._writer = ResultWriter(classifier, settings, cloud)
        self._archive = Archive(settings.archive_bucket, settings, cloud) if settings.archive_bucket else None
        self._publisher = Publisher(cloud, classifier.identity["version"]) if cloud.open_topic else None
        self._settings = settings
        self._images = ImageReader(settings.max_image_bytes)
        self._page = load_page(archived=settings.archive_bucket is not None)
        self._routes: _Routes = {
            "/": {"GET": self._describe, "POST": self._classify_and_publish},
            "/health": {"GET": self._health},
            "/species": {"GET": self._species},
            "/openapi.json": {"GET": self._openapi},
        }
        self._serving_routes = self._make_serving_routes(os.environ)

    def __call__(self, request: Request) -> Response:
        """Return the response to any request. Errors become error documents, never a traceback."""
        started = perf_counter()
        try:
            answer = self._dispatch(request)
        except FlowersError as error:
            answer = refuse(error)
        except Exception:
            logger.exception("a request failed unexpectedly", extra={"fields": _trace(request)})
            message = "Internal error, which is logged. Retry once, then tell the operator the `request_id`."
            answer = refuse(UnavailableError("INTERNAL", message))
        request_id = request_id_of(request)
        answer = with_request_id(answer, request_id)
        _drain(request)
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

    def _make_serving_routes(self, environment: Mapping[str, str]) -> _Routes:
        """Return the routes that model servers have: those of KServe and TF Serving, and those that Vertex AI sets."""
        model = f"/v1/models/{self._classifier.identity['name']}"
        routes: _Routes = {model: {"GET": self._model_status}, f"{model}:predict": {"POST": self._predict}}
        if route := environment.get("AIP_HEALTH_ROUTE"):
            routes.setdefault(route, {})["GET"] = self._health
        if route := environment.get("AIP_PREDICT_ROUTE"):
            routes.setdefault(route, {})["POST"] = self._predict
        return routes

    def _describe(self, request: Request) -> Answer:
        if request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html":
            return Answer(self._page.text, headers={**self._page.headers, "Vary": "Accept"})
        description = {
            "description": "Names the flower in a photograph. POST an image to /; /openapi.json has the details.",
            "status": "alive",
            "model": self._classifier.identity,
            "paths": list(self._routes),
        }
        return Answer(description, headers={"Vary": "Accept"})

    def _health(self, _: Request) -> Answer:
        return Answer({"status": "ok", "version": __version__, "model": self._classifier.identity})

    def _model_status(self, _: Request) -> Answer:
        identity = self._classifier.identity
        version = {
            "version": identity["version"],
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return Answer({"name": identity["name"], "ready": True, "model_version_status": [version]})

    def _species(self, _: Request) -> Answer:
        return Answer({"species": self._classifier.species()})

    def _openapi(self, _: Request) -> Answer:
        document: dict[str, Any] = json.loads(_OPENAPI.read_text(encoding="utf-8"))
        document["info"]["version"] = __version__
        top = document["components"]["parameters"]["top"]["schema"]
        top["maximum"], top["default"] = len(self._classifier.model.card.labels), self._classifier.default_top
        document["components"]["parameters"]["model"]["schema"]["enum"] = [self._classifier.identity["name"]]
        lang = document["components"]["parameters"]["lang"]["schema"]
        lang["enum"], lang["default"] = LANGUAGES, self._settings.default_language
        document["components"]["schemas"]["Species"]["properties"]["names"]["required"] = LANGUAGES
        return Answer(document)

    def _classify_and_publish(self, request: Request) -> Answer:
        options = self._options(request, request.args)
        answer = self._classify(request, self._recorded(options))
        body: Any = answer.body
        documents = body.get("results", [body])
        asked = self._publish(documents, options)
        return answer._replace(body={"results": asked} if "results" in body else asked[0])

    def _recorded(self, options: QueryOptions) -> QueryOptions:
        """Return the options of a document from which both the answer and what is stored can be made."""
        return options._replace(top=max(options.top or 0, self._classifier.default_top), language=None)

    def _as_stored(self, document: ResultDocument) -> ResultDocument:
        """Return a result as an upload gets it, whatever the caller's `top`, `lang` and `heatmap`."""
        return self._classifier.shown(without_heatmaps(document))

    def _publish(
        self, documents: Sequence[ResultDocument | ErrorDocument], options: QueryOptions
    ) -> list[ResultDocument | ErrorDocument]:
        """Publish documents as uploads get them, and return them with the caller's `top` and `lang`."""
        if self._publisher:
            stored = [self._as_stored(one) if one["schema"] == RESULT_SCHEMA else one for one in documents]
            self._publisher.publish({"results": stored})
        top, language, _ = options
        return [
            self._classifier.shown(one, top, language) if one["schema"] == RESULT_SCHEMA else one for one in documents
        ]

    def _predict(self, request: Request) -> Answer:
        from .predict import read_prediction_request

        with self._images.read(request, read_prediction_request) as (images, parameters):
            options = self._options(request, parameters)
            documents, timing = self._classify_each(images, self._recorded(options))
        return Answer({"predictions": self._publish(documents, options)}, timing=timing)

    def _classify(self, request: Request, options: QueryOptions) -> Answer:
        fused = read_flag(request.args, "fuse")
        with self._images.images(request) as images:
            if fused:
                return self._classify_plant(images, options)
            if isinstance(images, ObjectAddress):
                return self._classify_stored(images, options)
            return self._classify_images(images, options)

    def _classify_images(self, images: Sequence[bytes], options: QueryOptions) -> Answer:
        if len(images) == 1:
            try:
                document = self._classify_sent(images[0], options)
            except FlowersError as error:
                return refuse(error, image_error(error, images[0]))
            return Answer(document, timing=document["timing_ms"])
        results, timing = self._classify_each(images, options)
        return Answer({"results": results}, timing=timing)

    def _classify_plant(self, images: list[bytes] | ObjectAddress, options: QueryOptions) -> Answer:
        """Answer with one result for several photos of one plant."""
        count = 1 if isinstance(images, ObjectAddress) else len(images)
        if isinstance(images, ObjectAddress) or not 2 <= count <= _MAX_FUSED_PHOTOS:
            raise InputError(
                "INVALID_PARAMETER",
                f"fuse=1 takes 2 to {_MAX_FUSED_PHOTOS} parts named `image`, but the request has {count}.",
            )
        photos: list[Reading] = []
        for number, data in enumerate(images, 1):
            try:
                photos.append(self._classifier.read(data))
            except FlowersError as error:
                faulty = image_error(error, data)
                faulty["error"]["message"] = f"Photo {number} of {count}: {error.message}"
                return refuse(error, faulty)
        document = self._classifier.answer(photos, *options)
        if self._archive:
            for data, photo in zip(images, photos, strict=True):
                self._archive.keep(data, {**self._as_stored(document), "image": photo.image})
        return Answer(document, timing=document["timing_ms"])

    def _classify_each(
        self, images: Sequence[bytes | InputError], options: QueryOptions
    ) -> tuple[list[ResultDocument | ErrorDocument], Timing]:
        """Return the document of each image, in order, and the time that all took together."""
        results: list[ResultDocument | ErrorDocument] = []
        timing = NOTHING_TIMED
        work = RequestWork(self._settings.max_image_pixels)
        for data in images:
            if isinstance(data, InputError):
                results.append(error_document(data))
                continue
            try:
                work.check()
                document = self._classify_sent(data, options)
            except FlowersError as error:
                results.append(image_error(error, data))
            else:
                results.append(document)
                timing = _sum(timing, document["timing_ms"])
            work.add(results[-1])
        return results, timing

    def _classify_sent(self, data: bytes, options: QueryOptions) -> ResultDocument:
        document = self._classifier.classify(data, options.top, options.language, heatmaps=options.heatmaps)
        if self._archive:
            self._archive.keep(data, self._as_stored(document))
        return document

    def _classify_stored(self, address: ObjectAddress, options: QueryOptions) -> Answer:
        source = Source(address.uri)
        try:
            if address.bucket not in self._settings.allowed_buckets:
                raise InputError(
                    "BUCKET_NOT_ALLOWED",
                    f"Bucket {address.bucket} is not allowed here. Send the image's bytes.",
                )
            image = self._cloud.storage.look_up(address)
            if image is None:
                raise _not_found(address)
            source = Source(address.uri, str(image.generation), image.size)
            try:
                document = self._writer.classify(image, *options)
            except ObjectMissingError:
                raise _not_found(address) from None
        except FlowersError as error:
            if isinstance(error, UnavailableError) and error.__cause__:
                logger.warning("%s (%s)", error.message, error.__cause__)
            return refuse(error, image_error(error, None, source))
        if document["schema"] == RESULT_SCHEMA:
            return Answer(document, timing=document["timing_ms"])
        return Answer(document, document["error"]["code"])

    def _options(self, request: Request, parameters: Mapping[str, str]) -> QueryOptions:
        return read_options(parameters, request.accept_languages, len(self._classifier.model.card.labels))

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


def _not_found(address: ObjectAddress) -> InputError:
    return InputError("NOT_FOUND", f"Object {address.uri} not found. Check the address.")


def _sum(one: Timing, other: Timing) -> Timing:
    return {
        "decode": one["decode"] + other["decode"],
        "inference": one["inference"] + other["inference"],
        "total": one["total"] + other["total"],
    }
