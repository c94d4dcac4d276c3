"""A short training run learns, leaves its state behind, and goes on from there."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from export.errors import ExportError
from export.training import train as training
from export.training.augment import evaluation_batches
from export.training.dataset import Dataset
from export.training.train import Phase, Recipe, train

RECIPE = Recipe(phases=(Phase(1, 64, True), Phase(1, 96, False)), warmup_epochs=1, head_epochs=20)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH", 32)
    monkeypatch.setattr(training, "EVALUATION_SIZE", 96)


class _PulledPlugError(Exception):
    pass


def test_an_interrupted_run_goes_on_where_it_stopped_and_learns(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, checkpoints = tmp_path / "discs.keras", tmp_path / "checkpoints"
    fit = keras.Model.fit
    fitted: list[object] = []

    def fit_until_the_second_epoch(model: keras.Model, *arguments: object, **options: object) -> object:
        if options.get("initial_epoch") == 1 and fitted == [0]:
            raise _PulledPlugError
        if "initial_epoch" in options:
            fitted.append(options["initial_epoch"])
        return fit(model, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", fit_until_the_second_epoch)
    with pytest.raises(_PulledPlugError):
        train(data, out, checkpoints, RECIPE)
    assert not out.exists()
    fitted.append(-1)  # the plug is back in
    train(data, out, checkpoints, RECIPE)
    assert fitted == [0, -1, 1]

    network = keras.saving.load_model(out)
    images, targets = next(iter(evaluation_batches(data.valid, 3, 96, 12)))
    right = np.argmax(network(images, training=False), axis=1) == np.argmax(targets, axis=1)
    assert right.mean() > 0.9
    assert not any(type(layer).__module__.startswith("export") for layer in network.layers)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path, data: Dataset) -> None:
    (tmp_path / "state.json").write_text('{"recipe": {}, "history": []}')
    with pytest.raises(ExportError, match="another recipe"):
        train(data, tmp_path / "out.keras", tmp_path, replace(RECIPE, seed=2))
