"""The Keras classifier as an ONNX graph by the model contract: uint8 pixels in, logits and class maps out."""

from pathlib import Path

import keras
import tensorflow as tf
import tf2onnx

from .contract import Metadata, save, write_metadata

OPSET = 17


def serving_function(model: keras.Model, size: tuple[int, int]) -> tf.types.experimental.PolymorphicFunction:
    """What is served, as a TensorFlow function.

    From `image`, uint8 [N, H, W, 3], to `logits` [N, C] and `class_maps` [N, h, w, C], float32.

    The last layer is applied before the average pooling; being linear, the mean of a class's map is its logit, so that
    the map shows exactly where the evidence lies (B. Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016).
    """
    features = keras.Model(model.input, model.get_layer("pool").input)
    kernel, bias = model.get_layer("logits").get_weights()

    @tf.function(input_signature=[tf.TensorSpec((None, *size, 3), tf.uint8, name="image")])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        evidence = features(tf.cast(image, tf.float32), training=False)
        class_maps = tf.nn.conv2d(evidence, kernel[None, None], 1, "VALID") + bias
        return {"logits": tf.reduce_mean(class_maps, axis=(1, 2)), "class_maps": class_maps}

    return serve


def convert(keras_file: Path, out: Path, metadata: Metadata) -> None:
    """Writes the float ONNX model of `keras_file` (from `python -m export train`) to `out`."""
    serve = serving_function(keras.saving.load_model(keras_file, compile=False), metadata.input_size)
    proto, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature, opset=OPSET)
    write_metadata(proto, metadata)
    save(proto, out)
