"""Draw the pictures of the model card."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

# Of photographs from elsewhere and of the Oxford set; colours that people of any colour vision tell apart.
SIDES = {"elsewhere": ("from elsewhere", "#d55e00"), "first": ("Oxford Flowers-102", "#0072b2")}


def _save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(figure)


def draw_accuracy_by_kind(kinds: dict[str, dict[str, Any]], file: Path) -> None:
    """Draw each kind's accuracy on both sides, the least accurate elsewhere first."""

    def accuracy(label: str, side: str) -> float | None:
        value: float | None = kinds[label][side]["accuracy"]
        return value

    elsewhere = [label for label in kinds if accuracy(label, "elsewhere") is not None]
    rest = [label for label in kinds if accuracy(label, "elsewhere") is None]
    ordered = sorted(elsewhere, key=lambda label: accuracy(label, "elsewhere") or 0.0)
    ordered += sorted(rest, key=lambda label: accuracy(label, "first") or 0.0)
    figure, columns = plt.subplots(1, 3, figsize=(12, 9), sharex=True)
    height = -(-len(ordered) // 3)
    for number, axes in enumerate(columns):
        part = ordered[number * height : (number + 1) * height]
        for offset, (side, (name, colour)) in zip((-0.2, 0.2), SIDES.items(), strict=True):
            known = [(place, accuracy(label, side)) for place, label in enumerate(part)]
            shown = [(place, value * 100) for place, value in known if value is not None]
            axes.barh([place + offset for place, _ in shown], [v for _, v in shown], 0.4, color=colour, label=name)
        axes.set_yticks(range(len(part)), part, fontsize=7)
        axes.set_ylim(height - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xlabel("named right, %")
    columns[0].legend(fontsize=8, loc="lower left")
    _save(figure, file)


def draw_training(history: list[dict[str, Any]], file: Path) -> None:
    """Draw loss and accuracy by epoch."""
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
    sizes = dict.fromkeys(f"{entry['size']} px" for entry in history)
    figure.suptitle("Training; dotted where the image size grows: " + " → ".join(sizes), fontsize=9)
    _save(figure, file)


def draw_reliability(sides: dict[str, dict[str, Any]], file: Path) -> None:
    """Draw accuracy against confidence."""
    figure, axes = plt.subplots(figsize=(4.4, 4))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    for side, (name, colour) in SIDES.items():
        bins = sides[side]["reliability"]
        axes.scatter(
            [bin_["confidence"] for bin_ in bins],
            [bin_["accuracy"] for bin_ in bins],
            s=[15 + bin_["size"] / 2 for bin_ in bins],
            alpha=0.7,
            color=colour,
            label=f"{name}, area by photographs",
        )
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(fontsize=8, loc="upper left", markerscale=0.5)
    _save(figure, file)


def draw_rejection(curve: list[dict[str, float]], threshold: float, file: Path) -> None:
    """Draw the share of each part that is named, by threshold."""
    figure, axes = plt.subplots(figsize=(5.6, 3.8))
    for part in (name for name in curve[0] if name != "threshold"):
        axes.plot([point["threshold"] for point in curve], [point[part] * 100 for point in curve], label=part)
    axes.axvline(threshold, color="grey", linestyle=":", label=f"threshold {threshold:.3f}")
    axes.set(xlabel="confidence below which a photo is not named", ylabel="named, %")
    axes.legend(fontsize=7)
    _save(figure, file)


def draw_confusions(confusions: list[dict[str, Any]], file: Path) -> None:
    """Draw which kinds are taken for which."""
    names = sorted({entry[side] for entry in confusions for side in ("shown", "taken_for")}) or ["none"]
    matrix = [[0] * len(names) for _ in names]
    for entry in confusions:
        matrix[names.index(entry["shown"])][names.index(entry["taken_for"])] = entry["photos"]
    figure, axes = plt.subplots(figsize=(7.5, 6.5))
    axes.imshow(matrix, cmap="Oranges", vmin=0, vmax=max(4, *map(max, matrix)))
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set(xlabel="taken for", ylabel="shown")
    for y, row in enumerate(matrix):
        for x, count in enumerate(row):
            if count:
                axes.text(x, y, str(count), ha="center", va="center", fontsize=7)
    _save(figure, file)
