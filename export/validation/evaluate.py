"""Calibrate the served model on held-out photographs and measure it on `valid`, through the function's own path."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..conversion.metadata import read_metadata, save, write_metadata
from ..serving import Model, fuse, logits_of, probabilities
from ..training.dataset import NO_KIND, Dataset, Photo
from ..training.dataset import known as known_photos
from .measure import (
    calibration_error,
    f1_by_class,
    fit_temperature,
    mixture_weights,
    rejection_threshold,
    reliability,
    top_accuracy,
)

# What people send: photographs like those of the first collection, of its kinds by other people, and of none of them.
MIXTURE = {
    "first collection": 0.25,
    "elsewhere": 0.45,
    "other-flowers": 0.15,
    "plants-without-flowers": 0.075,
    "scenes": 0.075,
}
# A wrong name weighs as much as four right ones: people believe a name, and see at once that there is none. The holdout
# is of sources that were trained on, so it knows fewer wrong names than use does.
WRONG_NAME_COST = 4.0
MAX_CONFUSIONS = 20
FUSED_PHOTOS = (2, 3, 4, 5)


def parts_of(photos: Sequence[Photo], first: str) -> NDArray[np.str_]:
    """Return the part of the mixture that each photograph [N] belongs to; `first` is the first collection's source."""
    return np.array([photo.kind or ("first collection" if photo.source == first else "elsewhere") for photo in photos])


def _truth(photos: Sequence[Photo]) -> NDArray[np.int64]:
    return np.array([photo.label for photo in photos], np.int64)


def _share(chosen: NDArray[np.bool_]) -> float | None:
    """Return the share (0..1) of a selection; None of nothing."""
    return round(float(chosen.mean()), 4) if chosen.size else None


def _confusions(
    labels: tuple[str, ...], predicted: NDArray[np.int64], truth: NDArray[np.int64]
) -> list[dict[str, Any]]:
    pairs = Counter((int(t), int(p)) for t, p in zip(truth, predicted, strict=True) if t != p)
    return [
        {"shown": labels[t], "taken_for": labels[p], "photos": count}
        for (t, p), count in pairs.most_common(MAX_CONFUSIONS)
    ]


def _known_report(
    labels: tuple[str, ...], shares: NDArray[np.float64], truth: NDArray[np.int64], threshold: float
) -> dict[str, Any]:
    """Measure photographs of known kinds: probabilities [N, C] and classes [N]."""
    predicted = shares.argmax(axis=1).astype(np.int64)
    identified = shares.max(axis=1) >= threshold
    bins = reliability(shares, truth)
    shown = np.unique(truth)
    return {
        "photos": len(truth),
        "kinds": len(shown),
        "top1": round(top_accuracy(shares, truth), 4),
        "top5": round(top_accuracy(shares, truth, 5), 4),
        "macro_top1": round(float(np.mean([(predicted[truth == kind] == kind).mean() for kind in shown])), 4),
        "macro_f1": round(float(f1_by_class(predicted, truth, len(labels))[shown].mean()), 4),
        "expected_calibration_error": round(calibration_error(bins), 4),
        "identified": _share(identified),
        "identified_right": _share((predicted == truth)[identified]),
        "reliability": [bin_._asdict() for bin_ in bins],
        "confusions": _confusions(labels, predicted, truth),
    }


def _by_source(
    data: Dataset, shares: NDArray[np.float64], truth: NDArray[np.int64], threshold: float
) -> dict[str, dict[str, Any]]:
    trained = Counter(photo.source for photo in data.train)
    sources = np.array([photo.source for photo in data.valid])
    right, named = shares.argmax(axis=1) == truth, shares.max(axis=1) >= threshold
    report: dict[str, dict[str, Any]] = {}
    for source in dict.fromkeys(sources):
        known = (sources == source) & (truth != NO_KIND)
        others = (sources == source) & (truth == NO_KIND)
        report[str(source)] = {
            "trained_on": trained[str(source)],
            "photos": int(known.sum()),
            "top1": _share(right[known]),
            "identified": _share(named[known]),
            "identified_right": _share(right[known & named]),
            "others": int(others.sum()),
            "others_named": _share(named[others]),
        }
    return report


def _by_kind(
    data: Dataset, parts: NDArray[np.str_], shares: NDArray[np.float64], truth: NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    """Report each kind's accuracy on both sides, and how many photographs from elsewhere it was trained on."""
    first = data.train[0].source
    trained = Counter(photo.label for photo in data.train if photo.source != first)
    right = shares.argmax(axis=1) == truth
    report = {}
    for index, label in enumerate(data.labels):
        sides = {
            name: right[(truth == index) & (parts == part)]
            for name, part in (("first", "first collection"), ("elsewhere", "elsewhere"))
        }
        report[label] = {
            "trained_elsewhere": trained[index],
            **{name: {"photos": len(side), "accuracy": _share(side)} for name, side in sides.items()},
        }
    return report


def _curve(
    confidence: NDArray[np.float64], parts: NDArray[np.str_], pictures: NDArray[np.float64]
) -> list[dict[str, float]]:
    """Return the share named of each part of `valid` [N], and of pictures of no flower [M], by threshold."""
    named = {part: confidence[parts == part] for part in MIXTURE if (parts == part).any()}
    if pictures.size:
        named["no flowers"] = pictures
    return [
        {"threshold": round(float(threshold), 3)}
        | {part: round(float((values >= threshold).mean()), 4) for part, values in named.items()}
        for threshold in np.linspace(0, 1, 101)
    ]


def _fused(photos: Sequence[Photo], logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], list[Photo]]:
    """Return the fused logits [M, C] of groups of `count` photographs, and a photograph of each group.

    A group shows one class, or one kind of others, of one source: no collection says which photographs show one plant.
    """
    alike: dict[tuple[int, str, str], list[int]] = {}
    for index, photo in enumerate(photos):
        alike.setdefault((photo.label, photo.kind, photo.source), []).append(index)
    groups = [
        indices[start : start + count]
        for indices in alike.values()
        for start in range(0, len(indices) - count + 1, count)
    ]
    means = [fuse(logits[group], 1.0).astype(np.float32) for group in groups]
    return np.array(means), [photos[group[0]] for group in groups]


def _fused_report(
    held: NDArray[np.float32], logits: NDArray[np.float32], data: Dataset, calibration: tuple[float, float]
) -> dict[str, dict[str, Any]]:
    """Fit a temperature for 2 to 5 photographs of a plant on the holdout, and measure it on `valid`.

    `calibration` is temperature and threshold of one photograph. The threshold stays, since confidences are calibrated.
    No temperature falls below that of photographs that err independently, which few holdout groups could suggest.
    """
    first, (alone, threshold) = data.train[0].source, calibration
    report: dict[str, dict[str, Any]] = {}
    for count in FUSED_PHOTOS:
        (fitted, fitted_photos), (measured, photos) = (
            _fused(data.holdout, held, count),
            _fused(data.valid, logits, count),
        )
        if not (known_photos(fitted_photos) and known_photos(photos)):
            break  # too few photographs of a class
        truth, weights = _truth(fitted_photos), mixture_weights(parts_of(fitted_photos, first), MIXTURE)
        known = truth != NO_KIND
        temperature = round(max(fit_temperature(fitted[known], truth[known], weights[known]), alone / count), 4)
        truth, shares = _truth(photos), probabilities(measured, temperature)
        known, named = truth != NO_KIND, shares.max(axis=1) >= threshold
        report[str(count)] = {
            "temperature": temperature,
            "reject_below": threshold,
            "plants": int(known.sum()),
            "top1": _share((shares.argmax(axis=1) == truth)[known]),
            "identified": _share(named[known]),
            "expected_calibration_error": round(calibration_error(reliability(shares[known], truth[known])), 4),
        }
    return report


def evaluate(model_file: Path, data: Dataset, negatives: list[Path], report_file: Path) -> dict[str, Any]:
    """Fit temperature and threshold, write them and the accuracy into `model_file`, and report (also as JSON).

    Both are fitted on the holdout, weighted as `MIXTURE` says. `negatives` are pictures of no flower at all; their
    parent folder's name is their kind. `valid` is reported by part, by source and by kind.
    """
    model = Model.load(model_file)
    first = data.train[0].source
    held_truth, truth = _truth(data.holdout), _truth(data.valid)
    held_parts, parts = parts_of(data.holdout, first), parts_of(data.valid, first)
    held = logits_of([photo.path for photo in data.holdout], model, "holdout")
    logits = logits_of([photo.path for photo in data.valid], model, "valid")

    weights = mixture_weights(held_parts, MIXTURE)
    known = held_truth != NO_KIND
    temperature = round(fit_temperature(held[known], held_truth[known], weights[known]), 4)
    held_shares = probabilities(held, temperature)
    threshold = rejection_threshold(
        held_shares.max(axis=1), held_shares.argmax(axis=1) == held_truth, weights, WRONG_NAME_COST
    )
    shares = probabilities(logits, temperature)
    pictures = np.empty(0)
    if negatives:
        pictures = probabilities(logits_of(negatives, model, "no flowers"), temperature).max(axis=1)
    named = shares.max(axis=1) >= threshold
    kinds = np.array([file.parent.name for file in negatives])

    def held_error(at: float) -> float:
        return round(calibration_error(reliability(probabilities(held[known], at), held_truth[known])), 4)

    report: dict[str, Any] = {
        "holdout": {
            "photos": len(held_truth),
            "mixture": {part: share for part, share in MIXTURE.items() if (held_parts == part).any()},
            "top1": round(top_accuracy(held_shares[known], held_truth[known]), 4),
            "temperature": temperature,
            "reject_below": threshold,
            "expected_calibration_error_before": held_error(1.0),
            "expected_calibration_error_after": held_error(temperature),
        },
        "valid": {
            name: _known_report(data.labels, shares[parts == part], truth[parts == part], threshold)
            for name, part in (("first", "first collection"), ("elsewhere", "elsewhere"))
            if (parts == part).any()
        },
        "fused": _fused_report(held, logits, data, (temperature, threshold)),
        "sources": _by_source(data, shares, truth, threshold),
        "others": {
            str(part): {"pictures": int((parts == part).sum()), "named": _share(named[parts == part])}
            for part in np.unique(parts[truth == NO_KIND])
        },
        "no_flowers": {
            str(kind): {"pictures": int((kinds == kind).sum()), "named": _share(pictures[kinds == kind] >= threshold)}
            for kind in np.unique(kinds)
        },
        "curve": _curve(shares.max(axis=1), parts, pictures),
        "kinds": _by_kind(data, parts, shares, truth),
    }
    _write_calibration(model_file, report)
    report["model"] = {
        "name": model.card.name,
        "version": model.card.version,
        "sha256": Model.load(model_file).card.sha256,
    }
    report_file.parent.mkdir(parents=True, exist_ok=True)
    report_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _write_calibration(model_file: Path, report: dict[str, Any]) -> None:
    model = onnx.load(model_file)
    metadata = read_metadata(model)
    accuracy = {
        part: {name: figures[name] for name in ("photos", "top1", "top5", "macro_f1")}
        for part, figures in report["valid"].items()
    }
    held = report["holdout"]
    fused = {
        photos: {name: figures[name] for name in ("temperature", "reject_below")}
        for photos, figures in report["fused"].items()
    }
    calibrated = replace(
        metadata,
        temperature=held["temperature"],
        reject_below=held["reject_below"],
        accuracy={"split": "valid", **accuracy},
        fused=fused,
    )
    write_metadata(model, calibrated)
    save(model, model_file)
