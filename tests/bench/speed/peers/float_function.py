"""Serve a plain function that decodes the whole photo and runs the float ONNX model."""

from typing import Any

import flask
import functions_framework
import onnxruntime
from photo import FORMS, answer, pixels

# More threads do not survive the fork of functions-framework.
_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = 1
_session = onnxruntime.InferenceSession(FORMS / "float.onnx", _options)


@functions_framework.http
def classify(request: flask.Request) -> dict[str, Any]:
    """Return the species of the photo in the body."""
    return answer(_session.run(["logits"], {"image": pixels(request.get_data())})[0])
