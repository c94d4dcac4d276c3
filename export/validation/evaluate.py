"""Calibrates the served model on held-out photographs and measures it on `valid`, through the function's own path."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..conversion.metadata import read_metadata, save, write_metadata
from ..serving import Model, logits_of, probabilities
from ..training.dataset import Dataset, Photo
from .measure import calibration_error, f1_by_class, fit_temperature, rejection_threshold, reliability, top_accuracy

# Two of a hundred flowers are refused on the held-out photographs, so that three of a hundred are a safe promise.
KEEP_IDENTIFIED = 0.98
MOST_CONFUSIONS = 12


def _truth(photos: tuple[Photo, ...]) -> NDArray[np.int64]:
    return np.array([photo.label for photo in photos], np.int64)


def _confusions(
    labels: tuple[str, ...], predicted: NDArray[np.int64], truth: NDArray[np.int64]
) -> list[dict[str, Any]]:
    pairs = Counter((int(t), int(p)) for t, p in zip(truth, predicted, strict=True) if t != p)
    return [
        {"shown": labels[t], "taken_for": labels[p], "photos": count}
        for (t, p), count in pairs.most_common(MOST_CONFUSIONS)
    ]


def _rejection_curve(flowers: NDArray[np.float64], others: NDArray[np.float64]) -> list[dict[str, float]]:
    return [
        {
            "threshold": round(float(threshold), 3),
            "flowers_identified": round(float((flowers >= threshold).mean()), 4),
            "others_rejected": round(float((others < threshold).mean()), 4),
        }
        for threshold in np.linspace(0, 1, 101)
    ]


def _valid_report(
    labels: tuple[str, ...], shares: NDArray[np.float64], truth: NDArray[np.int64], threshold: float
) -> dict[str, Any]:
    predicted = shares.argmax(axis=1).astype(np.int64)
    bins = reliability(shares, truth)
    return {
        "photos": len(truth),
        "top1": round(top_accuracy(shares, truth), 4),
        "top5": round(top_accuracy(shares, truth, 5), 4),
        "macro_f1": round(float(f1_by_class(predicted, truth, len(labels)).mean()), 4),
        "expected_calibration_error": round(calibration_error(bins), 4),
        "identified": round(float((shares.max(axis=1) >= threshold).mean()), 4),
        "reliability": [bin_._asdict() for bin_ in bins],
        "confusions": _confusions(labels, predicted, truth),
        "accuracy_by_species": {
            label: {
                "photos": int((truth == index).sum()),
                "accuracy": round(float((predicted[truth == index] == index).mean()), 4),
            }
            for index, label in enumerate(labels)
            if (truth == index).any()
        },
    }


def evaluate(model_file: Path, data: Dataset, not_flowers: list[Path], report_file: Path) -> dict[str, Any]:
    """Fits temperature and threshold, writes them and the accuracy into `model_file`, and reports (also as JSON).

    `not_flowers` are pictures of anything else; their parent folder's name is their kind.
    """
    model = Model.load(model_file)
    held_truth, truth = _truth(data.holdout), _truth(data.valid)
    held = logits_of([photo.path for photo in data.holdout], model, "holdout")
    logits = logits_of([photo.path for photo in data.valid], model, "valid")
    strangers = logits_of(not_flowers, model, "no flowers")

    temperature = round(fit_temperature(held, held_truth), 4)
    held_shares = probabilities(held, temperature)
    threshold = rejection_threshold(held_shares.max(axis=1), KEEP_IDENTIFIED)
    shares = probabilities(logits, temperature)
    others = probabilities(strangers, temperature).max(axis=1)
    kinds = np.array([file.parent.name for file in not_flowers])

    report: dict[str, Any] = {
        "holdout": {
            "photos": len(held_truth),
            "top1": round(top_accuracy(held_shares, held_truth), 4),
            "temperature": temperature,
            "reject_below": threshold,
            "expected_calibration_error_before": round(
                calibration_error(reliability(probabilities(held, 1.0), held_truth)), 4
            ),
            "expected_calibration_error_after": round(calibration_error(reliability(held_shares, held_truth)), 4),
        },
        "valid": _valid_report(data.labels, shares, truth, threshold),
        "not_flowers": {
            "pictures": len(others),
            "rejected": round(float((others < threshold).mean()), 4),
            "by_kind": {
                str(kind): {
                    "pictures": int((kinds == kind).sum()),
                    "rejected": round(float((others[kinds == kind] < threshold).mean()), 4),
                }
                for kind in np.unique(kinds)
            },
            "curve": _rejection_curve(shares.max(axis=1), others),
        },
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
    figures = {name: report["valid"][name] for name in ("photos", "top1", "top5", "macro_f1")}
    write_metadata(
        model,
        metadata.with_calibration(
            report["holdout"]["temperature"], report["holdout"]["reject_below"], {"split": "valid", **figures}
        ),
    )
    save(model, model_file)
