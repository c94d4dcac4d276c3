"""Test label files: every accepted form, the order that maps leave open, and what is refused."""

import json
from pathlib import Path

import pytest

from export.conversion.labels import Labels, read_labels, require_count
from export.errors import ExportError


def file_of(folder: Path, text: str, name: str = "labels.json") -> Path:
    """Return a label file of this text."""
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
        ("labels.txt", "0 rose\n1 caléndula\n2 wild pansy\n"),  # Teachable Machine's
        ("labels.txt", "1. rose\n2. caléndula\n3. wild pansy"),
        ("labels.csv", "0,rose\r\n1,caléndula\r\n2,wild pansy\r\n"),
        ("labels.csv", "rose;0\ncaléndula;1\nwild pansy;2\n"),
        ("labels.txt", "0: rose\n1: caléndula\n2: wild pansy"),
        ("labels.txt", "0\trose\n1\tcaléndula\n2\twild pansy"),
        ("labels.json", '["0 rose", "1 caléndula", "2 wild pansy"]'),
        ("labels.json", '[" rose", "caléndula ", "wild pansy\\n"]'),
        ("labels.json", '{"0": " rose", "1": "caléndula ", " 2": "wild pansy"}'),
        ("class_indices.json", '{"wild pansy": 2, "rose": 0, "caléndula": 1}'),
        ("labels.json", '{"rose": "0", "caléndula": "1", "wild pansy": "2"}'),
        ("labels.json", '{"rose": 1, "caléndula": 2, "wild pansy": 3}'),
        ("labels.txt", "rose\n caléndula \r\nwild pansy\n\n"),
        ("labels.json", '\ufeff["rose", "caléndula", "wild pansy"]'),
        ("classes", '["rose", "caléndula", "wild pansy"]'),
    ],
)
def test_every_accepted_form_gives_the_labels_in_order(tmp_path: Path, name: str, text: str) -> None:
    [labels] = read_labels(file_of(tmp_path, text, name))
    assert labels.names == ("rose", "caléndula", "wild pansy")
    assert labels.order is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["0 rose\r\n1 caléndula\r\n", '{"0": "rose", "1": "caléndula"}'])
def test_labels_in_unicode_encoding_are_read(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "labels.txt").write_bytes(text.encode(encoding))
    assert read_labels(tmp_path / "labels.txt")[0].names == ("rose", "caléndula")


def test_class_indices_over_ten_keep_their_number(tmp_path: Path) -> None:
    indices = {f"folder {number:03}": number for number in reversed(range(12))}
    [labels] = read_labels(file_of(tmp_path, json.dumps(indices)))
    assert labels.names == tuple(f"folder {number:03}" for number in range(12))


def test_class_indices_of_numbered_folders_are_turned(tmp_path: Path) -> None:
    [labels] = read_labels(file_of(tmp_path, '{"1": 0, "100": 1, "21": 2}'))
    assert labels.names == ("1", "100", "21")


def test_names_that_differ_by_number_keep_it(tmp_path: Path) -> None:
    [labels] = read_labels(file_of(tmp_path, "1 spot\n2 spot\n", "labels.txt"))
    assert labels.names == ("1 spot", "2 spot")


def test_json_list_with_other_numbers_keeps_them(tmp_path: Path) -> None:
    [labels] = read_labels(file_of(tmp_path, '["21 fire lily", "3 canterbury bells"]'))
    assert labels.names == ("21 fire lily", "3 canterbury bells")


def test_ids_with_two_orders_give_both(tmp_path: Path) -> None:
    file = file_of(tmp_path, '{"21": "fire lily", "3": "canterbury bells", "100": "blanket flower"}')
    text, numeric = read_labels(file)
    assert text == Labels(("blanket flower", "fire lily", "canterbury bells"), ("100", "21", "3"), "text")
    assert numeric == Labels(("canterbury bells", "fire lily", "blanket flower"), ("3", "21", "100"), "numeric")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["rose", ', "is no JSON"),
        ('"rose"', "should hold a list"),
        ("{}", "is empty"),
        ("[]", "is empty"),
        ("[" * 100_000, "is no JSON"),
        ('["rose", 3]', "3, but each should be a name"),
        ('["rose", " "]', "each should be a name"),
        ('{"rose": 0, "lily": 0}', "two labels the same number"),
        ('{"rose": [0], "lily": [1]}', "a map is from id to label"),
        ('{"0": "1", "1": "2", "2": "0"}', "can be read both ways"),
        ('["1 rose", "0 lily"]', "numbered, but not in order"),
        ('["rose", "rose "]', "'rose' twice"),
        ('["rose", "lily", "rose"]', "'rose' twice"),
    ],
)
def test_invalid_label_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        read_labels(file_of(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"2 rose\n0 lily\n1 daisy\n", "numbered, but not in order"),
        (b"21 fire lily\n3 canterbury bells\n", "numbers that do not count them"),
        ("caléndula\nrose\n".encode("latin-1"), "save the file as UTF-8"),
    ],
)
def test_lines_with_two_readings_are_asked_about(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(ExportError, match=message):
        read_labels(tmp_path / "labels.txt")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"cannot read the labels .*no\.json"):
        read_labels(tmp_path / "no.json")


def test_one_label_short_is_told_with_both_counts(tmp_path: Path) -> None:
    [labels] = read_labels(file_of(tmp_path, '["rose", "lily"]'))
    with pytest.raises(ExportError, match=r"2 labels, but the model tells 3 classes apart"):
        require_count(labels, 3, tmp_path)
