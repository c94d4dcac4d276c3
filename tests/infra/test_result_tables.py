"""Test that the table's columns are those of the documents, and that the view has one row per image."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from flowers.documents import (
    CORRECTION_SCHEMA,
    ERROR_SCHEMA,
    RESULT_SCHEMA,
    CorrectionDocument,
    ErrorDocument,
    ImageDocument,
    ResultDocument,
)
from tests.infra.conftest import INFRA

COLUMNS: list[dict[str, Any]] = json.loads((INFRA / "result_schema.json").read_text(encoding="utf-8"))
CORRECTION_COLUMNS: list[dict[str, Any]] = json.loads((INFRA / "correction_schema.json").read_text(encoding="utf-8"))
Ask = Callable[[str], list[dict[str, Any]]]
LANGUAGES = ("en", "es")  # BigQuery ignores the names in any other language
SCALARS = {str: "STRING", bool: "BOOLEAN", int: "INTEGER", float: "FLOAT"}
# JSON has no type for a moment: `document.timestamp` writes it as text, and BigQuery reads that as what it is.
MOMENTS = {"classified_at", "corrected_at"}
# Heat maps are only in answers over HTTP, for those who ask for them.
HTTP_ONLY = {"heatmap", "heatmap_absent"}


def _column(name: str, hint: Any) -> dict[str, Any]:
    """Return the column that holds a field of a document."""
    if hint == dict[str, str]:
        return {"name": name, "type": "RECORD", "fields": [{"name": key, "type": "STRING"} for key in LANGUAGES]}
    if get_origin(hint) in (UnionType, Union):
        (hint,) = set(get_args(hint)) - {NoneType}
    if get_origin(hint) is list:
        return {**_column(name, get_args(hint)[0]), "mode": "REPEATED"}
    if is_typeddict(hint):
        return {"name": name, "type": "RECORD", "fields": _columns(hint)}
    if get_origin(hint) is Literal:
        hint = type(get_args(hint)[0])
    return {"name": name, "type": "TIMESTAMP" if name in MOMENTS else SCALARS[hint]}


def _columns(document: Any) -> list[dict[str, Any]]:
    hints = get_type_hints(document)
    return [_column(name, hint) for name, hint in hints.items() if name not in HTTP_ONLY]


def _undescribed(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    plain = [{key: value for key, value in column.items() if key != "description"} for column in columns]
    return [{**column, "fields": _undescribed(column["fields"])} if "fields" in column else column for column in plain]


def test_columns_are_the_fields_of_documents() -> None:
    results, errors = _columns(ResultDocument), _columns(ErrorDocument)
    shared = [column["name"] for column in errors if column in results]
    assert shared == ["schema", "image", "classified_at"]
    wanted = results + [column for column in errors if column not in results]
    # BigQuery takes a new column of a table that holds data at the end alone.
    assert _undescribed(COLUMNS) == sorted(wanted, key=lambda column: column["name"] == "images")


def test_correction_columns_are_its_fields() -> None:
    assert _undescribed(CORRECTION_COLUMNS) == _columns(CorrectionDocument)


def _image(uri: str | None, generation: str | None = None) -> ImageDocument:
    return {
        "uri": uri,
        "generation": generation,
        "format": "JPEG",
        "width": 500,
        "height": 667,
        "bytes": 75170,
        "sha256": "ab" * 32,
    }


def _result(image: ImageDocument, label: str, classified_at: str) -> ResultDocument:
    return {
        "schema": RESULT_SCHEMA,
        "identified": True,
        "species": {
            "label": label,
            "scientific_name": "Rosa",
            "names": {"en": label, "es": "rosa"},
            "rank": "genus",
            "family": "Rosaceae",
            "order": "Rosales",
            "inaturalist_taxon_id": 53438,
        },
        "confidence": 0.9,
        "predictions": [
            {"label": label, "scientific_name": "Rosa", "name": label, "confidence": 0.9, "family": "Rosaceae"},
            {
                "label": "canna lily",
                "scientific_name": "Canna",
                "name": "canna lily",
                "confidence": 0.1,
                "family": "Cannaceae",
            },
        ],
        "image": image,
        "model": {"name": "flowers", "version": "1.0.0", "sha256": "cd" * 32},
        "classified_at": classified_at,
        "timing_ms": {"decode": 3.1, "inference": 6, "total": 9.8},
    }


def _error(image: ImageDocument | None, classified_at: str) -> ErrorDocument:
    return {
        "schema": ERROR_SCHEMA,
        "error": {
            "code": 415,
            "status": "INVALID_ARGUMENT",
            "reason": "UNSUPPORTED_FORMAT",
            "message": "Send an image.",
        },
        "image": image,
        "classified_at": classified_at,
    }


def _duckdb_type(column: dict[str, Any]) -> str:
    """Return DuckDB's name of a BigQuery column's type."""
    plain = {
        "STRING": "VARCHAR",
        "BOOLEAN": "BOOLEAN",
        "INTEGER": "BIGINT",
        "FLOAT": "DOUBLE",
        "TIMESTAMP": "TIMESTAMP",
    }
    if column["type"] == "RECORD":
        name = "STRUCT(" + ", ".join(f'"{field["name"]}" {_duckdb_type(field)}' for field in column["fields"]) + ")"
    else:
        name = plain[column["type"]]
    return f"{name}[]" if column.get("mode") == "REPEATED" else name


def _view(file: str) -> str:
    """Return the SQL of a view in a file of infra/, over `documents`, with the buckets `garden` and `results`."""
    text = (INFRA / file).read_text(encoding="utf-8")
    (call,) = re.findall(r'templatefile\("\$\{path.module\}/classifications.sql", \{\n(.*?)\n    \}\)', text, re.DOTALL)
    given = dict(re.findall(r'^ *(\w+) += "(.*)"$', call, re.MULTILINE)) | {"documents": "documents"}
    sql = (INFRA / "classifications.sql").read_text(encoding="utf-8")
    values = {"local.images_bucket": "garden", "local.results_bucket": "results", "var.result_suffix": ".json"}
    for name, value in (given | values).items():
        sql = sql.replace(f"${{{name}}}", value)
    assert "${" not in sql
    return sql


@contextmanager
def _database(folder: Path, documents: dict[str, Any], file: str = "bigquery.tf") -> Iterator[Ask]:
    """Yield a function that answers SQL of BigQuery about documents in a bucket.

    DuckDB stands in for BigQuery, the SQL put into its dialect. It has the views of infra/: `classifications` as a
    file there makes it, `quality` and `corrections`.
    """
    duckdb, sqlglot = pytest.importorskip("duckdb"), pytest.importorskip("sqlglot")
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    with duckdb.connect() as connection:

        def ask(sql: str, view: str = "") -> list[dict[str, Any]]:
            found = connection.execute(view + sqlglot.transpile(sql, read="bigquery", write="duckdb")[0])
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        for table, columns in (("documents", COLUMNS), ("corrections_documents", CORRECTION_COLUMNS)):
            types = {column["name"]: _duckdb_type(column) for column in columns}
            # No parameters: a prepared statement takes none here. The names are this test's own.
            connection.execute(
                f"CREATE VIEW {table} AS SELECT * RENAME (filename AS _FILE_NAME) FROM "  # noqa: S608
                f"read_json('{folder}/*.json', format = 'newline_delimited', columns = {types}, filename = true)"
            )
        ask(_view(file), "CREATE VIEW classifications AS ")
        tables = {"classifications": "classifications", "documents": "corrections_documents"}
        for name in ("quality", "corrections"):
            sql = (INFRA / f"{name}.sql").read_text(encoding="utf-8")
            for variable, table in tables.items():
                sql = sql.replace(f"${{{variable}}}", table)
            ask(sql, f"CREATE VIEW {name} AS ")
        yield ask


def _rows(folder: Path, documents: dict[str, Any], file: str = "bigquery.tf") -> list[dict[str, Any]]:
    """Return what the view of classifications shows of documents in a bucket."""
    with _database(folder, documents, file) as ask:
        return ask("SELECT * FROM classifications")


def test_view_has_one_row_per_image(tmp_path: Path) -> None:
    rows = _rows(
        tmp_path,
        {
            "rose.jpg.json": _result(_image("gs://garden/rose.jpg", "9"), "old rose", "2026-11-22T12:00:00.000Z"),
            # The same image under a suffix of former times, of a newer generation (10 is more than 9, "10" is not).
            "rose.jpg.old.json": _result(_image("gs://garden/rose.jpg", "10"), "rose", "2026-11-22T11:00:00.000Z"),
            "note.txt.json": _error(_image("gs://garden/note.txt", "3"), "2026-11-22T12:00:00.000Z"),
            "nothing.json": _error(None, "2026-11-22T12:00:00.000Z"),
            "foreign.json": {"schema": "something else", "colour": "red"},
        },
    )
    assert {(row["image_uri"], row["generation"], row["label"], row["error_reason"]) for row in rows} == {
        ("gs://garden/rose.jpg", "10", "rose", None),
        ("gs://garden/note.txt", "3", None, "UNSUPPORTED_FORMAT"),
        (f"{tmp_path}/nothing.json", None, None, "UNSUPPORTED_FORMAT"),
    }
    (rose,) = [row for row in rows if row["label"] == "rose"]
    assert rose["confidence"] == 0.9
    assert rose["model_version"] == "1.0.0"
    assert rose["classified_at"].isoformat().startswith("2026-11-22T11:00:00")
    assert rose["document_uri"].endswith("rose.jpg.old.json")


def test_streamed_view_has_one_row_per_image(tmp_path: Path) -> None:
    rose, sent = _image("gs://garden/roses/rose.jpg", "10"), _image(None)
    messages = [
        _result(rose, "rose", "2026-11-22T12:00:00.000Z"),
        _result(_image("gs://garden/roses/rose.jpg", "9"), "old rose", "2026-11-22T12:00:01.000Z"),
        _result(rose, "rose", "2026-11-22T12:00:00.000Z"),  # published again
        _result(rose, "rose by a newer model", "2026-11-22T12:00:02.000Z"),
        _error(_image("gs://garden/note.txt", "3"), "2026-11-22T12:00:00.000Z"),
        _error(_image("gs://garden/note.txt", "3"), "2026-11-22T12:00:00.000Z"),
        # The same photo sent twice over HTTPS, the first published twice: two rows.
        _result(sent, "canna lily", "2026-11-22T12:00:00.000Z"),
        _result(sent, "canna lily", "2026-11-22T12:00:00.000Z"),
        _result(sent, "canna lily", "2026-11-22T12:00:05.000Z"),
        _result(_image("gs://elsewhere/rose.jpg", "4"), "rose", "2026-11-22T12:00:00.000Z"),
    ]
    rows = _rows(tmp_path, {f"{number}.json": message for number, message in enumerate(messages)}, "streaming.tf")
    found = [(row["image_uri"], row["generation"], row["label"], row["document_uri"]) for row in rows]
    assert sorted(found, key=str) == sorted(
        [
            ("gs://garden/roses/rose.jpg", "10", "rose by a newer model", "gs://results/roses/rose.jpg.json"),
            ("gs://garden/note.txt", "3", None, "gs://results/note.txt.json"),
            (None, None, "canna lily", None),
            (None, None, "canna lily", None),
            ("gs://elsewhere/rose.jpg", "4", "rose", None),
        ],
        key=str,
    )


def test_view_selects_the_schemas_of_documents() -> None:
    sql = (INFRA / "classifications.sql").read_text(encoding="utf-8")
    assert f"schema IN ('{RESULT_SCHEMA}', '{ERROR_SCHEMA}')" in sql


def _of_week(name: str, label: str, day: str, confidence: float = 0.95, model: str = "1.0.0") -> dict[str, Any]:
    result = _result(_image(f"gs://garden/{name}", "1"), label, f"{day}T12:00:00.000Z")
    result["predictions"][0]["confidence"] = result["confidence"] = confidence
    result["identified"] = confidence >= 0.5
    result["model"]["version"] = model
    return {f"{name}.json": result}


# The week of Monday, November 16, and that of November 23.
GARDEN: dict[str, Any] = {
    **_of_week("monday.jpg", "rose", "2026-11-16"),
    **_of_week("sunday.jpg", "rose", "2026-11-22", 0.9),
    **_of_week("unsure.jpg", "rose", "2026-11-22", 0.31),
    **_of_week("tulip.jpg", "tulip", "2026-11-23", 1.0),
    **_of_week("daisy.jpg", "daisy", "2026-11-29", 0.0, "2.0.0"),
    "faulty.jpg.json": _error(_image("gs://garden/faulty.jpg", "3"), "2026-11-23T12:00:00.000Z"),
}


def _correction(name: str, label: str | None, text: str | None) -> CorrectionDocument:
    return {
        "schema": CORRECTION_SCHEMA,
        "label": label,
        "text": text,
        "comment": None,
        "image": {"uri": f"gs://garden/{name}", "generation": "1", "sha256": "ab" * 32},
        "classified_at": "2026-11-22T12:00:00.000Z",
        "corrected_at": "2026-11-23T08:00:00.000Z",
    }


CORRECTIONS = {
    "1.correction.json": _correction("monday.jpg", "tulip", None),
    "2.correction.json": _correction("sunday.jpg", "tulip", None),
    "3.correction.json": _correction("unsure.jpg", None, "Bellis perennis"),
    "4.correction.json": _correction("deleted.jpg", "daisy", None),
}


def test_quality_view_counts_photos_of_each_week(tmp_path: Path) -> None:
    with _database(tmp_path, GARDEN | CORRECTIONS) as ask:
        rows = ask("SELECT * FROM quality")
    first, second = date(2026, 11, 16), date(2026, 11, 23)
    assert {(str(row["week"])[:10], *list(row.values())[1:]) for row in rows} == {
        (f"{first}", "1.0.0", "rose", True, 0.9, 2),
        (f"{first}", "1.0.0", "rose", False, 0.3, 1),
        (f"{second}", "1.0.0", "tulip", True, 0.9, 1),
        (f"{second}", "2.0.0", "daisy", False, 0.0, 1),
    }


def test_corrections_view_shows_what_was_answered(tmp_path: Path) -> None:
    with _database(tmp_path, GARDEN | CORRECTIONS) as ask:
        rows = ask("SELECT * FROM corrections")
    assert {(row["answered"], row["identified"], row["corrected_to"], row["text"]) for row in rows} == {
        ("rose", True, "tulip", None),
        ("rose", False, None, "Bellis perennis"),
        (None, None, "daisy", None),  # the photo was deleted
    }
    assert len(rows) == 4


def test_queries_of_the_readme_chart_the_quality(tmp_path: Path) -> None:
    readme = (INFRA / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", readme, re.DOTALL)
    queries = block.replace("flowers.uploads_quality", "quality").replace("flowers.corrections", "corrections")
    with _database(tmp_path, GARDEN | CORRECTIONS) as ask:
        share, confidence, kinds, corrections = map(ask, queries.strip().rstrip(";").split(";"))
    assert [(row["share_identified"], row["photos"]) for row in share] == [(pytest.approx(2 / 3), 3), (0.5, 2)]
    assert [(row["confidence_from"], row["photos"]) for row in confidence] == [(0.3, 1), (0.9, 2), (0.0, 1), (0.9, 1)]
    assert [(row["label"], row["photos"]) for row in kinds] == [("rose", 2), ("tulip", 1)]
    assert list(corrections[0].values()) == ["rose", "tulip", 2]
    assert len(corrections) == 3
