"""The measures, on cases small enough to work out by hand."""

import numpy as np
import pytest

from export.validation.measure import (
    Bin,
    calibration_error,
    f1_by_class,
    fit_temperature,
    rejection_threshold,
    reliability,
    top_accuracy,
)

SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])


def test_top_accuracy_counts_rows_whose_true_class_is_among_the_largest() -> None:
    truth = np.array([0, 1, 1, 0])
    assert top_accuracy(SHARES, truth) == 0.5
    assert top_accuracy(SHARES, truth, 2) == 0.75
    assert top_accuracy(SHARES, truth, 3) == 1.0


def test_f1_weighs_missed_and_false_alarms() -> None:
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert f1_by_class(predicted, truth, 3) == pytest.approx([2 * 2 / 5, 2 * 1 / 3, 0.0])


def test_reliability_groups_by_confidence_and_keeps_full_certainty() -> None:
    shares = np.array([[1.0, 0.0], [1.0, 0.0], [0.45, 0.55]])
    assert reliability(shares, np.array([0, 1, 1])) == [Bin(1, 0.55, 1.0), Bin(2, 1.0, 0.5)]


def test_calibration_error_is_the_mean_gap_weighted_by_count() -> None:
    assert calibration_error([Bin(1, 0.55, 1.0), Bin(3, 1.0, 0.5)]) == pytest.approx((0.45 + 3 * 0.5) / 4)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_fit_temperature_finds_the_temperature_that_made_the_labels(temperature: float) -> None:
    random = np.random.default_rng(7)
    logits = random.normal(0, 3, (20_000, 5)).astype(np.float32)
    gumbel = random.gumbel(size=logits.shape)  # argmax of logits/T + Gumbel noise draws from the softmax
    truth = (logits / temperature + gumbel).argmax(axis=1)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_rejection_threshold_keeps_at_least_the_share_asked_for() -> None:
    confidence = np.random.default_rng(3).uniform(size=512)
    threshold = rejection_threshold(confidence, 0.98)
    assert (confidence >= threshold).mean() >= 0.98
    assert (confidence >= threshold + 0.01).mean() < 0.98
