"""Turn the bytes of an image into the pixels that the model sees."""
