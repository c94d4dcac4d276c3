"""Describe a photo under review: what the model answered, what a person said it is."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

from ..serving import Catalogue

DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_LABEL = 100
# Folders of `other/` for what is no kind of the catalogue.
KINDS = {
    "other-flowers": "another flower",
    "plants-without-flowers": "a plant without flowers",
    "scenes": "no plant",
}


class Answer(TypedDict):
    """Hold what the model answered: its candidates, best first, as (label, confidence 0..1)."""

    identified: bool
    predictions: list[tuple[str, float]]
    model: str


class Correction(TypedDict):
    """Hold what a person said: a `label` of the model or a free `text`, and perhaps a `comment`."""

    label: str | None
    text: str | None
    comment: str | None
    corrected_at: str


class ReviewPhoto(TypedDict):
    """Hold a photo of `review/`, whose file is `photos/<photo>.jpg`.

    `plant` is the digest of the first photo that was sent with it, if it is one of several of a plant. `suggestion` is
    the label that accepting gives it, None if only a person can say.
    """

    photo: str
    uri: str
    plant: str
    answer: Answer | None
    correction: Correction | None
    suggestion: str | None


def known_names(labels: Iterable[str]) -> dict[str, str]:
    """Return which label each name means: a label, a scientific name or a common name, all in lower case.

    A name of several labels is left out.
    """
    catalogue = Catalogue()
    labels = dict.fromkeys([*catalogue.labels, *labels])
    meant: dict[str, str] = {}
    count: Counter[str] = Counter()
    for label in labels:
        species = catalogue.find(label)
        scientific = (species["scientific_name"] or "").split(", ")  # a group of similar kinds has several
        names = {name.lower() for name in (*scientific, *species["names"].values()) if name}
        count.update(names)
        meant |= dict.fromkeys(names, label)
    unambiguous = {name: label for name, label in meant.items() if count[name] == 1}
    return unambiguous | {label.lower(): label for label in labels}


def suggest(answer: Answer | None, correction: Correction | None, names: dict[str, str]) -> str | None:
    """Return the label that the correction means, or else the model's best one."""
    if correction:
        return names.get((correction["label"] or correction["text"] or "").lower())
    return answer["predictions"][0][0] if answer else None
