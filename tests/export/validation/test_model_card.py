"""Test that the card's figures follow from the report."""

import pytest

from export.validation.model_card import ORIGINAL_TEAM_CLASSES, accuracy_on


def test_original_classes_weigh_by_photographs() -> None:
    kinds = {str(number): {"first": {"photos": 10, "accuracy": 0.5}} for number in range(1, 103)}
    kinds["41"] = {"first": {"photos": 30, "accuracy": 1.0}}
    accuracy, photos = accuracy_on(ORIGINAL_TEAM_CLASSES, {"kinds": kinds})
    assert photos == 30 + 17 * 10
    assert accuracy == pytest.approx((30 + 17 * 5) / 200)
