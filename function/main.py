"""The entry points of the deployment."""

import os

import flask
import functions_framework

from flowers.classifier import Classifier
from flowers.http_function import HttpFunction
from flowers.log import configure_logging
from flowers.settings import Settings

_settings = Settings.from_environment(os.environ)
configure_logging(_settings.log_level)
_classifier = Classifier(_settings)
_http_function = HttpFunction(_classifier, _settings)


@functions_framework.http
def classify_http(request: flask.Request) -> flask.Response:
    """A photo in, the species out."""
    return _http_function(request)
