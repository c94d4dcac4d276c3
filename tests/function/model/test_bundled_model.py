"""Test that the bundled model names real flowers through the HTTP function, and is the model of the reports."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.paths import ROOT

pytestmark = pytest.mark.bundled_model


def test_bundled_model_names_the_data_set(client: FlaskClient, photos: list[Path]) -> None:
    classes = json.loads((photos[0].parents[2] / "classes.json").read_text(encoding="utf-8"))
    answers = {photo: client.post("/?top=1", data=photo.read_bytes()).get_json() for photo in photos}
    right = [answer["predictions"][0]["label"] == classes[photo.parent.name] for photo, answer in answers.items()]
    identified = [answer["identified"] for answer in answers.values()]
    assert len(right) == 102
    assert sum(right) >= 97  # 97.5 % of 102 is 99.5; two standard deviations below
    assert sum(identified) >= 96


def test_committed_reports_are_of_the_served_file(client: FlaskClient) -> None:
    report = json.loads((ROOT / "export" / "reports" / "evaluation.json").read_text(encoding="utf-8"))
    assert client.get("/health").get_json()["model"] == report["model"]


def test_model_card_quotes_the_served_file(client: FlaskClient) -> None:
    card = (ROOT / "export" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert client.get("/health").get_json()["model"]["sha256"] in card
