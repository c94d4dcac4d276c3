"""Test that the average of runs is a network with the mean of their weights, and names the runs."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from export.errors import ExportError
from export.training.average import average


def run(file: Path, weight: float, classes: int = 2) -> Path:
    """Write a network whose weights all are `weight`, and its history."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(classes)])
    model.set_weights([np.full_like(part, weight) for part in model.get_weights()])
    model.save(file)
    file.with_suffix(".history.json").write_text(json.dumps({"history": [weight]}))
    return file


def test_average_has_the_mean_weights(tmp_path: Path) -> None:
    average([run(tmp_path / "a.keras", 1.0), run(tmp_path / "b.keras", 4.0)], tmp_path / "out.keras")
    model = keras.saving.load_model(tmp_path / "out.keras")
    assert all(np.allclose(part, 2.5) for part in model.get_weights())


def test_history_names_the_averaged_runs(tmp_path: Path) -> None:
    average([run(tmp_path / "a.keras", 1.0), run(tmp_path / "b.keras", 4.0)], tmp_path / "out.keras")
    history = json.loads((tmp_path / "out.history.json").read_text())
    assert history["history"] == [4.0]
    assert [entry["history"] for entry in history["averaged"]] == [[1.0], [4.0]]
    assert len({entry["sha256"] for entry in history["averaged"]}) == 2


def test_different_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="different networks"):
        average([run(tmp_path / "a.keras", 1.0), run(tmp_path / "b.keras", 1.0, 3)], tmp_path / "out.keras")
