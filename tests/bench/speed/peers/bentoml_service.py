"""Serve with BentoML: two workers, one per core."""

from typing import Any

import bentoml
import onnxruntime
from photo import FORMS, answer, pixels_of
from PIL import Image


@bentoml.service(workers=2, traffic={"timeout": 60})
class Flowers:
    """Classify the photo in the body, which BentoML decodes with Pillow."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(FORMS / "float.onnx", options)

    @bentoml.api(route="/")
    def classify(self, photo: Image.Image, /) -> dict[str, Any]:
        """Return the species of the photo."""
        return answer(self._session.run(["logits"], {"image": pixels_of(photo)})[0])
