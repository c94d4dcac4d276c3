"""Test that the committed files match: the served int8 file is the committed Keras model, and its reports hold."""

import json
from pathlib import Path

import numpy as np
import pytest

from export.bundled import KERAS_MODEL, REPORTS, SCALE
from export.conversion.adapt import adapt
from export.conversion.source_model import load_source
from export.serving import SERVED_MODEL, Model, pixels_of
from export.training.dataset import load_dataset

FLOWERS102 = Path(__file__).parents[4] / "shared" / "flowers102"


def test_committed_verification_holds_every_bound() -> None:
    report = json.loads((REPORTS / "verification.json").read_text(encoding="utf-8"))
    assert len(report["bounds"]) >= 9
    assert [bound["name"] for bound in report["bounds"] if not bound["holds"]] == []


@pytest.mark.skipif(not FLOWERS102.exists(), reason=f"needs the photographs of {FLOWERS102}")
def test_served_file_agrees_with_keras_model() -> None:
    data = load_dataset([FLOWERS102])
    model = Model.load(SERVED_MODEL)
    assert model.card.labels[: len(data.labels)] == data.labels
    photos = data.valid[::8]
    pixels = np.stack(list(pixels_of([photo.path for photo in photos], model)))
    expected = adapt(load_source(KERAS_MODEL), pixels.shape[1:3]).confidences(pixels, SCALE).argmax(axis=1)
    answers = np.stack([model.run(image[np.newaxis]).logits[0] for image in pixels]).argmax(axis=1)
    truth = np.array([photo.label for photo in photos])
    assert (answers == expected).mean() >= 0.97
    assert (answers == truth).mean() >= 0.95
