"""Test that a short training run learns, leaves its state behind, and resumes from there."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from export.errors import ExportError
from export.training import train as training
from export.training.augment import Augmentation, evaluation_batches
from export.training.backbone import build_classifier
from export.training.dataset import NO_KIND, Dataset, Photo
from export.training.train import Phase, Recipe, draw_weights, train

RECIPE = Recipe(
    phases=(Phase(1, 64, Augmentation()), Phase(1, 96, Augmentation(mixed=0.0))), warmup_epochs=1, head_epochs=20
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH", 32)
    monkeypatch.setattr(training, "EVALUATION_SIZE", 96)


class _PulledPlugError(Exception):
    pass


def test_interrupted_run_resumes_and_learns(tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_checkpoint_of_another_recipe_is_refused(tmp_path: Path, data: Dataset) -> None:
    (tmp_path / "state.json").write_text('{"recipe": {}, "history": []}')
    with pytest.raises(ExportError, match="another recipe"):
        train(data, tmp_path / "out.keras", tmp_path, replace(RECIPE, seed=2))


def test_draws_are_balanced_over_sources_and_kinds() -> None:
    photos = [Photo(Path(), 0, "first")] * 10 + [Photo(Path(), 0, "big")] * 64 + [Photo(Path(), 0, "small")] * 4
    photos.append(Photo(Path(), NO_KIND, "big", "scenes"))
    recipe = replace(RECIPE, balance=0.5, others=0.2, others_by_kind=(("scenes", 1.0),), elsewhere=0.75)
    weights = draw_weights(photos, recipe)
    assert weights[-1] == pytest.approx(0.2)
    assert weights[:10].sum() == pytest.approx(0.8 * 0.25)
    assert weights[10:74].sum() / weights[74:78].sum() == pytest.approx(8 / 2)  # the roots of 64 and 4


def unchanged(folder: Path, data: Dataset, classes: int) -> tuple[keras.Model, keras.Model]:
    """Return a network of so many classes, and what a run at a rate of 0 makes of it."""
    trained = build_classifier(classes)
    trained.save(folder / "start.keras")
    still = replace(RECIPE, phases=(Phase(2, 32, Augmentation()),), peak_rate=0.0)
    train(data, folder / "out.keras", folder / "run", still, folder / "start.keras")
    return trained, keras.saving.load_model(folder / "out.keras")


def test_start_takes_all_weights_but_the_last_layer(tmp_path: Path, data: Dataset) -> None:
    models = unchanged(tmp_path, data, 5)
    before, after = (model.get_layer("head_conv").get_weights()[0] for model in models)
    assert np.allclose(before, after)
    assert models[1].output_shape == (None, 3)


def test_start_with_same_classes_keeps_last_layer(tmp_path: Path, data: Dataset) -> None:
    before, after = (model.get_layer("logits").get_weights()[0] for model in unchanged(tmp_path, data, 3))
    assert np.allclose(before, after)
