"""Write a page about a job: the summary, a chart of the species, and thumbnails of invalid and least sure images."""

import base64
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from PIL import Image

from flowers.cloud.objects import ObjectMissingError
from flowers.errors import FlowersError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget

from .job import Job
from .listing import Task
from .page import bar, cell, count, table, text, write_html
from .quality import quality_parts
from .summary import Summary
from .worker import CLASSIFIED, INVALID, TaskOutcome

_LEAST_SURE, _INVALID_OF_A_REASON, _OF_A_KIND = 48, 24, 12
_LEAST, _KIND, _INVALID, _QUALITY = "least sure", "kind", "invalid", "quality"
_THUMBNAIL = InputRule(160, 160, "crop")


def write_samples(outcomes: beam.PCollection, quality: beam.PCollection, place: str) -> None:
    """Write some images of each kind, the least sure, and some invalid ones of each reason into the file `place`.

    The counts of `count_quality` come with them. Each is a line of JSON, with the `part` of the report that it is for.
    """
    least_sure = (
        outcomes
        | "Classified" >> beam.Filter(_is, CLASSIFIED)
        | "Their entries" >> beam.Map(_entry)
        | "Least sure" >> beam.combiners.Top.Smallest(_LEAST_SURE, key=_confidence)
        | "Of all" >> beam.FlatMap(_each)
    )
    of_kinds = (
        outcomes
        | "Identified" >> beam.Filter(_is_identified)
        | "By kind" >> beam.Map(_with_kind)
        | "Some of each kind" >> beam.combiners.Sample.FixedSizePerKey(_OF_A_KIND)
        | "Kind's entries" >> beam.FlatMapTuple(_values)
    )
    invalid = (
        outcomes
        | "Invalid" >> beam.Filter(_is, INVALID)
        | "By reason" >> beam.Map(_with_reason)
        | "Some of each" >> beam.combiners.Sample.FixedSizePerKey(_INVALID_OF_A_REASON)
        | "Reason's entries" >> beam.FlatMapTuple(_values)
    )
    _ = (
        (
            least_sure | "As least sure" >> beam.Map(_sample, _LEAST),
            of_kinds | "As kinds" >> beam.Map(_sample, _KIND),
            invalid | "As invalid" >> beam.Map(_sample, _INVALID),
            quality | "As counts" >> beam.Map(_count),
        )
        | "Samples" >> beam.Flatten()
        | "Lines" >> beam.Map(json.dumps)
        | "Write samples" >> beam.io.WriteToText(place, shard_name_template="", num_shards=1)
    )


def _sample(entry: dict[str, Any], part: str) -> dict[str, Any]:
    return {**entry, "part": part}


def _count(entry: list[Any]) -> dict[str, Any]:
    return {"count": entry, "part": _QUALITY}


def _is_identified(outcome: TaskOutcome) -> bool:
    document: Any = outcome.document
    return outcome.state == CLASSIFIED and bool(document["identified"])


def _with_kind(outcome: TaskOutcome) -> tuple[str, dict[str, Any]]:
    document: Any = outcome.document
    return document["species"]["label"], _entry(outcome)


def _is(outcome: TaskOutcome, state: str) -> bool:
    return outcome.state == state


def _entry(outcome: TaskOutcome) -> dict[str, Any]:
    document: Any = outcome.document
    return {"task": list(outcome.task), "document": document}


def _confidence(entry: Mapping[str, Any]) -> float:
    confidence: float = entry["document"]["confidence"]
    return confidence


def _each(entries: Iterable[Any]) -> Iterable[Any]:
    return entries


def _with_reason(outcome: TaskOutcome) -> tuple[str, dict[str, Any]]:
    document: Any = outcome.document
    return document["error"]["reason"], _entry(outcome)


def _values(_: str, entries: Iterable[Any]) -> Iterable[Any]:
    return entries


def read_samples(place: str) -> list[dict[str, Any]]:
    """Return the entries that `write_samples` wrote; none if no image was done."""
    if not FileSystems.exists(place):
        return []
    with FileSystems.open(place) as file:
        return [json.loads(line) for line in file.read().splitlines()]


def write_page(file: Path, summary: Summary, samples: list[dict[str, Any]], job: Job) -> None:
    """Write the page, which needs no other file. `samples` are those of `read_samples`."""
    sure = [entry for entry in samples if entry["part"] == _LEAST]
    invalid = [entry for entry in samples if entry["part"] == _INVALID]
    invalid.sort(key=lambda entry: (entry["document"]["error"]["reason"], entry["task"]))
    rows = "".join(
        f"<tr><td>{text(name)}</td><td class=n>{number:,}</td><td>{text(remark)}</td></tr>"
        for name, number, remark in summary.rows()
    )
    most = max((number for _, number in summary.species), default=1)
    bars = [[cell(label), count(number), bar(number / most)] for label, number in summary.species]
    parts = [
        f"<h1>{text(job.uri)}</h1><p>Model version {text(job.model_version)}, {summary.seconds:,.0f} seconds</p>",
        f"<table>{rows}</table>",
        *quality_parts(entry["count"] for entry in samples if entry["part"] == _QUALITY),
        table("Species of this run", bars),
        _gallery("Invalid", invalid, job),
        _gallery("Least sure", sorted(sure, key=_confidence), job),
    ]
    write_html(file, f"Flowers: {job.uri}", parts)


def page_of_kinds(file: Path) -> Path:
    """Return where the page by kind lies: beside the report."""
    return file.with_name(f"{file.stem}-kinds{file.suffix}")


def write_page_of_kinds(file: Path, summary: Summary, samples: list[dict[str, Any]], job: Job) -> None:
    """Write a page with thumbnails of each kind, the most frequent first, surest photo first."""
    kinds: dict[str, list[dict[str, Any]]] = {label: [] for label, _ in summary.species}
    for entry in samples:
        if entry["part"] == _KIND:
            kinds[entry["document"]["species"]["label"]].append(entry)
    parts = [f"<h1>{text(job.uri)}, by kind</h1><p>At most {_OF_A_KIND} photos of each kind.</p>"]
    for label, number in summary.species:
        entries = sorted(kinds[label], key=_confidence, reverse=True)
        parts.append(_gallery(f"{text(label)}: {number:,}", entries, job))
    write_html(file, f"Flowers by kind: {job.uri}", parts)


def _gallery(title: str, entries: list[dict[str, Any]], job: Job) -> str:
    if not entries:
        return ""
    store = job.open_store()
    figures = []
    for entry in entries:
        document, image = entry["document"], Task(*entry["task"]).image(job)
        try:
            data = store.read(image, job.settings.max_image_bytes)
            picture = f'<img alt="" src="data:image/jpeg;base64,{_thumbnail(data, job)}">'
        except (FlowersError, ObjectMissingError):  # invalid images may have no thumbnail
            picture = "<div class=none>not shown</div>"
        figures.append(
            f"<figure>{picture}<figcaption>{_said(document)}<br>{text(document['image']['uri'])}</figcaption></figure>"
        )
    return f"<h2>{title}</h2><div class=grid>{''.join(figures)}</div>"


def _said(document: Mapping[str, Any]) -> str:
    if "error" in document:
        return f"<b>{text(document['error']['reason'])}</b> {text(document['error']['message'])}"
    best, remark = document["predictions"][0], "" if document["identified"] else ", not identified"
    return f"<b>{text(best['name'])}</b> {best['confidence']:.2f}{remark}"


def _thumbnail(data: bytes, job: Job) -> str:
    settings = job.settings
    pixels = decode(data, _THUMBNAIL, settings.max_image_pixels, PixelBudget(settings.pixel_budget)).pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()
