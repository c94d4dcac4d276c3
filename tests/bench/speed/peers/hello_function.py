"""An empty function: what functions-framework itself takes to start."""

import flask
import functions_framework


@functions_framework.http
def classify(_: flask.Request) -> str:
    """Answers anything."""
    return "hello"
