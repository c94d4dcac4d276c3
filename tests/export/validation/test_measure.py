"""Test the measures on cases computed by hand."""

import numpy as np
import pytest

from export.validation.measure import (
    Bin,
    calibration_error,
    f1_by_class,
    fit_temperature,
    mixture_weights,
    rejection_threshold,
    reliability,
    top_accuracy,
)

SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])


def test_top_accuracy_counts_classes_among_the_best() -> None:
    truth = np.array([0, 1, 1, 0])
    assert top_accuracy(SHARES, truth) == 0.5
    assert top_accuracy(SHARES, truth, 2) == 0.75
    assert top_accuracy(SHARES, truth, 3) == 1.0


def test_f1_weighs_missed_and_false_alarms() -> None:
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert f1_by_class(predicted, truth, 3) == pytest.approx([2 * 2 / 5, 2 * 1 / 3, 0.0])


def test_reliability_groups_by_confidence() -> None:
    shares = np.array([[1.0, 0.0], [1.0, 0.0], [0.45, 0.55]])
    assert reliability(shares, np.array([0, 1, 1])) == [Bin(1, 0.55, 1.0), Bin(2, 1.0, 0.5)]


def test_calibration_error_is_the_weighted_gap() -> None:
    assert calibration_error([Bin(1, 0.55, 1.0), Bin(3, 1.0, 0.5)]) == pytest.approx((0.45 + 3 * 0.5) / 4)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_fit_temperature_finds_the_true_one(temperature: float) -> None:
    random = np.random.default_rng(7)
    logits = random.normal(0, 3, (20_000, 5)).astype(np.float32)
    gumbel = random.gumbel(size=logits.shape)  # argmax of logits/T + Gumbel noise draws from the softmax
    truth = (logits / temperature + gumbel).argmax(axis=1)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_weights_move_the_temperature() -> None:
    logits = np.array([[4.0, 0.0], [4.0, 0.0]], np.float32)
    truth = np.array([0, 1])
    sure = fit_temperature(logits, truth, np.array([0.95, 0.05]))
    assert sure < fit_temperature(logits, truth, np.array([0.7, 0.3]))


def test_mixture_weighs_parts_and_skips_absent_ones() -> None:
    weights = mixture_weights(np.array(["a", "a", "b", "c"]), {"a": 0.5, "b": 0.3, "absent": 0.2})
    assert weights == pytest.approx([0.3125, 0.3125, 0.375, 0.0])


@pytest.mark.parametrize(("cost", "expected"), [(0.4, 0.2), (1.5, 0.5), (100.0, 0.85)])
def test_threshold_weighs_wrong_names_by_their_cost(cost: float, expected: float) -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2])
    right = np.array([True, False, True, True, False, False, True])
    assert rejection_threshold(confidence, right, np.ones(7), cost) == expected
