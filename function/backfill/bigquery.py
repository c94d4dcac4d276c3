"""Turn documents into rows of a BigQuery table, by the schema in infra/."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.bigquery import WriteToBigQuery
from apache_beam.utils.timestamp import Timestamp

from .job import ConfigurationError
from .worker import TaskOutcome

SCHEMA = Path(__file__).parents[2] / "infra" / "result_schema.json"

Fields = Sequence[Mapping[str, Any]]


def read_schema() -> dict[str, Fields]:
    """Return the table's schema as Beam takes it. Raise `ConfigurationError` if infra/ is not beside function/."""
    try:
        return {"fields": json.loads(SCHEMA.read_text(encoding="utf-8"))}
    except OSError as error:
        raise ConfigurationError(f"--bigquery needs {SCHEMA}: run it in the whole repository.") from error


def row(document: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return a document's row: exactly the columns of the schema, None for fields that the document lacks."""
    return {field["name"]: _value(document.get(field["name"]), field) for field in fields}


def _value(value: Any, field: Mapping[str, Any]) -> Any:
    if field.get("mode") == "REPEATED":
        return [row(entry, field["fields"]) for entry in value or ()]
    if value is None:
        return None
    if field["type"] == "RECORD":
        return row(value, field["fields"])
    return Timestamp.from_rfc3339(value) if field["type"] == "TIMESTAMP" else value


def write_rows(outcomes: beam.PCollection, table: str) -> None:
    """Append the documents of outcomes to `project:dataset.table`. Create the table if needed."""
    schema = read_schema()
    _ = (
        outcomes
        | "Rows" >> beam.FlatMap(_rows, schema["fields"]).with_output_types(dict[str, Any])
        | "BigQuery"
        >> WriteToBigQuery(
            table,
            schema=schema,
            method=WriteToBigQuery.Method.STORAGE_WRITE_API,
            create_disposition="CREATE_IF_NEEDED",
            write_disposition="WRITE_APPEND",
        )
    )


def _rows(outcome: TaskOutcome, fields: Fields) -> list[dict[str, Any]]:
    return [row(outcome.document, fields)] if outcome.document else []
