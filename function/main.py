"""The entry points of the deployment."""

import functools
import os
from typing import TYPE_CHECKING

import flask
import functions_framework
from cloudevents.http.event import CloudEvent

from flowers.allocator import return_large_blocks
from flowers.classifier import Classifier
from flowers.connections import keep_connections
from flowers.http_function import HttpFunction
from flowers.log import configure_logging
from flowers.settings import Settings
from flowers.upload_function import UploadFunction, acknowledge_what_is_no_event

if TYPE_CHECKING:
    from flowers.storage import Storage
    from flowers.topic import Topic


@functools.cache
def _storage() -> "Storage":
    """Made when first needed: its import is slow, and its connections must not cross a fork."""
    from flowers.storage import Storage

    return Storage()


@functools.cache
def _topic(name: str) -> "Topic":
    """The same for the topic that documents are published to."""
    from flowers.topic import Topic

    return Topic(name)


_settings = Settings.from_environment(os.environ)
configure_logging(_settings.log_level)
return_large_blocks()
keep_connections()
_classifier = Classifier(_settings)
_result_topic = functools.partial(_topic, _settings.result_topic) if _settings.result_topic else None
_http_function = HttpFunction(_classifier, _settings, _storage, _result_topic)
_upload_function = UploadFunction(_classifier, _settings, _storage, _result_topic)


@functions_framework.http
def classify_http(request: flask.Request) -> flask.Response:
    """A photo in, the species out."""
    return _http_function(request)


@functions_framework.cloud_event
def classify_upload(event: CloudEvent) -> None:
    """An uploaded photo's result, written beside it."""
    _upload_function(event)


if flask.current_app.name == classify_upload.__name__:
    acknowledge_what_is_no_event(flask.current_app)
