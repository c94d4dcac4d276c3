"""An adapted TensorFlow model as an ONNX file by the model contract."""

import logging
from pathlib import Path

import tf2onnx

from .adapt import AdaptedModel
from .contract import Metadata, save, write_metadata
from .scale import Scale

OPSET = 17


def convert(model: AdaptedModel, scale: Scale, out: Path, metadata: Metadata) -> None:
    """Writes the float ONNX model of `model`, whose pixels are of `scale`, to `out`."""
    # An optimization that fails is left out, with a traceback as a mere warning; the result is verified anyway.
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    serve = model.serving_function(scale)
    proto, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature, opset=OPSET)
    write_metadata(proto, metadata)
    save(proto, out)
