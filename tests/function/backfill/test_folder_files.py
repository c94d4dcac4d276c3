"""Test a folder's results as a table and as sidecars for a photo manager, and the retry of invalid images."""

import csv
import io
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from flowers.model.species import Catalogue
from tests.function.backfill.test_folder import PHOTOS, document_of, times, tree
from tests.support.backfill_program import backfill
from tests.support.upload_server import photo

NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
}
IDENTIFY = {"REJECT_BELOW": "0"}


def rows_of(file: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a table by the name of the image, as a spreadsheet reads them."""
    data = file.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    return {row["name"]: row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))}


def subjects(sidecar: Path) -> tuple[list[str | None], list[str | None]]:
    """Return the plain and the hierarchical keywords of a sidecar."""
    root = ET.parse(sidecar)  # noqa: S314
    plain, tree = (
        root.findall(f".//{name}/rdf:Bag/rdf:li", NAMES) for name in ("dc:subject", "lr:hierarchicalSubject")
    )
    return [item.text for item in plain], [item.text for item in tree]


def test_table_has_a_row_for_each_image(photos: Path) -> None:
    table = photos.parent / "results.csv"
    run = backfill(str(photos), "--csv", str(table), settings=IDENTIFY | {"DEFAULT_LANGUAGE": "es"})
    assert run.status == 0, run.error
    assert "5 rows" in run.out
    rows = rows_of(table)
    assert set(rows) == {*PHOTOS, "broken.jpg"}
    assert "truncated or corrupt" in rows["broken.jpg"]["error"]
    assert rows["broken.jpg"]["identified"] == ""
    for name in PHOTOS:
        document = document_of(photos / name)
        species = document["species"]
        assert rows[name] == {
            "name": name,
            "kind": species["names"]["es"],
            "scientific name": species["scientific_name"],
            "family": species["family"],
            "confidence": f"{document['confidence']:.4f}",
            "identified": "yes",
            "error": "",
        }


def test_table_includes_what_was_done_before(photos: Path) -> None:
    backfill(str(photos))
    table = photos.parent / "results.csv"
    assert backfill(str(photos), "--csv", str(table), settings={"REJECT_BELOW": "1"}).counts["classified"] == 0
    assert len(rows_of(table)) == 5


def test_table_of_unidentified_photo_has_no_kind(photos: Path) -> None:
    table = photos.parent / "results.csv"
    backfill(f"{photos}/rose.jpg", "--csv", str(table), settings={"REJECT_BELOW": "1"})
    row = rows_of(table)["rose.jpg"]
    assert (row["kind"], row["scientific name"], row["family"], row["identified"]) == ("", "", "", "no")


def test_table_defuses_names_that_are_formulas(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("=1+1.jpg", '@x, "y".jpg', "plain.jpg"):
        (folder / name).write_bytes(photo(3))
    table = tmp_path / "results.csv"
    backfill(str(folder), "--csv", str(table))
    assert set(rows_of(table)) == {"'=1+1.jpg", '\'@x, "y".jpg', "plain.jpg"}


def test_sidecars_name_the_kind_and_leave_photos_alone(photos: Path) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    run = backfill(str(photos), "--xmp", settings=IDENTIFY)
    assert "sidecars: 4 written, 0 by other programs left alone" in run.out
    for name in PHOTOS:
        species = Catalogue().find(document_of(photos / name)["species"]["label"])
        plain, branch = subjects(photos / f"{name}.xmp")
        assert plain == [species["names"]["en"], species["scientific_name"], species["family"]]
        assert branch == [f"Plants|{species['family']}|{species['scientific_name']}"]
    assert all(path.read_bytes() == data for path, data in before.items())
    assert not (photos / "broken.jpg.xmp").exists()
    assert backfill(str(photos), "--xmp", settings=IDENTIFY).counts["done before"] == 5


@pytest.mark.parametrize("content", [b"", b"<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Other 1.0'/>", b"\xff"])
def test_foreign_sidecar_is_left_alone(photos: Path, content: bytes) -> None:
    (photos / "rose.jpg.xmp").write_bytes(content)
    run = backfill(f"{photos}/rose.jpg", "--xmp", settings=IDENTIFY)
    assert "sidecars: 0 written, 1 by other programs left alone" in run.out
    assert (photos / "rose.jpg.xmp").read_bytes() == content


def test_retry_faulty_redoes_invalid_images_only(photos: Path) -> None:
    backfill(str(photos))
    written = times(photos)
    # The photo is repaired in place, with the time of the broken one.
    broken = photos / "broken.jpg"
    stamp = broken.stat().st_mtime_ns
    broken.write_bytes(photo(1))
    os.utime(broken, ns=(stamp, stamp))
    assert backfill(str(photos)).counts["done before"] == 5
    run = backfill(str(photos), "--retry-faulty")
    assert (run.counts["classified"], run.counts["done before"]) == (1, 4)
    assert "species" in document_of(broken)
    assert {path for path, time in times(photos).items() if time != written[path]} == {f"{broken}.json"}
    assert len(tree(photos)) == len(set(tree(photos)))


@pytest.mark.parametrize("option", [("--csv", "x.csv"), ("--xmp",)])
def test_table_and_sidecars_of_a_bucket_are_refused(option: tuple[str, ...]) -> None:
    run = backfill("gs://garden/**", *option)
    assert run.status == 2
    assert "--csv and --xmp are for a folder" in run.error
