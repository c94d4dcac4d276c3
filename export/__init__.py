"""From a TensorFlow model to the ONNX file that `function/` serves, with proof that nothing was lost."""

import os

# onnxruntime otherwise sends usage data to its maker; see `flowers.model.session`.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
