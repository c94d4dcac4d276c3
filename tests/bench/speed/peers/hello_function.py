"""Serve an empty function, to measure functions-framework alone."""

import flask
import functions_framework


@functions_framework.http
def classify(_: flask.Request) -> str:
    """Answer any request."""
    return "hello"
