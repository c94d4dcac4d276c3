"""Training batches keep the shapes, ranges and targets that training relies on."""

import numpy as np
import pytest

from export.training.augment import evaluation_batches, training_batches
from export.training.dataset import Dataset


@pytest.mark.parametrize("mixed", [True, False])
def test_batches_have_the_size_range_and_targets_of_the_contract(data: Dataset, mixed: bool) -> None:
    shares = set()
    for images, targets in training_batches(data.train * 3, 3, 64, 16, 5, mixed):
        assert images.shape == (16, 64, 64, 3)
        assert targets.shape == (16, 3)
        assert 0 <= float(np.min(images)) <= float(np.max(images)) <= 255
        assert np.allclose(np.sum(targets, axis=1), 1, atol=1e-5)
        shares.add(round(float(np.max(targets[0])), 3))
    assert (shares == {1.0}) is not mixed  # only the strong augmentation mixes photographs


def test_strangers_come_first_and_count_for_every_class_alike(data: Dataset) -> None:
    images, targets = next(iter(training_batches(data.train, 3, 64, 16, 5, False, strangers=6)))
    assert np.asarray(images).shape == (16, 64, 64, 3)
    assert np.allclose(targets[:6], 1 / 3)
    assert np.allclose(np.max(targets[6:], axis=1), 1)
    assert 0 <= float(np.min(images)) <= float(np.max(images)) <= 255


def test_every_photograph_appears_once_an_epoch_in_another_order(data: Dataset) -> None:
    one, other = (
        np.concatenate(
            [np.argmax(targets, axis=1) for _, targets in training_batches(data.train, 3, 32, 23, seed, False)]
        )
        for seed in (1, 2)
    )
    assert np.bincount(one).tolist() == [46, 46, 46]
    assert not np.array_equal(one, other)


def test_evaluation_batches_keep_order_and_show_the_middle(data: Dataset) -> None:
    images, targets = next(iter(evaluation_batches(data.valid, 3, 64, 12)))
    assert np.argmax(targets, axis=1).tolist() == [photo.label for photo in data.valid]
    middle = np.asarray(images)[:, 24:40, 24:40].mean(axis=(1, 2))
    assert (middle.argmax(axis=1)[:8] == [0] * 4 + [2] * 4).all()  # red discs are red, blue ones blue
