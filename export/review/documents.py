"""Read the documents of an archive. Anyone's text is in them: they are checked, and never trusted."""

import json
from typing import Any

from ..serving import CORRECTION_SCHEMA, MAX_COMMENT, RESULT_SCHEMA
from .photo import DIGEST, MAX_LABEL, Answer, Correction

MAX_BYTES = 1 << 20


def read_result(data: bytes | None) -> tuple[Answer, str | None] | None:
    """Return the answer in a result document, and the digest of the first of several photos of the plant.

    Return None for anything else.
    """
    document = _read(data, RESULT_SCHEMA)
    try:
        predictions = [(_text(entry["label"]), _share(entry["confidence"])) for entry in document["predictions"]]
        model = f"{document['model']['name']} {document['model']['version']}"
        plant = document["images"][0]["sha256"] if document.get("images") else None
        if not predictions or (plant is not None and not DIGEST.fullmatch(plant)):
            return None
        return {"identified": bool(document["identified"]), "predictions": predictions, "model": model}, plant
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def read_correction(data: bytes | None) -> Correction | None:
    """Return the correction in a document; None for anything else."""
    document = _read(data, CORRECTION_SCHEMA)
    try:
        label, text, comment = document["label"], document["text"], document["comment"]
        if (label is None) == (text is None):
            return None
        return {
            "label": label if label is None else _text(label),
            "text": text if text is None else _text(text),
            "comment": comment if comment is None else _text(comment, MAX_COMMENT),
            "corrected_at": _text(document["corrected_at"]),
        }
    except (KeyError, TypeError, ValueError):
        return None


def _read(data: bytes | None, schema: str) -> Any:
    try:
        document = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) and document.get("schema") == schema else {}


def _text(value: object, max_length: int = MAX_LABEL) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= max_length:
        raise ValueError
    value.encode()  # half of a surrogate pair is no text
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError
    return float(value)
