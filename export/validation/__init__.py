"""Measure a served file and prove that it answers as its TensorFlow model does."""
