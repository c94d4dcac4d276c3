"""Write the results of a folder as a table that a spreadsheet opens."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowers.cloud.objects import StoredObject

from .job import Job
from .listing import Listing

_COLUMNS = ("name", "kind", "scientific name", "family", "confidence", "identified", "error")
# Spreadsheets take a cell that begins with one of these for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def read_documents(job: Job) -> Iterator[tuple[StoredObject, Mapping[str, Any] | None]]:
    """Return the images of a folder by name, each with its document; None if there is no result of this generation."""
    store = job.open_store()
    results = job.results(store)
    for image, result in Listing(job, store).images():
        current = result and results.state(image, result).settled
        yield image, json.loads(Path(job.place, result.address.name).read_bytes()) if result and current else None


def write_table(file: Path, job: Job) -> int:
    """Write one row an image, in UTF-8 with a byte order mark, and return the number of rows."""
    rows = [_row(image, document, job.settings.default_language) for image, document in read_documents(job)]
    # Without the mark, Excel assumes the system's own encoding.
    with file.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    return len(rows)


def _row(image: StoredObject, document: Mapping[str, Any] | None, language: str) -> list[str]:
    name = _text(image.address.name)
    if document is None or "error" in document:
        message = document["error"]["message"] if document else "There is no result. Run the backfill again."
        return [name, "", "", "", "", "", _text(message)]
    best, identified = document["predictions"][0], document["identified"]
    species = document["species"] or {}
    names = species.get("names", {})
    # Results of earlier versions have no family.
    facts = [names.get(language, best["name"]), best["scientific_name"], best.get("family")] if identified else [""] * 3
    return [
        name,
        *(_text(fact or "") for fact in facts),
        f"{document['confidence']:.4f}",
        "yes" if identified else "no",
        "",
    ]


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text
