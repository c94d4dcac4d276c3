"""Build EfficientNet-Lite0 as a Keras model.

Source: M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, and the
Lite variants that Google published in 2020: no squeeze-and-excite, ReLU6 instead of swish (so that int8 loses little),
stem and head of fixed width. Layer names follow the published checkpoints, which makes the port of the weights a table.
"""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers

FEATURES = 1280
NORMALIZATION_MEAN = 127.0
NORMALIZATION_SCALE = 128.0


class Stage(NamedTuple):
    """Describe a run of inverted-bottleneck blocks: `repeats` of them, the first with `stride`."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


@keras.saving.register_keras_serializable("flowers")
class FrozenBatchNormalization(layers.BatchNormalization):
    """Train scale and offset of batch normalization, but keep the pretrained means and variances.

    A few thousand flowers would move those statistics far from what the pretrained weights expect. The fused kernel
    makes it half as fast again as Keras's single operations. The weights are those of the parent class, so that a
    trained network is saved with plain layers.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        if not training:
            return super().call(inputs, training=False, mask=mask)
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=self.moving_mean,
            variance=self.moving_variance,
            epsilon=self.epsilon,
            is_training=False,
        )[0]


def _normalize_and_clip(x: keras.KerasTensor, name: str, frozen: bool, activate: bool = True) -> keras.KerasTensor:
    kind = FrozenBatchNormalization if frozen else layers.BatchNormalization
    x = kind(name=name, momentum=0.99, epsilon=1e-3)(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activate else x


def _block(
    x: keras.KerasTensor, name: str, stage: Stage, stride: int, drop_rate: float, frozen: bool
) -> keras.KerasTensor:
    inputs, filters = x, x.shape[-1] * stage.expansion
    if stage.expansion != 1:
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normalize_and_clip(x, f"{name}_bn0", frozen)
    x = layers.DepthwiseConv2D(stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _normalize_and_clip(x, f"{name}_bn1", frozen)
    x = layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalize_and_clip(x, f"{name}_bn2", frozen, activate=False)
    if stride == 1 and inputs.shape[-1] == stage.filters:
        if drop_rate:  # stochastic depth: whole blocks are dropped for some images of a batch
            x = layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def build_classifier(
    classes: int, dropout: float = 0.2, drop_connect: float = 0.0, frozen: bool = False
) -> keras.Model:
    """Return the network from RGB pixels to logits.

    The input `image` is [N, H, W, 3], float32, 0..255 (normalization is the first layer; H and W are free); the output
    `logits` is float32 [N, classes]. `dropout` and `drop_connect` (rates, 0..1) act in training only.
    `frozen` keeps the statistics of batch normalization while training, and makes a saved file depend on this module.
    """
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    x = layers.Rescaling(1 / NORMALIZATION_SCALE, -NORMALIZATION_MEAN / NORMALIZATION_SCALE, name="normalize")(image)
    x = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(x)
    x = _normalize_and_clip(x, "stem_bn", frozen)
    total = sum(stage.repeats for stage in STAGES)
    index = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            x = _block(x, f"block{index}", stage, stride, drop_connect * index / total, frozen)
            index += 1
    x = layers.Conv2D(FEATURES, 1, use_bias=False, name="head_conv")(x)
    x = _normalize_and_clip(x, "head_bn", frozen)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="efficientnet_lite0")
