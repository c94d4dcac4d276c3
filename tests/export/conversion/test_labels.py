"""Label files: every accepted form, the order that maps leave open, and what is refused."""

from pathlib import Path

import pytest

from export.conversion.labels import Labels, read_labels, require_count
from export.errors import ExportError


def file_of(folder: Path, text: str, name: str = "labels.json") -> Path:
    """A label file of this text."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.json", '["rose", "caléndula", "wild pansy"]'),
        ("labels.json", '{"0": "rose", "1": "caléndula", "2": "wild pansy"}'),
        ("labels.json", '{"c": "wild pansy", "a": "rose", "b": "caléndula"}'),
        ("labels.json", '{"041": "wild pansy", "007": "rose", "021": "caléndula"}'),
        ("labels.txt", "rose\n caléndula \r\nwild pansy\n\n"),
        ("labels.json", '\ufeff["rose", "caléndula", "wild pansy"]'),
        ("classes", '["rose", "caléndula", "wild pansy"]'),
    ],
)
def test_every_accepted_form_gives_the_labels_in_order(tmp_path: Path, name: str, text: str) -> None:
    [labels] = read_labels(file_of(tmp_path, text, name))
    assert labels.names == ("rose", "caléndula", "wild pansy")
    assert labels.order is None


def test_ids_whose_order_as_numbers_and_as_texts_differ_give_both(tmp_path: Path) -> None:
    file = file_of(tmp_path, '{"21": "fire lily", "3": "canterbury bells", "100": "blanket flower"}')
    text, numeric = read_labels(file)
    assert text == Labels(("blanket flower", "fire lily", "canterbury bells"), ("100", "21", "3"), "text")
    assert numeric == Labels(("canterbury bells", "fire lily", "blanket flower"), ("3", "21", "100"), "numeric")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["rose", ', "is no JSON"),
        ('"rose"', "should hold a list"),
        ('["rose", 3]', "3, but each should be a name"),
        ('["rose", " "]', "each should be a name"),
        ('{"rose": 0, "lily": 1}', "a map is from id to label"),
        ('["rose", "lily", "rose"]', "'rose' twice"),
    ],
)
def test_what_is_no_label_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        read_labels(file_of(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"cannot read the labels .*no\.json"):
        read_labels(tmp_path / "no.json")


def test_one_label_short_is_told_with_both_counts(tmp_path: Path) -> None:
    [labels] = read_labels(file_of(tmp_path, '["rose", "lily"]'))
    with pytest.raises(ExportError, match=r"2 labels, but the model tells 3 classes apart"):
        require_count(labels, 3, tmp_path)
