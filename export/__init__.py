"""Turn a TensorFlow model into the ONNX file that `function/` serves, and prove that nothing is lost."""

import os

# onnxruntime otherwise sends usage data to its maker; see `flowers.model.session`.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
