"""Serve a function that only decodes and runs the model, with this project's code."""

import io
import sys
from pathlib import Path

import flask
import functions_framework
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[4] / "function"))

from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from flowers.model.session import Model
from flowers.settings import Settings

_settings = Settings()
_model = Model.load(_settings.model_path)
_budget = PixelBudget(_settings.pixel_budget)


@functions_framework.http
def classify(request: flask.Request) -> dict[str, object]:
    """Return the species of the photo in the body."""
    photo = request.environ["wsgi.input"].read(request.content_length)
    request.stream = io.BytesIO()  # leaves functions-framework nothing to read
    pixels = decode(photo, _model.card.input_rule, _settings.max_image_pixels, _budget).pixels
    best = int(_model.run(pixels[np.newaxis]).logits.argmax())
    return {"species": _model.card.labels[best], "confidence": 1.0}
