"""Test that logits become calibrated probabilities, best first."""

import math

import numpy as np
import pytest

from flowers.model.outputs import Candidate, probabilities, top_candidates

ONE_TWO_FOUR = np.log(np.array([1, 2, 4], np.float32))  # shares of 1, 2 and 4 sevenths


@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        pytest.param([0, 0], 1.0, [0.5, 0.5], id="equal"),
        pytest.param([5], 1.0, [1.0], id="one-class"),
        pytest.param([0, math.log(3)], 1.0, [0.25, 0.75], id="one-to-three"),
        pytest.param([0, math.log(9)], 2.0, [0.25, 0.75], id="a-temperature-of-2-takes-the-root"),
        pytest.param([0, math.log(3)], 0.5, [0.1, 0.9], id="a-temperature-of-a-half-squares"),
        pytest.param([1, 2, 3], 1.0, [0.09003057, 0.24472847, 0.66524096], id="textbook"),
        pytest.param([100, 100 + math.log(4)], 1.0, [0.2, 0.8], id="only-differences-count"),
        pytest.param([-1e4, 0, 1e4], 1.0, [0, 0, 1], id="huge"),
        pytest.param([3e38, -3e38], 1.0, [1, 0], id="as-huge-as-can-be"),
        pytest.param([3e38, 3e38], 0.01, [0.5, 0.5], id="huge-and-equal"),
        pytest.param([-3e38, -3e38], 1.0, [0.5, 0.5], id="hugely-negative"),
    ],
)
def test_probabilities_of_known_logits(logits: list[float], temperature: float, expected: list[float]) -> None:
    assert probabilities(np.array(logits, np.float32), temperature) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.0, 1.9, 50.0])
def test_probabilities_sum_to_one_and_keep_the_order(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(0, 10, (4, 102)).astype(np.float32)
    shares = probabilities(logits, temperature)
    assert shares.shape == (4, 102)
    assert shares.min() >= 0
    assert shares.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-12)
    assert (shares.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_higher_temperature_lowers_confidence() -> None:
    best = [probabilities(ONE_TWO_FOUR, temperature).max() for temperature in (0.5, 1.0, 2.0, 1e6)]
    assert best == sorted(best, reverse=True)
    assert best[-1] == pytest.approx(1 / 3, abs=1e-5)


def test_best_candidates_come_first() -> None:
    best = top_candidates(ONE_TWO_FOUR[[1, 2, 0]], ("daisy", "rose", "lily"), 1.0, 2)
    assert [candidate.label for candidate in best] == ["rose", "daisy"]
    assert [candidate.confidence for candidate in best] == pytest.approx([4 / 7, 2 / 7])


def test_confidence_is_among_all_classes() -> None:
    (best,) = top_candidates(ONE_TWO_FOUR, ("a", "b", "c"), 1.0, 1)
    assert best.confidence == pytest.approx(4 / 7)


def test_equal_candidates_keep_label_order() -> None:
    labels = tuple(f"flower {number}" for number in range(102))
    logits = np.zeros(102, np.float32)
    logits[[7, 90]] = 1
    best = top_candidates(logits, labels, 1.3, 102)
    expected = ["flower 7", "flower 90", *(label for label in labels if label not in ("flower 7", "flower 90"))]
    assert [candidate.label for candidate in best] == expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_count_sets_the_number_of_candidates(count: int) -> None:
    best = top_candidates(ONE_TWO_FOUR, ("a", "b", "c"), 1.0, count)
    assert [candidate.label for candidate in best] == ["c", "b", "a"][:count]


def test_candidates_are_json_numbers() -> None:
    (best,) = top_candidates(np.array([0.5], np.float32), ("a",), 1.0, 1)
    assert best == Candidate(0, "a", 1.0)
    assert (type(best.class_index), type(best.confidence)) == (int, float)
