"""A plain function: the photo decoded whole, the float ONNX model run by onnxruntime as it comes."""

from typing import Any

import flask
import functions_framework
import onnxruntime
from photo import FORMS, answer, pixels

# More than one thread would not survive functions-framework's fork.
_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = 1
_session = onnxruntime.InferenceSession(FORMS / "float.onnx", _options)


@functions_framework.http
def classify(request: flask.Request) -> dict[str, Any]:
    """The species of the photo in the body."""
    return answer(_session.run(["logits"], {"image": pixels(request.get_data())})[0])
