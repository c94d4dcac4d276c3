"""Define the entry points of the deployment."""

import logging
import os
from typing import TYPE_CHECKING

import flask
import functions_framework
from cloudevents.http.event import CloudEvent

from flowers.log import ColdStart, configure_logging, log_everything
from flowers.model.loading import LoadingModel
from flowers.process import (
    answer_bad_requests,
    keep_connections,
    listen_on_vertex_port,
    permanent_objects,
    return_large_blocks,
)
from flowers.settings import Settings

if TYPE_CHECKING:
    from flowers.http.function import HttpFunction
    from flowers.upload import UploadFunction


def _start() -> tuple["HttpFunction", "UploadFunction"]:
    """Make both functions. Import the code that needs no model while the model is loaded."""
    cold_start = ColdStart()
    logger = configure_logging()
    log_everything()
    settings = Settings.from_environment(os.environ)
    logger.setLevel(settings.log_level)
    return_large_blocks()
    model = LoadingModel(settings.model_path)
    keep_connections()
    listen_on_vertex_port()

    from flowers.classifier import Classifier
    from flowers.cloud.clients import Cloud
    from flowers.http.function import HttpFunction
    from flowers.http.responses import answer_reserved_paths, bad_request
    from flowers.results.writer import ResultWriter
    from flowers.upload import UploadFunction, acknowledge_malformed_requests

    cold_start.end("imports")
    classifier = Classifier(settings, model.loaded())
    cold_start.end("model")
    if logger.isEnabledFor(logging.INFO):  # else answers have no entries
        logger.handlers[0].addFilter(cold_start)
    cloud = Cloud.with_topic(settings.result_topic)
    http_function = HttpFunction(classifier, settings, cloud)
    if flask.current_app.name == classify_http.__name__:
        answer_reserved_paths(flask.current_app, http_function)
        answer_bad_requests(bad_request)
    else:
        acknowledge_malformed_requests(flask.current_app)
    return http_function, UploadFunction(ResultWriter(classifier, settings, cloud))


@functions_framework.http
def classify_http(request: flask.Request) -> flask.Response:
    """Answer a request with the species of its photo."""
    return _http_function(request)


@functions_framework.cloud_event
def classify_upload(event: CloudEvent) -> None:
    """Write the result of an uploaded photo beside it."""
    _upload_function(event)


with permanent_objects():
    _http_function, _upload_function = _start()
