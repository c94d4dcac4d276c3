"""Convert a TensorFlow model into the ONNX file that the function serves."""
