"""Fine-tunes the ImageNet backbone on the flowers: progressive resizing, one cosine schedule, averaged weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from ..errors import ExportError
from .augment import evaluation_batches, training_batches
from .backbone import build_classifier
from .dataset import Dataset
from .imagenet_weights import load_imagenet_weights

BATCH = 64
EVALUATION_SIZE = 224


@dataclass(frozen=True)
class Phase:
    """`epochs` at one image size (pixels); for `mixed` and `strangers` see `augment.training_batches`."""

    epochs: int
    size: int
    mixed: bool
    strangers: int = 0


# Small images first: an epoch at 160 px takes half the time of one at 224. The last epochs see whole photographs at the
# served size, so that the network forgets the mixtures (H. Touvron et al., "Fixing the train-test resolution
# discrepancy", NeurIPS 2019). Pictures of no flower are in every batch.
PHASES = (Phase(10, 160, True, 4), Phase(20, 192, True, 4), Phase(5, 224, False, 8))


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run; kept in the checkpoint, so that a resumed run cannot differ."""

    phases: tuple[Phase, ...] = PHASES
    peak_rate: float = 5e-4
    warmup_epochs: int = 2
    head_epochs: int = 30
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    ema_momentum: float = 0.998
    frozen_blocks: int = 3
    dropout: float = 0.2
    drop_connect: float = 0.2
    seed: int = 20261123


def _epochs(recipe: Recipe) -> list[Phase]:
    """The phase of each epoch."""
    return [phase for phase in recipe.phases for _ in range(phase.epochs)]


def _fit_head(model: keras.Model, data: Dataset, recipe: Recipe) -> None:
    """Fits the last layer alone on the backbone's features, so that a random one cannot spoil the backbone.

    A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022.
    """
    classes = len(data.labels)
    features = keras.Model(model.input, model.get_layer("pool").output)
    batches = evaluation_batches(data.train, classes, EVALUATION_SIZE, BATCH)
    seen = features.predict(batches.map(lambda images, _: images))
    targets = keras.utils.to_categorical([photo.label for photo in data.train], classes)
    head = keras.Sequential([keras.Input((seen.shape[1],)), keras.layers.Dense(classes)])
    head.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        jit_compile=False,
    )
    head.fit(seen, targets, batch_size=BATCH, epochs=recipe.head_epochs, verbose=0)
    model.get_layer("logits").set_weights(head.get_weights())


def _freeze(model: keras.Model, blocks: int) -> None:
    """Keeps the stem and the first `blocks` blocks as ImageNet made them: edges and colours, and half of the work."""
    kept = ("stem_", *(f"block{index}_" for index in range(blocks)))
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(kept)


def _compile(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> None:
    epochs = len(_epochs(recipe))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=recipe.peak_rate,
        warmup_steps=recipe.warmup_epochs * steps_per_epoch,
        decay_steps=(epochs - recipe.warmup_epochs) * steps_per_epoch,
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
    """The network with the averaged weights, in plain Keras layers and without optimizer state."""
    plain = build_classifier(classes)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    plain.set_weights(model.get_weights())
    return plain


def train(data: Dataset, out: Path, checkpoints: Path, recipe: Recipe | None = None) -> None:
    """Trains and writes the Keras model to `out` (`.keras`) and its history beside it (`.history.json`).

    Each epoch leaves its state under `checkpoints`; the same call goes on from there. Raises `ExportError` when the
    checkpoint belongs to another recipe.
    """
    recipe = recipe or Recipe()
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
        state = {"recipe": described, "history": []}
        model = build_classifier(classes, recipe.dropout, recipe.drop_connect, frozen=True)
        load_imagenet_weights(model)
        _fit_head(model, data, recipe)
        _freeze(model, recipe.frozen_blocks)
        _compile(model, recipe, len(data.train) // BATCH)
    held = evaluation_batches(data.holdout, classes, EVALUATION_SIZE, BATCH)
    epochs = _epochs(recipe)
    for epoch in range(len(state["history"]), len(epochs)):
        phase = epochs[epoch]
        batches = training_batches(
            data.train, classes, phase.size, BATCH, recipe.seed + epoch, phase.mixed, phase.strangers
        )
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
