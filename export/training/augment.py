"""Training batches: random crops, flips, rotations, colours, mixtures of two photographs, and what is no flower."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from .dataset import Photo


def _read(photos: Sequence[Photo]) -> tf.data.Dataset:
    encoded = np.array([photo.path.read_bytes() for photo in photos], dtype=object)
    return tf.data.Dataset.from_tensor_slices((encoded, np.array([photo.label for photo in photos], np.int32)))


def _random_crop(encoded: tf.Tensor, size: int, smallest: float) -> tf.Tensor:
    """A random part of the photograph (`smallest` to all of its area, ratio 3:4 to 4:3) as [size, size, 3]."""
    begin, extent, _ = tf.image.sample_distorted_bounding_box(
        tf.io.extract_jpeg_shape(encoded),
        tf.zeros((1, 0, 4)),
        min_object_covered=0.0,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(smallest, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    window = tf.stack([begin[0], begin[1], extent[0], extent[1]])
    image = tf.image.decode_and_crop_jpeg(encoded, window, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.image.random_flip_left_right(tf.image.resize(image, (size, size), "bicubic", antialias=True))


def _rotate(images: tf.Tensor, degrees: float) -> tf.Tensor:
    """Each image turned about its centre by up to `degrees` either way, edges mirrored."""
    count, size = tf.shape(images)[0], images.shape[1]
    angle = tf.random.uniform((count,), -degrees, degrees) * math.pi / 180
    cos, sin, centre = tf.cos(angle), tf.sin(angle), (size - 1) / 2
    rows = [cos, -sin, centre - centre * (cos - sin), sin, cos, centre - centre * (sin + cos)]
    transforms = tf.stack([*rows, tf.zeros_like(cos), tf.zeros_like(cos)], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=(size, size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _jitter(images: tf.Tensor, strength: float) -> tf.Tensor:
    """Brightness, contrast, saturation and colour cast of each image changed by up to `strength` (0..1)."""

    def factor(spread: float, channels: int = 1) -> tf.Tensor:
        return tf.random.uniform((tf.shape(images)[0], 1, 1, channels), 1 - spread, 1 + spread)

    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * factor(strength)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = (mean + (images - mean) * factor(strength)) * factor(strength) * factor(strength / 5, 3)
    return tf.clip_by_value(images, 0.0, 255.0)


def _beta(alpha: float) -> tf.Tensor:
    """A draw from Beta(alpha, alpha)."""
    a, b = tf.random.gamma((), alpha), tf.random.gamma((), alpha)
    return a / (a + b)


def _mixup(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; alpha 0.2."""
    share = _beta(0.2)
    return (
        share * images + (1 - share) * tf.reverse(images, (0,)),
        share * targets + (1 - share) * tf.reverse(targets, (0,)),
    )


def _cutmix(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """S. Yun et al., "CutMix", ICCV 2019; alpha 1."""
    size = images.shape[1]
    half = tf.sqrt(1 - _beta(1.0)) / 2
    y, x = tf.random.uniform(()), tf.random.uniform(())
    position = (tf.range(size, dtype=tf.float32) + 0.5) / size
    inside = tf.cast(tf.abs(position - y) < half, tf.float32)[:, None] * tf.cast(
        tf.abs(position - x) < half, tf.float32
    )
    share = 1 - tf.reduce_mean(inside)
    mask = inside[None, :, :, None]
    return (
        images * (1 - mask) + tf.reverse(images, (0,)) * mask,
        share * targets + (1 - share) * tf.reverse(targets, (0,)),
    )


def _collages(images: tf.Tensor) -> tf.Tensor:
    """As many images as given, each of 4 × 4 pieces from anywhere in any of them."""
    count, side = tf.shape(images)[0], images.shape[1] // 4
    pieces = tf.reshape(images, (count, 4, side, 4, side, 3))
    pieces = tf.random.shuffle(tf.reshape(tf.transpose(pieces, (0, 1, 3, 2, 4, 5)), (count * 16, side, side, 3)))
    rows = tf.transpose(tf.reshape(pieces, (count, 4, 4, side, side, 3)), (0, 1, 3, 2, 4, 5))
    return tf.reshape(rows, (count, 4 * side, 4 * side, 3))


def _clouds(count: int, size: int) -> tf.Tensor:
    """`count` images of noise of mixed fineness: sky, sand, cloth."""
    octaves = []
    for cells in (3, 12, 48, size):
        weight = tf.random.uniform((count, 1, 1, 1)) ** 2
        octaves.append(weight * tf.image.resize(tf.random.uniform((count, cells, cells, 3)), (size, size), "bicubic"))
    noise = tf.add_n(octaves) + tf.random.uniform((count, 1, 1, 3), -0.5, 0.5)
    return tf.clip_by_value(noise * 255, 0, 255)


def _blocks(count: int, size: int) -> tf.Tensor:
    """`count` images of bars and boxes in few colours: pages, screens, walls."""
    cells = tf.random.uniform((2,), 2, 48, tf.int32)
    chosen = tf.image.resize(tf.random.uniform((count, cells[0], cells[1], 1)), (size, size), "nearest")
    ink, paper = (tf.random.uniform((count, 1, 1, 3), 0, 255) for _ in range(2))
    return tf.where(chosen < tf.random.uniform((count, 1, 1, 1)), ink, paper)


def _with_strangers(images: tf.Tensor, targets: tf.Tensor, strangers: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The first `strangers` images replaced by ones that show no flower, with the same target for every class.

    D. Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", ICLR 2019; drawn here, not collected, so that
    every collected picture of no flower is left to measure with.
    """
    drawn = strangers // 4
    size = images.shape[1]
    shown = [_collages(images)[: strangers - 2 * drawn], _clouds(drawn, size), _blocks(drawn, size)]
    even = tf.fill((strangers, targets.shape[1]), 1 / targets.shape[1])
    return tf.concat([*shown, images[strangers:]], 0), tf.concat([even, targets[strangers:]], 0)


def training_batches(
    photos: Sequence[Photo], classes: int, size: int, batch: int, seed: int, mixed: bool, strangers: int = 0
) -> tf.data.Dataset:
    """One epoch in random order: images float32 [batch, size, size, 3], 0..255, and targets float32 [batch, classes].

    `mixed`: two of five batches are mixtures of two photographs (mixup or cutmix), and crops go down to a quarter
    of the area; without it crops keep at least 40 % and colours change less, for the last epochs. `strangers` images
    of a batch show no flower.
    """
    smallest, degrees, strength = (0.25, 30.0, 0.4) if mixed else (0.4, 15.0, 0.2)

    def change(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images.set_shape((batch, size, size, 3))
        targets.set_shape((batch, classes))
        images = _jitter(_rotate(images, degrees), strength)
        if strangers:
            images, targets = _with_strangers(images, targets, strangers)
        if not mixed:
            return images, targets
        choice = tf.random.uniform(())
        return tf.case(
            [
                (choice < 0.2, lambda: _mixup(images, targets)),
                (choice < 0.4, lambda: _cutmix(images, targets)),
            ],
            default=lambda: (images, targets),
        )

    return (
        _read(photos)
        .shuffle(len(photos), seed=seed)
        .map(
            lambda encoded, label: (_random_crop(encoded, size, smallest), tf.one_hot(label, classes)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .batch(batch, drop_remainder=True)
        .map(change)
        .prefetch(2)
    )


def evaluation_batches(photos: Sequence[Photo], classes: int, size: int, batch: int) -> tf.data.Dataset:
    """The photographs' middle squares (7/8 of the short side), in order; shapes as in `training_batches`."""

    def middle(encoded: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.image.decode_jpeg(encoded, channels=3)
        short = tf.cast(tf.reduce_min(tf.shape(image)[:2]), tf.float32)
        square = tf.image.resize_with_crop_or_pad(image, *(tf.cast(short * 0.875, tf.int32),) * 2)
        return tf.image.resize(square, (size, size), "bicubic", antialias=True), tf.one_hot(label, classes)

    return _read(photos).map(middle, num_parallel_calls=2).batch(batch).prefetch(1)
