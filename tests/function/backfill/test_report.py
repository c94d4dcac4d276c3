"""Test what a run reports: the dry run's estimate, the page of `--report`, the rows for BigQuery."""

import json
import re
from pathlib import Path

import pytest
from apache_beam import coders
from apache_beam.io.gcp.bigquery_tools import beam_row_from_dict, get_beam_typehints_from_tableschema
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.utils.timestamp import Timestamp
from google.cloud import storage

from backfill.bigquery import read_schema, row
from tests.support.backfill_program import backfill
from tests.support.upload_server import photo
from tests.support.uploads import names, put


def test_dry_run_estimates_and_writes_nothing(bucket: storage.Bucket) -> None:
    for number in range(8):
        put(bucket, f"{number % 2}/{number}.jpg", photo(number))
    pattern = f"gs://{bucket.name}/**"
    assert backfill(f"gs://{bucket.name}/0/*").counts["classified"] == 4
    before = names(bucket)
    run = backfill(pattern, "--dry-run")
    assert (run.status, run.counts["to do"], run.counts["done before"]) == (0, 4, 4)
    assert re.search(r"about 0:00:0\d with 1 workers, at [\d.]+ ms an image", run.out)
    assert "$" not in run.out
    assert names(bucket) == before
    assert backfill(pattern, "--dry-run", "--all").counts["to do"] == 8


def test_report_is_one_file_with_all_sections(photos: Path) -> None:
    (photos / "<b>&amp;.jpg").write_bytes(photo(3)[:500])
    page = photos.parent / "report.html"
    run = backfill(str(photos), "--report", str(page), settings={"REJECT_BELOW": "0"})
    assert run.status == 0, run.error
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == run.counts["classified"] == 4
    assert text.count("UNDECODABLE_IMAGE</b>") == run.counts["invalid"] == 2
    assert "<b>&amp;" not in text.replace("%3Cb%3E", "")
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert all(word in text for word in ("Least sure", "Invalid", "Species", "se%C3%B1ora", "class=bar"))
    kinds = page.with_name("report-kinds.html").read_text(encoding="utf-8")
    assert kinds.count("data:image/jpeg;base64,") == 4
    labels = {json.loads(file.read_text()).get("species", {}).get("label") for file in photos.rglob("*.json")} - {None}
    assert set(re.findall("<h2>(.*?): [0-9]+</h2>", kinds)) == labels
    assert not re.search(r"(src|href)=\"(?!data:)", kinds)


@pytest.mark.parametrize("faulty", [False, True])
def test_row_of_document_has_table_columns(photos: Path, faulty: bool) -> None:
    """Encode the rows as Beam sends them to its connector. The connector itself is in Java and needs BigQuery."""
    backfill(str(photos))
    image = photos / ("broken.jpg" if faulty else "rose.jpg")
    document = json.loads(image.with_name(f"{image.name}.json").read_text())
    schema = read_schema()
    made = row(document, schema["fields"])
    assert list(made) == [field["name"] for field in schema["fields"]]
    assert (made["error"] is None) != faulty
    assert made["image"]["generation"] == document["image"]["generation"]
    assert len(made["predictions"]) == (0 if faulty else 5)
    assert made["classified_at"] == Timestamp.from_rfc3339(document["classified_at"])
    coder = coders.registry.get_coder(RowTypeConstraint.from_fields(get_beam_typehints_from_tableschema(schema)))
    sent = coder.decode(coder.encode(beam_row_from_dict(made, schema)))
    assert sent.image.sha256 == document["image"]["sha256"]
    assert [entry.label for entry in sent.predictions] == [entry["label"] for entry in made["predictions"]]
    assert (sent.species is None) == (made["species"] is None)
