"""Read what a person decided: the page's `decisions.json`, or the JSON that Label Studio exports."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ExportError
from .label_studio import read_annotations
from .photo import DIGEST, MAX_LABEL

SCHEMA = "flowers.decisions/v1"


class DecisionsError(ExportError):
    """Report a file of decisions that cannot be read, or that is about other photos."""


class Decision(NamedTuple):
    """Say what a photo shows: a `label`, or no kind of the catalogue but `other`. One without both is discarded."""

    label: str | None = None
    other: str | None = None


def read_decisions(file: Path) -> dict[str, Decision]:
    """Return the decision about each photo, by digest. Raise `DecisionsError`."""
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DecisionsError(f"{file} does not exist. Save it from the page review/index.html.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DecisionsError(f"{file} is no JSON file: {error}") from error
    if isinstance(document, list):
        decided = read_annotations(document)
    elif isinstance(document, dict) and document.get("schema") == SCHEMA:
        decided = document.get("decisions")
    else:
        decided = None
    if not isinstance(decided, dict):
        raise DecisionsError(
            f"{file} has no decisions in it. Give the decisions.json that the page saves, or Label Studio's export as "
            "JSON (not JSON-MIN)."
        )
    return {photo: _decision(file, photo, value) for photo, value in decided.items()}


def _decision(file: Path, photo: str, value: Any) -> Decision:
    match value:
        case _ if not DIGEST.fullmatch(photo):
            pass
        case {"discard": True, **rest} if not rest:
            return Decision()
        case {"label": str(label), **rest} if not rest and 0 < len(label.strip()) <= MAX_LABEL:
            return Decision(label=label.strip())
        case {"other": str(kind), **rest} if not rest and 0 < len(kind.strip()) <= MAX_LABEL:
            return Decision(other=kind.strip())
    raise DecisionsError(
        f"{file}: the decision about {photo[:64]!r} is {json.dumps(value)[:80]}, but should be "
        '{"label": "…"}, {"other": "…"} or {"discard": true}. Save the file from the page again.'
    )
