"""The species catalogue: scientific and common names of the labels it knows."""

import json
from pathlib import Path
from typing import TypedDict

_FILE = Path(__file__).parent / "species.json"


class Names(TypedDict):
    """Common names by language."""

    en: str
    es: str


class Species(TypedDict):
    """A species, or a genus where the class is a genus or a group of hybrids."""

    label: str
    scientific_name: str | None
    names: Names


class Catalogue:
    """Finds a label's species. A label that it does not know is its own name."""

    def __init__(self, path: Path = _FILE) -> None:
        entries: list[Species] = json.loads(path.read_text(encoding="utf-8"))
        self._species = {entry["label"]: entry for entry in entries}

    def find(self, label: str) -> Species:
        """The species of a model's label."""
        known = self._species.get(label)
        return known or {"label": label, "scientific_name": None, "names": {"en": label, "es": label}}
