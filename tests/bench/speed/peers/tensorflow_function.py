"""A function on TensorFlow. The SavedModel is loaded at the first request: loaded before the fork, TensorFlow hangs."""

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
    """The species of the photo in the body."""
    return answer(_model().serve(pixels(request.get_data()).astype("float32")).numpy())
