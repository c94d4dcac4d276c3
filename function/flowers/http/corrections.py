"""Answer requests that correct a result: read and check the JSON, and store it."""

import logging
import re
import unicodedata
from collections.abc import Collection
from typing import Any

from flask import Request

from ..classifier import Classifier
from ..cloud.clients import Cloud
from ..documents import MAX_COMMENT
from ..errors import InputError, UnavailableError, with_cause
from ..results.corrections import Correction, CorrectionStore
from ..settings import Settings
from .json_body import parse_json
from .responses import Answer

_MAX_BODY_BYTES = 8 * 1024
_MAX_TEXT = 100
_SHAPE = '{"sha256": "…", "classified_at": "…", "label": "…"}, with `text` in place of `label` for any other plant'
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

logger = logging.getLogger(__name__)


class Corrections:
    """Answer the requests that correct a result."""

    def __init__(self, classifier: Classifier, settings: Settings, cloud: Cloud) -> None:
        self._labels = frozenset(classifier.model.card.labels)
        self._store = CorrectionStore(str(settings.archive_bucket), settings.result_suffix, cloud)

    def store(self, request: Request) -> Answer:
        """Store the correction in a request's body. Raise `FlowersError`."""
        correction = read_correction(_body(request), self._labels)
        try:
            self._store.store(correction)
        except UnavailableError as error:
            if error.__cause__:
                logger.warning("correction not stored: %s", with_cause(error.__cause__))
            raise
        # A free text may be anything, and a metric has a series for each label.
        fields = {"event": "corrected", "label": correction.label or "free text"}
        logger.info("corrected: %s", fields["label"], extra={"fields": fields})
        return Answer({"status": "stored"})


def read_correction(body: bytes, labels: Collection[str]) -> Correction:
    """Return the correction in a JSON body; `labels` are those of the model.

    Raise `InputError`: MALFORMED_REQUEST, INVALID_PARAMETER.
    """
    values = parse_json(body, _SHAPE)
    if not isinstance(values, dict):
        raise InputError("MALFORMED_REQUEST", f"The body should be JSON like {_SHAPE}.")
    label, text = values.get("label"), _text(values, "text", _MAX_TEXT)
    if (label is None) == (text is None):
        raise InputError("MALFORMED_REQUEST", f"The correction should have either `label` or `text`, like {_SHAPE}.")
    if label is not None and not (isinstance(label, str) and label in labels):
        raise InputError(
            "INVALID_PARAMETER", f"label={_shown(label)!r} is unknown. Use a label of GET /species, or `text`."
        )
    return Correction(
        _matching(values, "sha256", _SHA256, "`image.sha256` of the result"),
        _matching(values, "classified_at", _TIMESTAMP, "`classified_at` of the result"),
        label,
        text,
        _text(values, "comment", MAX_COMMENT),
    )


def _body(request: Request) -> bytes:
    try:
        body = request.stream.read(_MAX_BODY_BYTES + 1)
    except Exception as error:  # each server has errors of its own for a broken transfer
        raise InputError("MALFORMED_REQUEST", "The body of the request ended early or is malformed.") from error
    if len(body) > _MAX_BODY_BYTES:
        raise InputError("MALFORMED_REQUEST", f"A correction has at most {_MAX_BODY_BYTES:,} bytes.")
    return body


def _matching(values: dict[str, Any], name: str, pattern: re.Pattern[str], wanted: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InputError("INVALID_PARAMETER", f"{name}={_shown(value)!r} is invalid. Use {wanted}.")
    return value


def _shown(value: object) -> str | None:
    return value[:100] if isinstance(value, str) else None


def _text(values: dict[str, Any], name: str, max_length: int) -> str | None:
    """Return a text with its white space made single spaces, or None if it is absent or blank."""
    value = values.get(name)
    if value is None:
        return None
    text = " ".join(value.split()) if isinstance(value, str) else ""
    valid = isinstance(value, str) and len(text) <= max_length
    if not valid or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InputError(
            "INVALID_PARAMETER",
            f"{name} should be a text of at most {max_length} characters, without control characters.",
        )
    return text or None
