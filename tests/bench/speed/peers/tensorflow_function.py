"""Serve a function on TensorFlow, which loads its model at the first request: loaded before the fork, it hangs."""

import functools
from typing import Any

import flask
import functions_framework
from photo import FORMS, answer, pixels


@functools.cache
def _model() -> Any:
    import tensorflow as tf

    return tf.saved_model.load(str(FORMS / "saved_model"))


@functions_framework.http
def classify(request: flask.Request) -> dict[str, Any]:
    """Return the species of the photo in the body."""
    return answer(_model().serve(pixels(request.get_data()).astype("float32")).numpy())
