"""Serve with FastAPI and onnxruntime."""

from typing import Annotated, Any

import onnxruntime
from fastapi import Body, FastAPI
from photo import FORMS, answer, pixels

app = FastAPI()
_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = 1
_session = onnxruntime.InferenceSession(FORMS / "float.onnx", _options)


@app.post("/")
def classify(photo: Annotated[bytes, Body(media_type="image/jpeg")]) -> dict[str, Any]:
    """Return the species of the photo in the body. FastAPI runs this in its thread pool."""
    return answer(_session.run(["logits"], {"image": pixels(photo)})[0])
