"""Find the species of each label: its facts, and its common names in every language.

`species.json` holds the facts. `names/<language>.json` holds the common names: another language is another file.
"""

import json
from pathlib import Path
from typing import Any

from ..documents import Species

_FOLDER = Path(__file__).parent
_NAMES = _FOLDER / "names"

LANGUAGES = tuple(sorted(file.stem for file in _NAMES.glob("*.json")))


class Catalogue:
    """Find a label's species. An unknown label is its own name."""

    def __init__(self) -> None:
        self._facts = {entry["label"]: entry for entry in _read(_FOLDER / "species.json")}
        self._names: dict[str, dict[str, str]] = {
            language: _read(_NAMES / f"{language}.json") for language in LANGUAGES
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """Return all labels of the catalogue, in its order."""
        return tuple(self._facts)

    def find(self, label: str) -> Species:
        """Return the species of a model's label."""
        facts = self._facts.get(label, {})
        return {
            "label": label,
            "scientific_name": facts.get("scientific_name"),
            "names": {language: names.get(label, label) for language, names in self._names.items()},
            "rank": facts.get("rank"),
            "family": facts.get("family"),
            "order": facts.get("order"),
            "inaturalist_taxon_id": facts.get("inaturalist_taxon_id"),
        }


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
