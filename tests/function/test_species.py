"""The catalogue names all that the bundled model tells apart."""

import json
import re
from collections import Counter

import pytest

from flowers.model.session import Model
from flowers.model.species import Catalogue, Species
from flowers.settings import BUNDLED_MODEL
from tests.function.conftest import ROOT

LABELS = Model.load(BUNDLED_MODEL).card.labels
CATALOGUE = Catalogue()
# Genus; genus and epithet; a hybrid with ×; a group, a variety or a cultivar.
SCIENTIFIC_NAME = re.compile(
    r"(× ?)?[A-Z][a-zë]+(-[a-z]+)?( (× ?)?[a-z]+(-[a-z]+)*)?( (var\.|subsp\.|f\.) [a-z-]+)?( Group| '[^']+')?"
)


def species() -> list[Species]:
    """The catalogue's species in the order of the model's labels."""
    return [CATALOGUE.find(label) for label in LABELS]


@pytest.mark.bundled_model
def test_the_catalogue_lists_exactly_the_models_labels_in_their_order() -> None:
    entries = json.loads((ROOT / "function" / "flowers" / "model" / "species.json").read_text(encoding="utf-8"))
    assert [entry["label"] for entry in entries] == list(LABELS)


def test_every_label_is_found_under_its_very_name() -> None:
    assert [entry["label"] for entry in species()] == list(LABELS)
    assert len(set(LABELS)) == len(LABELS)


@pytest.mark.parametrize("language", ["en", "es"])
def test_no_two_species_share_a_name_and_none_is_empty(language: str) -> None:
    names = [entry["names"]["es"] if language == "es" else entry["names"]["en"] for entry in species()]
    assert all(name == name.strip() != "" for name in names)
    assert [name for name, count in Counter(name.casefold() for name in names).items() if count > 1] == []


@pytest.mark.bundled_model
def test_scientific_names_have_the_shape_of_scientific_names() -> None:
    shapeless = [
        entry["scientific_name"]
        for entry in species()
        if entry["scientific_name"] is None or not SCIENTIFIC_NAME.fullmatch(entry["scientific_name"])
    ]
    assert shapeless == []


def test_only_a_genus_stands_for_two_labels() -> None:
    counts = Counter(entry["scientific_name"] for entry in species())
    assert [name for name, count in counts.items() if count > 1 and " " in str(name)] == []


def test_a_species_that_everybody_knows() -> None:
    assert CATALOGUE.find("sunflower") == {
        "label": "sunflower",
        "scientific_name": "Helianthus annuus",
        "names": {"en": "sunflower", "es": "girasol"},
    }


@pytest.mark.parametrize("label", ["edelweiss", "Sunflower", "", "n01440764"])
def test_a_label_that_is_unknown_is_its_own_name(label: str) -> None:
    assert CATALOGUE.find(label) == {"label": label, "scientific_name": None, "names": {"en": label, "es": label}}
