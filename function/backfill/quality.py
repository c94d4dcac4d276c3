"""Count results and corrections, which show whether a model is still right."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import apache_beam as beam

from flowers.cloud.objects import ObjectAddress, ObjectMissingError, StoredObject
from flowers.documents import CORRECTION_SCHEMA, RESULT_SCHEMA
from flowers.errors import FlowersError

from .job import Job
from .listing import Document
from .local_files import FileAddress
from .page import bar, cell, count, table
from .worker import IMAGES_AT_ONCE, TaskOutcome

_MAX_DOCUMENT_BYTES = 1024 * 1024
_KINDS_OF_A_WEEK = 8


class Cell(NamedTuple):
    """Name what is counted together: results of one week, kind and tenth of confidence.

    `week` is its Monday, and `tenth` is from 0 to 9.
    """

    week: str
    label: str
    identified: bool
    tenth: int


class Correction(NamedTuple):
    """Name corrections that are counted together: the label that was answered, and what people say instead."""

    answered: str
    said: str


def count_quality(outcomes: beam.PCollection, found: beam.PCollection, job: Job) -> beam.PCollection:
    """Return a count of each `Cell` and `Correction`, as lists, of this run's outcomes and the documents `found`."""
    cells = (
        outcomes | "New results" >> beam.FlatMap(_cell_of_outcome, job),
        found
        | "Some documents" >> beam.BatchElements(min_batch_size=1, max_batch_size=10 * IMAGES_AT_ONCE)
        | "Read documents" >> beam.ParDo(_Read(job)),
    )
    return cells | "All cells" >> beam.Flatten() | "Count" >> beam.combiners.Count.PerElement() | beam.MapTuple(_listed)


def _listed(key: tuple[Any, ...], number: int) -> list[Any]:
    return [list(key), number]


def _cell_of_outcome(outcome: TaskOutcome, job: Job) -> Iterator[tuple[Any, ...]]:
    if outcome.document and outcome.document["schema"] == RESULT_SCHEMA:
        yield tuple(_cell(outcome.document, job))


def _cell(document: Mapping[str, Any], job: Job) -> Cell:
    # A folder is often classified in a single day: there, the week is that of the file.
    moment = (
        datetime.fromtimestamp(int(document["image"]["generation"]) / 1e9, UTC).date()
        if job.local
        else date.fromisoformat(document["classified_at"][:10])
    )
    monday = moment - timedelta(days=moment.weekday())
    tenth = min(int(document["confidence"] * 10), 9)
    return Cell(monday.isoformat(), document["predictions"][0]["label"], document["identified"], tenth)


class _Read(beam.DoFn):
    """Turn documents that the listing found into cells and corrections. Those that are gone or invalid are left out."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        self._store = self._job.open_store()
        self._threads = ThreadPoolExecutor(IMAGES_AT_ONCE, thread_name_prefix="document")

    def process(self, batch: list[Document]) -> Iterator[tuple[Any, ...]]:
        for key in self._threads.map(self._key, batch):
            if key:
                yield tuple(key)

    def teardown(self) -> None:
        self._threads.shutdown()

    def _key(self, found: Document) -> Cell | Correction | None:
        try:
            document = self._read(StoredObject(self._address(found.place, found.name), found.generation, found.size))
            if document["schema"] == CORRECTION_SCHEMA:
                return Correction(self._answer(found, document), document["label"] or document["text"])
            return None if found.correction else _cell(document, self._job)
        except (FlowersError, ObjectMissingError, ValueError, LookupError, TypeError):
            return None

    def _answer(self, found: Document, correction: Mapping[str, Any]) -> str:
        """Return the label that was answered, "" if the photo has no result any more."""
        folder, slash, _ = found.name.rpartition("/")
        photo = correction["image"]["uri"].rpartition("/")[2]
        name = f"{folder}{slash}{photo}{self._job.settings.result_suffix}"
        result = self._store.look_up(self._address(self._job.result_place, name))
        return str(self._read(result)["predictions"][0]["label"]) if result else ""

    def _address(self, place: str, name: str) -> ObjectAddress:
        return (FileAddress if self._job.local else ObjectAddress)(place, name)

    def _read(self, stored: StoredObject) -> Any:
        return json.loads(self._store.read(stored, _MAX_DOCUMENT_BYTES))


def quality_parts(entries: Iterable[tuple[Sequence[Any], int]]) -> list[str]:
    """Return the parts of a page that show the counts of `count_quality`."""
    cells: dict[Cell, int] = {}
    corrections: list[tuple[Correction, int]] = []
    for key, number in entries:
        if len(key) == len(Cell._fields):
            cells[Cell(*key)] = number
        else:
            corrections.append((Correction(*key), number))
    corrections.sort(key=lambda entry: (-entry[1], entry[0]))
    return [
        table("Share identified and frequent kinds, by week", _weeks(cells)),
        table("Confidence", _tenths(cells)),
        table(
            "Corrections",
            [[cell(f"{fix.answered or '?'} → {fix.said}"), count(number)] for fix, number in corrections],
        ),
    ]


def _weeks(cells: Mapping[Cell, int]) -> list[list[str]]:
    photos, kinds = defaultdict[str, Counter[bool]](Counter), defaultdict[str, Counter[str]](Counter)
    for key, number in cells.items():
        photos[key.week][key.identified] += number
        if key.identified:
            kinds[key.week][key.label] += number
    rows = []
    for week in sorted(photos, reverse=True):
        share = photos[week][True] / photos[week].total()
        frequent = ", ".join(f"{label} {number:,}" for label, number in kinds[week].most_common(_KINDS_OF_A_WEEK))
        rows.append(
            [cell(week), count(photos[week].total()), cell(f"{share:.1%}"), bar(share), cell(frequent, long=True)]
        )
    return rows


def _tenths(cells: Mapping[Cell, int]) -> list[list[str]]:
    photos = Counter[int]()
    for key, number in cells.items():
        photos[key.tenth] += number
    return [
        [cell(f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}"), count(photos[tenth]), bar(photos[tenth] / photos.total())]
        for tenth in (reversed(range(10)) if photos else ())
    ]
