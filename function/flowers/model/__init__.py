"""Load the model, run it and read its outputs."""
