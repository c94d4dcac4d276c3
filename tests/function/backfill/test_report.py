"""Test what a run reports: the dry run's estimate, the page of `--report`, the rows for BigQuery."""

import json
import os
import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from apache_beam import coders
from apache_beam.io.gcp.bigquery_tools import beam_row_from_dict, get_beam_typehints_from_tableschema
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.utils.timestamp import Timestamp
from google.cloud import storage

from backfill.bigquery import read_schema, row
from flowers.documents import CORRECTION_SCHEMA
from tests.support.backfill_program import backfill
from tests.support.upload_server import photo
from tests.support.uploads import names, put, result_of


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


def table_of(page: Path, title: str) -> list[list[str]]:
    """Return the texts in the rows of a report's table, without the bars."""
    text = page.read_text(encoding="utf-8").partition(f"<h2>{title}</h2>")[2].partition("</table>")[0]
    return [re.findall("<td[^>]*>([^<]*)</td>", row) for row in text.split("</tr>")[:-1]]


def test_report_counts_earlier_results_by_week(photos: Path) -> None:
    weeks = {"rose.jpg": "2026-06-01", "trip/rose (1).JPG": "2026-06-07", "señora 🌷.jpg": "2026-06-08"}
    for name, day in weeks.items():
        moment = datetime.fromisoformat(f"{day}T23:30:00+00:00").timestamp()
        os.utime(photos / name, (moment, moment))
    (photos / "trip/2025/lily").unlink()
    page = photos.parent / "report.html"
    assert backfill(f"{photos}/rose.jpg", settings={"REJECT_BELOW": "1"}).counts["of them not identified"] == 1
    run = backfill(str(photos), "--report", str(page), settings={"REJECT_BELOW": "0"})
    assert (run.counts["classified"], run.counts["done before"]) == (2, 1)
    documents = [json.loads((photos / f"{name}.json").read_text()) for name in weeks]
    labels = [document["predictions"][0]["label"] for document in documents]
    assert table_of(page, "Share identified and frequent kinds, by week") == [
        ["2026-06-08", "1", "100.0%", f"{labels[2]} 1"],
        ["2026-06-01", "2", "50.0%", f"{labels[1]} 1"],
    ]
    tenths = {f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}": 0 for tenth in reversed(range(10))}
    for document in documents:
        tenth = min(int(document["confidence"] * 10), 9)
        tenths[f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}"] += 1
    assert table_of(page, "Confidence") == [[name, str(number)] for name, number in tenths.items()]


def test_report_of_archive_counts_corrections(bucket: storage.Bucket, tmp_path: Path) -> None:
    images = [put(bucket, f"2026/11/27/{number}.jpg", photo(number)) for number in range(3)]
    assert backfill(f"gs://{bucket.name}/**").counts["classified"] == 3
    answers = [result_of(image)["predictions"][0]["label"] for image in images]
    corrections = [("oxeye daisy", None), (None, "<b>Bellis</b>"), ("oxeye daisy", None), ("rose", None)]
    for number, (label, text) in enumerate(corrections):
        document = {
            "schema": CORRECTION_SCHEMA,
            "label": label,
            "text": text,
            "comment": None,
            "image": {"uri": f"gs://{bucket.name}/2026/11/27/{number}.jpg", "generation": "1", "sha256": "0" * 64},
            "classified_at": "2026-11-27T12:00:00.000Z",
            "corrected_at": "2026-11-27T12:01:00.000Z",
        }
        put(bucket, f"2026/11/27/{number}.correction.json", json.dumps(document).encode(), "application/json")
    put(bucket, "2026/11/27/other.correction.json", b'{"schema": "another", "label": "x"}', "application/json")
    page = tmp_path / "report.html"
    run = backfill(f"gs://{bucket.name}/**", "--report", str(page))
    assert (run.status, run.counts["classified"], run.counts["done before"]) == (0, 0, 3), run.error
    said = ["oxeye daisy", "&lt;b&gt;Bellis&lt;/b&gt;", "oxeye daisy"]
    expected = Counter(f"{answer} → {says}" for answer, says in zip(answers, said, strict=True)) | {"? → rose": 1}
    assert dict(table_of(page, "Corrections")) == {name: str(number) for name, number in expected.items()}
    ((monday, photos, *_),) = table_of(page, "Share identified and frequent kinds, by week")
    classified_at = date.fromisoformat(result_of(images[0])["classified_at"][:10])
    assert (monday, photos) == (str(classified_at - timedelta(classified_at.weekday())), "3")


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
