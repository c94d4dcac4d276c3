"""Make training batches: random crops, small subjects, poor cameras, mixtures of photographs, and what is no flower."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .dataset import NO_KIND, Photo


@dataclass(frozen=True)
class Augmentation:
    """Say how much a training image is changed. Shares and probabilities are 0..1.

    `smallest_crop` is the least share of a photograph's area that is cut out; `zoomed_out` the share of images shown
    small on a background; `poor` the share with lowered resolution, and with blur, noise, JPEG marks and no colour.
    `mixed` is the share of batches that are mixtures of two photographs. `drawn` images of a batch show no flower.
    """

    smallest_crop: float = 0.3
    degrees: float = 20.0
    colours: float = 0.3
    zoomed_out: float = 0.2
    poor: float = 0.15
    mixed: float = 0.2
    drawn: int = 4


def targets_of(photos: Sequence[Photo], classes: int) -> NDArray[np.float32]:
    """Return the targets, float32 [N, classes]: one-hot, and even for a photograph of no kind.

    Even targets: D. Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", ICLR 2019.
    """
    targets = np.full((len(photos), classes), 1 / classes, np.float32)
    for row, photo in enumerate(photos):
        if photo.label != NO_KIND:
            targets[row] = np.eye(classes, dtype=np.float32)[photo.label]
    return targets


def _random_crop(encoded: tf.Tensor, size: int, smallest: float) -> tf.Tensor:
    """Cut a random part (`smallest` to all of the area, ratio 3:4 to 4:3), as [size, size, 3]."""
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


def _as_poor_cameras(image: tf.Tensor, share: float) -> tf.Tensor:
    """Lower the resolution of some images to 35..80 %, and leave JPEG marks in others."""
    size = image.shape[0]

    def coarse() -> tf.Tensor:
        side = tf.cast(tf.random.uniform((), 0.35, 0.8) * size, tf.int32)
        return tf.image.resize(tf.image.resize(image, (side, side), antialias=True), (size, size), "bicubic")

    def marked() -> tf.Tensor:
        bytes_ = tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)
        return tf.cast(tf.image.random_jpeg_quality(bytes_, 30, 85), tf.float32)

    choice = tf.random.uniform(())
    return tf.case([(choice < share, coarse), (choice < 1.5 * share, marked)], default=lambda: image)


def _draw(count: int, probability: float, low: float, high: float, otherwise: float) -> tf.Tensor:
    """Draw [count, 1, 1, 1] numbers of low..high; some images get `otherwise` instead."""
    chosen = tf.random.uniform((count, 1, 1, 1)) < probability
    return tf.where(chosen, tf.random.uniform((count, 1, 1, 1), low, high), otherwise)


def _turn_and_shrink(images: tf.Tensor, degrees: float, zoomed_out: float) -> tf.Tensor:
    """Turn each image by up to `degrees` either way, and show a share of them small, at 40..90 % of their side.

    Around a turned image its edges are mirrored. Around a small one lie mirrored copies (a field of flowers), or its
    own colours out of focus (one flower far away).
    """
    count, size = images.shape[0], images.shape[1]
    zoom = 1 / _draw(count, zoomed_out, 0.4, 0.9, 1.0)[:, 0, 0, 0]
    angle = tf.random.uniform((count,), -degrees, degrees) * math.pi / 180
    cos, sin, centre = tf.cos(angle) * zoom, tf.sin(angle) * zoom, (size - 1) / 2
    free = (zoom - 1) * centre * 0.8  # the subject anywhere within the picture
    right, down = (tf.random.uniform((count,), -1, 1) * free for _ in range(2))
    rows = [cos, -sin, centre - centre * (cos - sin) + right, sin, cos, centre - centre * (sin + cos) + down]
    shown = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*rows, tf.zeros_like(cos), tf.zeros_like(cos)], axis=1),
        output_shape=(size, size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    a, b, c, d, e, f = (row[:, None, None] for row in rows)
    position = tf.range(size, dtype=tf.float32)
    x, y = position[None, None, :], position[None, :, None]
    outside = tf.maximum(tf.abs(a * x + b * y + c - centre), tf.abs(d * x + e * y + f - centre)) > centre + 1
    alone = (zoom > 1) & (tf.random.uniform((count,)) < 0.6)
    around = tf.image.resize(tf.image.resize(images, (3, 3), "area"), (size, size), "bicubic")
    return tf.where((outside & alone[:, None, None])[..., None], tf.reverse(around, (0,)), shown)


def _jitter(images: tf.Tensor, strength: float) -> tf.Tensor:
    """Change brightness, contrast, saturation and colour cast of each image by up to `strength` (0..1)."""
    count = images.shape[0]

    def factor(spread: float, channels: int = 1) -> tf.Tensor:
        return tf.random.uniform((count, 1, 1, channels), 1 - spread, 1 + spread)

    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    saturation = tf.where(tf.random.uniform((count, 1, 1, 1)) < strength / 10, 0.0, factor(strength))
    images = grey + (images - grey) * saturation
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return (mean + (images - mean) * factor(strength)) * factor(strength) * factor(strength / 5, 3)


def _focus(images: tf.Tensor, share: float) -> tf.Tensor:
    """Blur or sharpen half of the images, and add noise to a share: lenses and scaling differ between collections."""
    count = images.shape[0]
    soft = tf.nn.avg_pool2d(images, 3, 1, "SAME")
    images = images + (images - soft) * _draw(count, 0.5, -1.0, 1.2, 0.0)
    return images + tf.random.uniform(tf.shape(images), -1.0, 1.0) * _draw(count, share, 0.0, 24.0, 0.0)


def _beta(alpha: float) -> tf.Tensor:
    """Draw from Beta(alpha, alpha)."""
    a, b = tf.random.gamma((), alpha), tf.random.gamma((), alpha)
    return a / (a + b)


def _mixup(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend each image with another. H. Zhang et al., "mixup", ICLR 2018; alpha 0.2."""
    share = _beta(0.2)
    return (
        share * images + (1 - share) * tf.reverse(images, (0,)),
        share * targets + (1 - share) * tf.reverse(targets, (0,)),
    )


def _cutmix(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Paste a part of another image into each. S. Yun et al., "CutMix", ICCV 2019; alpha 1."""
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
    """Make as many images as given, each of 4 × 4 pieces from anywhere in any of them."""
    count, side = tf.shape(images)[0], images.shape[1] // 4
    pieces = tf.reshape(images, (count, 4, side, 4, side, 3))
    pieces = tf.random.shuffle(tf.reshape(tf.transpose(pieces, (0, 1, 3, 2, 4, 5)), (count * 16, side, side, 3)))
    rows = tf.transpose(tf.reshape(pieces, (count, 4, 4, side, side, 3)), (0, 1, 3, 2, 4, 5))
    return tf.reshape(rows, (count, 4 * side, 4 * side, 3))


def _clouds(count: int, size: int) -> tf.Tensor:
    """Draw `count` images of noise of mixed fineness: sky, sand, cloth."""
    octaves = []
    for cells in (3, 12, 48, size):
        weight = tf.random.uniform((count, 1, 1, 1)) ** 2
        octaves.append(weight * tf.image.resize(tf.random.uniform((count, cells, cells, 3)), (size, size), "bicubic"))
    noise = tf.add_n(octaves) + tf.random.uniform((count, 1, 1, 3), -0.5, 0.5)
    return tf.clip_by_value(noise * 255, 0, 255)


def _blocks(count: int, size: int) -> tf.Tensor:
    """Draw `count` images of bars and boxes in few colours: pages, screens, walls."""
    cells = tf.random.uniform((2,), 2, 48, tf.int32)
    chosen = tf.image.resize(tf.random.uniform((count, cells[0], cells[1], 1)), (size, size), "nearest")
    ink, paper = (tf.random.uniform((count, 1, 1, 3), 0, 255) for _ in range(2))
    return tf.where(chosen < tf.random.uniform((count, 1, 1, 1)), ink, paper)


def _with_drawn(images: tf.Tensor, targets: tf.Tensor, drawn: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Replace the first `drawn` images by ones that show no flower, with even targets."""
    each = drawn // 4
    size = images.shape[1]
    shown = [_collages(images)[: drawn - 2 * each], _clouds(each, size), _blocks(each, size)]
    even = tf.fill((drawn, targets.shape[1]), 1 / targets.shape[1])
    return tf.concat([*shown, images[drawn:]], 0), tf.concat([even, targets[drawn:]], 0)


def training_batches(
    photos: Sequence[Photo],
    weights: NDArray[np.float64],
    classes: int,
    size: int,
    batch: int,
    seed: int,
    changes: Augmentation,
) -> tf.data.Dataset:
    """Draw one epoch: images float32 [batch, size, size, 3], 0..255, and targets float32 [batch, classes].

    As many photographs are drawn as there are, each with a probability in proportion to its weight [N].
    """
    drawn = np.random.default_rng(seed).choice(len(photos), len(photos), p=weights / weights.sum())
    encoded = tf.constant([photo.path.read_bytes() for photo in photos])
    targets = tf.constant(targets_of(photos, classes))

    def load(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = _random_crop(encoded[index], size, changes.smallest_crop)
        image.set_shape((size, size, 3))
        return _as_poor_cameras(image, changes.poor), targets[index]

    def change(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images.set_shape((batch, size, size, 3))
        targets.set_shape((batch, classes))
        images = _turn_and_shrink(images, changes.degrees, changes.zoomed_out)
        images = tf.clip_by_value(_focus(_jitter(images, changes.colours), changes.poor), 0.0, 255.0)
        if changes.drawn:
            images, targets = _with_drawn(images, targets, changes.drawn)
        choice = tf.random.uniform(())
        return tf.case(
            [
                (choice < changes.mixed / 2, lambda: _mixup(images, targets)),
                (choice < changes.mixed, lambda: _cutmix(images, targets)),
            ],
            default=lambda: (images, targets),
        )

    return (
        tf.data.Dataset.from_tensor_slices(drawn)
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch, drop_remainder=True)
        .map(change)
        .prefetch(2)
    )


def evaluation_batches(photos: Sequence[Photo], classes: int, size: int, batch: int) -> tf.data.Dataset:
    """Return the photographs' middle squares (7/8 of the short side), in order; shapes as in `training_batches`."""

    def middle(encoded: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.image.decode_jpeg(encoded, channels=3)
        short = tf.cast(tf.reduce_min(tf.shape(image)[:2]), tf.float32)
        square = tf.image.resize_with_crop_or_pad(image, *(tf.cast(short * 0.875, tf.int32),) * 2)
        return tf.image.resize(square, (size, size), "bicubic", antialias=True), target

    encoded = tf.constant([photo.path.read_bytes() for photo in photos])
    batches = tf.data.Dataset.from_tensor_slices((encoded, targets_of(photos, classes)))
    return batches.map(middle, num_parallel_calls=2).batch(batch).prefetch(1)
