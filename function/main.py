"""The entry points of the deployment."""

import functools
import gc
import logging
import os
from typing import TYPE_CHECKING

import flask
import functions_framework
from cloudevents.http.event import CloudEvent

from flowers.allocator import return_large_blocks
from flowers.cold_start import ColdStart
from flowers.connections import keep_connections
from flowers.log import configure_logging
from flowers.model.loading import LoadingModel
from flowers.settings import Settings

if TYPE_CHECKING:
    from flowers.cloud.pubsub import Topic
    from flowers.cloud.storage import Storage
    from flowers.http.function import HttpFunction
    from flowers.upload import UploadFunction


@functools.cache
def _storage() -> "Storage":
    """Made when first needed: its import is slow, and its connections must not cross a fork."""
    from flowers.cloud.storage import Storage

    return Storage()


@functools.cache
def _topic(name: str) -> "Topic":
    """The same for the topic that documents are published to."""
    from flowers.cloud.pubsub import Topic

    return Topic(name)


def _start() -> tuple["HttpFunction", "UploadFunction"]:
    """Makes both functions; the code that needs no model is imported while that is loaded."""
    cold_start = ColdStart()
    settings = Settings.from_environment(os.environ)
    logger = configure_logging(settings.log_level)
    return_large_blocks()
    model = LoadingModel(settings)
    keep_connections()

    from flowers.classifier import Classifier
    from flowers.http.function import HttpFunction
    from flowers.upload import UploadFunction, acknowledge_what_is_no_event

    cold_start.end("imports")
    classifier = Classifier(settings, model.loaded())
    cold_start.end("model")
    if logger.isEnabledFor(logging.INFO):  # else answers have no entries
        logger.handlers[0].addFilter(cold_start)
    if flask.current_app.name == classify_upload.__name__:
        acknowledge_what_is_no_event(flask.current_app)
    topic = functools.partial(_topic, settings.result_topic) if settings.result_topic else None
    return HttpFunction(classifier, settings, _storage, topic), UploadFunction(classifier, settings, _storage, topic)


@functions_framework.http
def classify_http(request: flask.Request) -> flask.Response:
    """A photo in, the species out."""
    return _http_function(request)


@functions_framework.cloud_event
def classify_upload(event: CloudEvent) -> None:
    """An uploaded photo's result, written beside it."""
    _upload_function(event)


# What is made at the start stays: to look for garbage in it takes time here, and in the server's workers memory that
# they share (https://docs.python.org/3/library/gc.html#gc.freeze).
gc.disable()
_http_function, _upload_function = _start()
gc.freeze()
gc.enable()
