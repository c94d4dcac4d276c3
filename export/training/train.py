"""Fine-tune the backbone on the flowers: head first, progressive resizing, one cosine schedule, averaged weights."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from .augment import Augmentation, evaluation_batches, targets_of, training_batches
from .backbone import build_classifier
from .dataset import Dataset, Photo, known
from .imagenet_weights import load_imagenet_weights

BATCH = 64
EVALUATION_SIZE = 224


@dataclass(frozen=True)
class Phase:
    """Describe `epochs` at one image size (pixels), with images changed as `changes` says."""

    epochs: int
    size: int
    changes: Augmentation


# Small images first: an epoch at 160 px takes a third less time than one at 192. A network that is trained on random
# crops is at its best on photographs somewhat larger (H. Touvron et al., "Fixing the train-test resolution
# discrepancy", NeurIPS 2019). The last epochs see images that are changed less.
PHASES = (
    Phase(10, 160, Augmentation()),
    Phase(2, 192, Augmentation(smallest_crop=0.4, degrees=10.0, colours=0.2, mixed=0.0)),
)


@dataclass(frozen=True)
class Recipe:
    """Hold everything that decides a training run. The checkpoint keeps it, so that a resumed run cannot differ.

    `balance` 0..1: at 0 each photograph is drawn as often, at 1 each class of each source. `others` is the share of
    draws that show no kind of the catalogue, and `others_by_kind` divides it. `elsewhere` is the share of the remaining
    draws that come from other collections than the first.
    """

    phases: tuple[Phase, ...] = PHASES
    start: str = "imagenet"
    peak_rate: float = 4e-4
    warmup_epochs: float = 0.5
    head_epochs: int = 30
    weight_decay: float = 0.05
    label_smoothing: float = 0.03
    ema_momentum: float = 0.995
    frozen_blocks: int = 3
    dropout: float = 0.2
    drop_connect: float = 0.1
    balance: float = 0.5
    others: float = 0.25
    others_by_kind: tuple[tuple[str, float], ...] = (
        ("other-flowers", 0.75),
        ("plants-without-flowers", 0.12),
        ("scenes", 0.13),
    )
    elsewhere: float = 0.58
    leave_out: tuple[str, ...] = ()
    seed: int = 20261126

    def shortened(self, epochs: int) -> "Recipe":
        """Return the recipe with `epochs` epochs of the first phase alone, for a comparison of runs."""
        return replace(self, phases=(replace(self.phases[0], epochs=epochs),), ema_momentum=0.99)


def draw_weights(photos: Sequence[Photo], recipe: Recipe) -> NDArray[np.float64]:
    """Return how often each photograph is drawn [N], in proportion: balanced over classes, sources and kinds.

    The first photograph's source is the first collection.
    """
    groups = Counter((photo.label, photo.kind, photo.source) for photo in photos)
    weights = np.array([groups[photo.label, photo.kind, photo.source] ** -recipe.balance for photo in photos])
    first = photos[0].source
    parts = np.array([photo.kind or ("first" if photo.source == first else "elsewhere") for photo in photos])
    shares = {kind: share * recipe.others for kind, share in recipe.others_by_kind}
    shares["first"] = (1 - recipe.others) * (1 - recipe.elsewhere)
    shares["elsewhere"] = (1 - recipe.others) * recipe.elsewhere
    for part in set(parts):
        weights[parts == part] *= shares.get(part, recipe.others) / weights[parts == part].sum()
    return weights


def _epochs(recipe: Recipe) -> list[Phase]:
    """Return the phase of each epoch."""
    return [phase for phase in recipe.phases for _ in range(phase.epochs)]


def _start(data: Dataset, recipe: Recipe, start: Path | None) -> keras.Model:
    """Build the network with ImageNet's weights, or with those of a trained Keras model.

    The last layer is kept if `start` has as many classes; else it is fitted alone, before all others.
    """
    classes = len(data.labels)
    model = build_classifier(classes, recipe.dropout, recipe.drop_connect, frozen=True)
    if start is None:
        load_imagenet_weights(model)
        _fit_head(model, data, recipe)
        return model
    trained = keras.saving.load_model(start, compile=False)
    same_head = trained.output_shape[-1] == classes
    for layer in model.layers:
        if layer.weights and (same_head or layer.name != "logits"):
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    if not same_head:
        _fit_head(model, data, recipe)
    return model


def _fit_head(model: keras.Model, data: Dataset, recipe: Recipe) -> None:
    """Fit the last layer alone on the backbone's features, so that a random one cannot spoil the backbone.

    A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022.
    """
    classes = len(data.labels)
    features = keras.Model(model.input, model.get_layer("pool").output)
    batches = evaluation_batches(data.train, classes, EVALUATION_SIZE, BATCH)
    seen = features.predict(batches.map(lambda images, _: images))
    weights = draw_weights(data.train, recipe)
    head = keras.Sequential([keras.Input((seen.shape[1],)), keras.layers.Dense(classes)])
    head.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        jit_compile=False,
    )
    head.fit(
        seen,
        targets_of(data.train, classes),
        sample_weight=weights / weights.mean(),
        batch_size=BATCH,
        epochs=recipe.head_epochs,
        verbose=0,
    )
    model.get_layer("logits").set_weights(head.get_weights())


def _freeze(model: keras.Model, blocks: int) -> None:
    """Keep the stem and the first `blocks` blocks as ImageNet made them: edges and colours, and half of the work."""
    kept = ("stem_", *(f"block{index}_" for index in range(blocks)))
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(kept)


def _compile(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> None:
    epochs = len(_epochs(recipe))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=recipe.peak_rate,
        warmup_steps=int(recipe.warmup_epochs * steps_per_epoch),
        decay_steps=int((epochs - recipe.warmup_epochs) * steps_per_epoch),
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            rate,
            weight_decay=recipe.weight_decay,
            use_ema=True,
            ema_momentum=recipe.ema_momentum,
            ema_overwrite_frequency=None,
        ),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # XLA's depthwise convolutions are many times slower on a CPU
    )


def _averaged(model: keras.Model, classes: int) -> keras.Model:
    """Return the network with the averaged weights, in plain Keras layers and without optimizer state."""
    plain = build_classifier(classes)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    plain.set_weights(model.get_weights())
    return plain


def train(data: Dataset, out: Path, checkpoints: Path, recipe: Recipe, start: Path | None = None) -> None:
    """Train and write the Keras model to `out` (`.keras`) and its history beside it (`.history.json`).

    `start` is a Keras model of the same network to begin with, instead of ImageNet's weights; its history is kept.
    Each epoch leaves its state under `checkpoints`; the same call resumes from there. Raise `ExportError` if the
    checkpoint belongs to another recipe.
    """
    before: dict[str, Any] = {}
    if start:
        recipe = replace(recipe, start=f"sha256 {hashlib.sha256(start.read_bytes()).hexdigest()}")
        history = start.with_suffix(".history.json")
        before = {"before": json.loads(history.read_text(encoding="utf-8"))} if history.exists() else {}
    classes = len(data.labels)
    keras.utils.set_random_seed(recipe.seed)
    checkpoints.mkdir(parents=True, exist_ok=True)
    state_file, weights_file = checkpoints / "state.json", checkpoints / "last.keras"
    described = json.loads(json.dumps(asdict(recipe)))
    if state_file.exists():
        state = json.loads(state_file.read_text(encoding="utf-8"))
        if state["recipe"] != described:
            raise ExportError(f"{checkpoints} holds a run of another recipe: remove it or choose another --checkpoints")
        model = keras.saving.load_model(weights_file)
    else:
        state = {"recipe": described, "history": [], **before}
        model = _start(data, recipe, start)
        _freeze(model, recipe.frozen_blocks)
        _compile(model, recipe, len(data.train) // BATCH)
    held = evaluation_batches(known(data.holdout), classes, EVALUATION_SIZE, BATCH)
    epochs = _epochs(recipe)
    weights = draw_weights(data.train, recipe)
    for epoch in range(len(state["history"]), len(epochs)):
        phase = epochs[epoch]
        batches = training_batches(data.train, weights, classes, phase.size, BATCH, recipe.seed + epoch, phase.changes)
        fitted = model.fit(
            batches,
            validation_data=held,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[keras.callbacks.SwapEMAWeights()],
        )
        measured = {name: round(float(values[-1]), 5) for name, values in fitted.history.items()}
        state["history"].append({"epoch": epoch + 1, "size": phase.size, **measured})
        model.save(weights_file.with_suffix(".new.keras"))
        weights_file.with_suffix(".new.keras").replace(weights_file)
        state_file.write_text(json.dumps(state, indent=1), encoding="utf-8")
        print(state["history"][-1], flush=True)
    _averaged(model, classes).save(out)
    out.with_suffix(".history.json").write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
