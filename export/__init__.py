"""From a TensorFlow model to the ONNX file that `function/` serves, with proof that nothing was lost."""
