"""Test that training batches keep the shapes, ranges and targets that training relies on."""

from dataclasses import replace

import numpy as np
import pytest

from export.training.augment import Augmentation, evaluation_batches, training_batches
from export.training.dataset import NO_KIND, Dataset, Photo

PLAIN = Augmentation(mixed=0.0, drawn=0)


def even(photos: tuple[Photo, ...]) -> np.ndarray:
    """Return the weights with which each photograph is drawn as often."""
    return np.ones(len(photos))


@pytest.mark.parametrize("mixed", [0.4, 0.0])
def test_batches_keep_size_range_and_targets(data: Dataset, mixed: float) -> None:
    photos, shares = data.train * 3, set()
    for images, targets in training_batches(photos, even(photos), 3, 64, 16, 5, replace(PLAIN, mixed=mixed)):
        assert images.shape == (16, 64, 64, 3)
        assert targets.shape == (16, 3)
        assert 0 <= float(np.min(images)) <= float(np.max(images)) <= 255
        assert np.allclose(np.sum(targets, axis=1), 1, atol=1e-5)
        shares.add(round(float(np.max(targets[0])), 3))
    assert (shares == {1.0}) is not bool(mixed)  # only a mixture has targets in between


def test_drawn_images_come_first_with_even_targets(data: Dataset) -> None:
    batches = training_batches(data.train, even(data.train), 3, 64, 16, 5, replace(PLAIN, drawn=6))
    images, targets = next(iter(batches))
    assert np.asarray(images).shape == (16, 64, 64, 3)
    assert np.allclose(targets[:6], 1 / 3)
    assert np.allclose(np.max(targets[6:], axis=1), 1)


def test_photos_of_no_kind_get_even_targets(data: Dataset) -> None:
    photos = tuple(replace(photo, label=NO_KIND, kind="scenes") for photo in data.train)
    _, targets = next(iter(training_batches(photos, even(photos), 3, 32, 16, 5, PLAIN)))
    assert np.allclose(targets, 1 / 3)


def test_draws_follow_the_weights_and_the_seed(data: Dataset) -> None:
    weights = np.array([3.0 if photo.label == 2 else 1.0 for photo in data.train])
    one, same, other = (
        np.concatenate(
            [
                np.argmax(targets, axis=1)
                for _, targets in training_batches(data.train * 4, np.tile(weights, 4), 3, 32, 23, seed, PLAIN)
            ]
        )
        for seed in (1, 1, 2)
    )
    assert (one == 2).mean() == pytest.approx(0.6, abs=0.08)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_zoomed_out_images_keep_the_subject(data: Dataset) -> None:
    red = tuple(photo for photo in data.train if photo.label == 0)
    changes = replace(PLAIN, zoomed_out=1.0, poor=0.0, colours=0.0, smallest_crop=0.99)
    images, _ = next(iter(training_batches(red, even(red), 3, 64, 16, 5, changes)))
    pixels = np.asarray(images)
    disc = (pixels[..., 0] > 150) & (pixels[..., 1] < 90)
    assert (disc.mean(axis=(1, 2)) > 0.02).all()


def test_evaluation_batches_show_middles_in_order(data: Dataset) -> None:
    images, targets = next(iter(evaluation_batches(data.valid, 3, 64, 12)))
    assert np.argmax(targets, axis=1).tolist() == [photo.label for photo in data.valid]
    middle = np.asarray(images)[:, 24:40, 24:40].mean(axis=(1, 2))
    assert (middle.argmax(axis=1)[:8] == [0] * 4 + [2] * 4).all()  # red discs are red, blue ones blue
