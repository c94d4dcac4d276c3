"""Read the labels of a custom model, in the order of its outputs."""

import codecs
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ExportError

Order = Literal["numeric", "text"]

# "0 rose", "0: rose", "1. rose"; and "rose,0"
_NUMBER_FIRST = re.compile(r"(?P<number>\d+)(?:\s*[.,:;)=|-]\s*|\s+)(?P<name>\S.*)")
_NUMBER_LAST = re.compile(r"(?P<name>\S.*?)\s*[,:;=|\t]\s*(?P<number>\d+)")


class LabelsError(ExportError):
    """Report labels that do not fit, or can be read in two ways. The message says what the file should hold."""


@dataclass(frozen=True)
class Labels:
    """Hold labels by output, and the names of their class folders: the keys of a map, else the labels themselves.

    `order` is how the keys of a map were sorted, if sorting them as numbers and as texts differ.
    """

    names: tuple[str, ...]
    folders: tuple[str, ...]
    order: Order | None = None


def read_labels(file: Path) -> list[Labels]:
    """Read a JSON list, a JSON map between class id and label (either way round), or lines of text.

    A list or lines are in the order of the outputs; numbers 0…N−1 or 1…N before or after the names are left out. A
    map's ids are sorted. Keras sorts class folders as texts ("100" before "21"), other tools sort ids as numbers: if
    that differs, both orders are returned, for someone to choose or for photographs to decide. Raise `LabelsError`.
    """
    text = _text_of(file)
    if file.suffix != ".json" and not text.lstrip().startswith(("[", "{")):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [_in_order(_unnumbered(lines, file, numbers_may_be_names=False), file)]
    content = _json_of(text, file)
    if not content:
        raise LabelsError(f"{file} is empty: it should hold one label for each class")
    if isinstance(content, list):
        if all(isinstance(name, str) for name in content):
            content = _unnumbered([name.strip() for name in content], file, numbers_may_be_names=True)
        return [_in_order(content, file)]
    by_id, are_outputs = _by_id({key.strip(): value for key, value in content.items()}, file)
    by_text = sorted(by_id)
    orders: dict[Order, list[str]] = {} if are_outputs else {"text": by_text}
    if all(_is_number(key) for key in by_id):
        orders["numeric"] = sorted(by_id, key=int)
    if are_outputs or orders.get("numeric", by_text) == by_text:
        [ids] = list(orders.values())[-1:]
        return [Labels(_checked([by_id[key] for key in ids], file), tuple(ids))]
    return [Labels(_checked([by_id[key] for key in ids], file), tuple(ids), order) for order, ids in orders.items()]


def own_labels(names: tuple[str, ...], model: str) -> Labels:
    """Return the labels that a model itself names. Raise `LabelsError`."""
    return _in_order(_unnumbered(list(names), Path(model), numbers_may_be_names=True), Path(model))


def _text_of(file: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 as PowerShell writes it."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise LabelsError(f"cannot read the labels {file}: {error}") from error
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data[:2]:
        encoding = "utf-16-be" if data.startswith(b"\0") else "utf-16-le"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise LabelsError(f"the labels {file} are neither UTF-8 nor UTF-16: save the file as UTF-8") from error


def _json_of(text: str, file: Path) -> list[Any] | dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LabelsError(f"{file} is no JSON: {error}") from error
    if not isinstance(content, list | dict):
        raise LabelsError(f'{file} should hold a list ["rose", …] or a map {{"21": "fire lily", …}}')
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()


def _unnumbered(names: list[str], file: Path, *, numbers_may_be_names: bool) -> list[str]:
    """Return the names without the numbers that count them. Raise `LabelsError` if the numbers contradict the order."""
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST):
        found = [match for name in names if (match := pattern.fullmatch(name))]
        rest = [match["name"] for match in found]
        if len(found) < len(names) or len(set(rest)) < len(rest):
            continue
        numbers = [int(match["number"]) for match in found]
        counts = (list(range(len(names))), list(range(1, len(names) + 1)))
        if numbers in counts:
            return rest
        if sorted(numbers) in counts:
            raise LabelsError(
                f"the labels in {file} are numbered, but not in order ({names[0]!r}, {names[1]!r}, …): sort them by "
                "the model's outputs, or remove the numbers if the order is right"
            )
        if not numbers_may_be_names:
            raise LabelsError(
                f"the lines of {file} contain numbers that do not count them ({names[0]!r}, …). If the numbers are "
                'part of the labels, give a JSON list ["21 fire lily", …]; if they are ids, a JSON map '
                '{"21": "fire lily", …}'
            )
    return names


def _by_id(content: dict[str, Any], file: Path) -> tuple[dict[str, Any], bool]:
    """Return a map from id to label, and whether its ids are certain to be the numbers of the outputs.

    Keras's `class_indices` is a map from label to output: it is turned round. Raise `LabelsError` if both sides of a
    map are numbers.
    """
    values = list(content.values())
    integers = all(type(value) is int for value in values)
    if not integers and not all(_is_number(value) for value in values):
        return content, False
    turned: dict[str, Any] = {str(value): key for key, value in content.items()}
    if len(turned) < len(content):
        raise LabelsError(f"{file} gives two labels the same number")
    if not integers and all(_is_number(key) for key in content):
        if turned != content:
            raise LabelsError(
                f"{file} is a map from numbers to numbers, which can be read both ways: give a JSON list of the "
                "labels in the order of the model's outputs"
            )
        return content, False
    numbers = sorted(int(value) for value in values)
    return turned, numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _in_order(names: list[Any], file: Path) -> Labels:
    checked = _checked(names, file)
    return Labels(checked, checked)


def _checked(names: list[Any], file: Path) -> tuple[str, ...]:
    strange = [name for name in names if not isinstance(name, str) or not name.strip()]
    if strange:
        raise LabelsError(f"a label in {file} is {strange[0]!r}, but each should be a name: a map is from id to label")
    stripped = [name.strip() for name in names]
    twice = sorted({name for name in stripped if stripped.count(name) > 1})
    if twice:
        raise LabelsError(f"{file} has the label {twice[0]!r} twice: give each class a name of its own")
    return tuple(stripped)


def require_count(labels: Labels, outputs: int, source: Path | str) -> None:
    """Raise `LabelsError` unless there is one label for each output."""
    if len(labels.names) != outputs:
        raise LabelsError(
            f"{source} has {len(labels.names)} labels, but the model tells {outputs} classes apart: "
            "give one label for each, in the order of the model's outputs"
        )
