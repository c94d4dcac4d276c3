"""Serve with LitServe: two workers, one per core."""

import sys
from typing import Annotated, Any

import litserve
import onnxruntime
from fastapi import Body
from photo import FORMS, answer, pixels


class FlowersAPI(litserve.LitAPI):
    """Decode and classify the photo in the body in a worker."""

    def setup(self, device: str) -> None:
        """Load the model in each worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(FORMS / "float.onnx", options)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> Any:
        """Return the photo's pixels."""
        return pixels(request)

    def predict(self, image: Any) -> Any:
        """Return the logits of the pixels."""
        return self._session.run(["logits"], {"image": image})[0]

    def encode_response(self, logits: Any) -> dict[str, Any]:
        """Return the species of the logits."""
        return answer(logits)


if __name__ == "__main__":
    server = litserve.LitServer(FlowersAPI(api_path="/"), accelerator="cpu", workers_per_device=2)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
