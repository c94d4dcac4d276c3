"""Write a page about a job: the summary, a chart of the species, and thumbnails of invalid and least sure images."""

import base64
import html
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
from .summary import Summary
from .worker import CLASSIFIED, INVALID, TaskOutcome

_LEAST_SURE, _INVALID_OF_A_REASON, _OF_A_KIND = 48, 24, 12
_LEAST, _KIND, _INVALID = "least sure", "kind", "invalid"
_THUMBNAIL = InputRule(160, 160, "crop")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; background: #fff }
table { border-collapse: collapse }
td { padding: .1rem .8rem .1rem 0 }
.n { text-align: right; font-variant-numeric: tabular-nums }
.bar { background: #7a4fb5; height: .9rem; border-radius: 2px }
.chart td { width: 1%; white-space: nowrap }
.chart td:last-child { width: 60% }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 1rem }
figure { margin: 0; font-size: 13px; overflow-wrap: anywhere }
img, .none { width: 160px; height: 160px; border-radius: 4px; background: #eee }
.none { display: grid; place-items: center; color: #777 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } .none { background: #333 } }
"""


def write_samples(outcomes: beam.PCollection, place: str) -> None:
    """Write some images of each kind, the least sure, and some invalid ones of each reason into the file `place`.

    Each is a line of JSON, with the `part` of the report that it is for.
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
        )
        | "Samples" >> beam.Flatten()
        | "Lines" >> beam.Map(json.dumps)
        | "Write samples" >> beam.io.WriteToText(place, shard_name_template="", num_shards=1)
    )


def _sample(entry: dict[str, Any], part: str) -> dict[str, Any]:
    return {**entry, "part": part}


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
        f"<tr><td>{_text(name)}</td><td class=n>{number:,}</td><td>{_text(remark)}</td></tr>"
        for name, number, remark in summary.rows()
    )
    most = max((number for _, number in summary.species), default=1)
    bars = "".join(
        f"<tr><td>{_text(label)}</td><td class=n>{number:,}</td>"
        f'<td><div class=bar style="width:{100 * number / most:.1f}%"></div></td></tr>'
        for label, number in summary.species
    )
    parts = [
        f"<h1>{_text(job.uri)}</h1><p>Model version {_text(job.model_version)}, {summary.seconds:,.0f} seconds</p>",
        f"<table>{rows}</table>",
        f"<h2>Species</h2><table class=chart>{bars}</table>" if bars else "",
        _gallery("Invalid", invalid, job),
        _gallery("Least sure", sorted(sure, key=_confidence), job),
    ]
    _write_html(file, f"Flowers: {job.uri}", parts)


def page_of_kinds(file: Path) -> Path:
    """Return where the page by kind lies: beside the report."""
    return file.with_name(f"{file.stem}-kinds{file.suffix}")


def write_page_of_kinds(file: Path, summary: Summary, samples: list[dict[str, Any]], job: Job) -> None:
    """Write a page with thumbnails of each kind, the most frequent first, surest photo first."""
    kinds: dict[str, list[dict[str, Any]]] = {label: [] for label, _ in summary.species}
    for entry in samples:
        if entry["part"] == _KIND:
            kinds[entry["document"]["species"]["label"]].append(entry)
    parts = [f"<h1>{_text(job.uri)}, by kind</h1><p>At most {_OF_A_KIND} photos of each kind.</p>"]
    for label, number in summary.species:
        entries = sorted(kinds[label], key=_confidence, reverse=True)
        parts.append(_gallery(f"{_text(label)}: {number:,}", entries, job))
    _write_html(file, f"Flowers by kind: {job.uri}", parts)


def _write_html(file: Path, title: str, parts: list[str]) -> None:
    file.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{_text(title)}</title><style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n",
        encoding="utf-8",
    )


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
        except (FlowersError, ObjectMissingError):  # what cannot be shown is the point of some of them
            picture = "<div class=none>not shown</div>"
        figures.append(
            f"<figure>{picture}<figcaption>{_said(document)}<br>{_text(document['image']['uri'])}</figcaption></figure>"
        )
    return f"<h2>{title}</h2><div class=grid>{''.join(figures)}</div>"


def _said(document: Mapping[str, Any]) -> str:
    if "error" in document:
        return f"<b>{_text(document['error']['reason'])}</b> {_text(document['error']['message'])}"
    best, remark = document["predictions"][0], "" if document["identified"] else ", not identified"
    return f"<b>{_text(best['name'])}</b> {best['confidence']:.2f}{remark}"


def _thumbnail(data: bytes, job: Job) -> str:
    settings = job.settings
    pixels = decode(data, _THUMBNAIL, settings.max_image_pixels, PixelBudget(settings.pixel_budget)).pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()


def _text(text: str) -> str:
    return html.escape(text.encode(errors="backslashreplace").decode())
