"""A service of BentoML: two workers, one for each core."""

from typing import Any

import bentoml
import onnxruntime
from photo import FORMS, answer, pixels_of
from PIL import Image


@bentoml.service(workers=2, traffic={"timeout": 60})
class Flowers:
    """The photo in the body, decoded by BentoML with Pillow."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(FORMS / "float.onnx", options)

    @bentoml.api(route="/")
    def classify(self, photo: Image.Image, /) -> dict[str, Any]:
        """The species of the photo."""
        return answer(self._session.run(["logits"], {"image": pixels_of(photo)})[0])
