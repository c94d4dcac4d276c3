"""The labels of a model from elsewhere, in the order of its outputs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ExportError

Order = Literal["numeric", "text"]


class LabelsError(ExportError):
    """A label file that does not fit; the message says what it should hold."""


@dataclass(frozen=True)
class Labels:
    """Labels by output, and what their class folders are called: the keys of a map, else the labels themselves.

    `order` is how the keys of a map were sorted, where sorting them as numbers and as texts differ.
    """

    names: tuple[str, ...]
    folders: tuple[str, ...]
    order: Order | None = None


def read_labels(file: Path) -> list[Labels]:
    """The labels in a JSON list, a JSON map from class id to label, or lines of text.

    A list or lines are in the order of the outputs. A map's ids are sorted. Keras sorts class folders as texts ("100"
    before "21"), other tools sort ids as numbers: where that differs both orders are given, for someone to say or for
    photographs to decide. Raises `LabelsError`.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"cannot read the labels {file}: {error}") from error
    content = _parse(text, file)
    if isinstance(content, list):
        names = _checked(content, file)
        return [Labels(names, names)]
    by_text = sorted(content)
    orders: dict[Order, list[str]] = {"text": by_text}
    if all(key.isascii() and key.isdigit() for key in content):
        orders["numeric"] = sorted(content, key=int)
    if orders.get("numeric", by_text) == by_text:
        names = _checked([content[key] for key in by_text], file)
        return [Labels(names, tuple(by_text))]
    return [Labels(_checked([content[key] for key in keys], file), tuple(keys), way) for way, keys in orders.items()]


def _parse(text: str, file: Path) -> list[Any] | dict[str, Any]:
    if file.suffix != ".json" and not text.lstrip().startswith(("[", "{")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        content = json.loads(text)
    except ValueError as error:
        raise LabelsError(f"{file} is no JSON: {error}") from error
    if not isinstance(content, list | dict):
        raise LabelsError(f'{file} should hold a list ["rose", …] or a map {{"21": "fire lily", …}}')
    return content


def _checked(names: list[Any], file: Path) -> tuple[str, ...]:
    strange = [name for name in names if not isinstance(name, str) or not name.strip()]
    if strange:
        raise LabelsError(f"a label in {file} is {strange[0]!r}, but each should be a name: a map is from id to label")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LabelsError(f"{file} has the label {twice[0]!r} twice: give each class a name of its own")
    return tuple(names)


def require_count(labels: Labels, outputs: int, file: Path) -> None:
    """Raises `LabelsError` unless there is one label for each output."""
    if len(labels.names) != outputs:
        raise LabelsError(
            f"{file} has {len(labels.names)} labels, but the model tells {outputs} classes apart: "
            "give one label for each, in the order of the model's outputs"
        )
