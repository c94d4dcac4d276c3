"""Serve a function on LiteRT, the successor of TensorFlow Lite."""

import threading
from typing import Any

import flask
import functions_framework
from ai_edge_litert.interpreter import Interpreter
from photo import FORMS, answer, pixels

_interpreter = Interpreter(model_path=str(FORMS / "float.tflite"), num_threads=1)
_interpreter.allocate_tensors()
_input = _interpreter.get_input_details()[0]["index"]
_output = _interpreter.get_output_details()[0]["index"]
_in_use = threading.Lock()


@functions_framework.http
def classify(request: flask.Request) -> dict[str, Any]:
    """Return the species of the photo in the body."""
    image = pixels(request.get_data()).astype("float32")
    with _in_use:
        _interpreter.set_tensor(_input, image)
        _interpreter.invoke()
        logits = _interpreter.get_tensor(_output)
    return answer(logits)
