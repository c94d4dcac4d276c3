"""Test that what was accepted becomes a training folder that `--data` takes, and follows the decisions."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError
from export.review.run import CollectOptions, run
from export.review.training_folder import class_folders
from export.training.dataset import NO_KIND, load_dataset
from tests.support.archives import Kept, in_folder, keep

PHOTOS = [keep(number) for number in range(8)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder with eight photos under review."""
    out = tmp_path / "out"
    run(CollectOptions(out, str(in_folder(tmp_path / "archive", *PHOTOS))))
    return out


def decide(out: Path, *values: dict[str, Any], photos: list[Kept] = PHOTOS) -> None:
    """Write the training folder with a decision about each of the first photos."""
    decisions = {photo.digest: value for photo, value in zip(photos, values, strict=False)}
    file = out.parent / "decisions.json"
    file.write_text(json.dumps({"schema": "flowers.decisions/v1", "decisions": decisions}))
    run(CollectOptions(out, decisions=file))


def tree(out: Path) -> dict[str, bytes]:
    """Return all files of the training folder with their content."""
    found = [path for part in ("train", "valid") for path in (out / part).rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def test_accepted_photos_become_a_data_set(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decide(out, {"label": "rose"}, {"label": "oxeye daisy"}, {"other": "scenes"}, {"discard": True}, {"label": "rose"})
    assert json.loads((out / "classes.json").read_text()) == {"oxeye-daisy": "oxeye daisy", "rose": "rose"}
    data = load_dataset([out])
    assert data.labels == ("oxeye daisy", "rose")
    photos = [*data.train, *data.holdout, *data.valid]
    named = {photo.path.stem: photo.label for photo in photos}
    assert named == {
        f"archive_{kept.digest}": label
        for kept, label in zip(PHOTOS, (1, 0, NO_KIND, None, 1), strict=False)
        if label is not None
    }
    assert [photo.kind for photo in photos if photo.label == NO_KIND] == ["scenes"]
    for photo in photos:
        kept = next(kept for kept in PHOTOS if kept.digest in photo.path.name)
        assert photo.path.read_bytes() == next(iter(kept.objects.values()))
    assert "3 photos of 2 kinds, 1 of no kind; 1 discarded, 3 undecided." in capsys.readouterr().out


def test_same_decisions_change_nothing(out: Path) -> None:
    decide(out, {"label": "rose"}, {"other": "scenes"})
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    decide(out, {"label": "rose"}, {"other": "scenes"})
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")} == before


def test_changed_decision_moves_and_removes_photos(out: Path) -> None:
    decide(out, {"label": "rose"}, {"label": "rose"}, {"other": "scenes"})
    decide(out, {"label": "tulip"}, {"discard": True})
    assert [Path(name).parts[1:] for name in tree(out)] == [("tulip", f"archive_{PHOTOS[0].digest}.jpg")]
    assert json.loads((out / "classes.json").read_text()) == {"tulip": "tulip"}


def test_photos_of_one_plant_stay_together(tmp_path: Path) -> None:
    first = keep(0)
    plant = [keep(number, images=[{"sha256": first.digest}]) for number in range(30)]
    out = tmp_path / "out"
    run(CollectOptions(out, str(in_folder(tmp_path / "archive", *plant))))
    decide(out, *[{"label": "rose"}] * 30, photos=plant)
    assert len({name.partition("/")[0] for name in tree(out)}) == 1


def test_about_every_tenth_photo_is_valid(tmp_path: Path) -> None:
    photos = [keep(number) for number in range(60)]
    out = tmp_path / "out"
    run(CollectOptions(out, str(in_folder(tmp_path / "archive", *photos))))
    decide(out, *[{"label": "rose"}] * 60, photos=photos)
    data = load_dataset([out])
    assert 0 < len(data.valid) < 15
    assert len(data.valid) + len(data.train) + len(data.holdout) == 60


def test_new_kind_is_announced_as_plain_text(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decide(out, {"label": "Bellis\x1b[31m perennis"}, {"label": "rose"})
    printed = capsys.readouterr().out
    assert r"'Bellis\x1b[31m perennis' is not in the catalogue: training adds it as a new kind (1 photos)." in printed
    assert "\x1b" not in printed
    assert "'rose'" not in printed


def test_folders_of_labels_are_plain_and_distinct() -> None:
    labels = ["oxeye daisy", "Rosa × alba", "../../etc/passwd", "crème", "x" * 100]
    odd = ["other", "Oxeye Daisy!", "crème brûlée " * 7 + "a", "crème brûlée " * 7 + "b", "バラ", "牡丹", "-"]
    made = class_folders([*labels, *odd])
    assert [made[label] for label in labels] == ["oxeye-daisy", "rosa-alba", "etc-passwd", "creme", "x" * 60]
    assert len({*made.values(), "other"}) == len(labels) + len(odd) + 1
    assert all(name.isascii() and name.replace("-", "").isalnum() and len(name) < 80 for name in made.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON file"),
        ("[" * 100_000, "is no JSON file"),
        ("{}", "has no decisions in it.*not JSON-MIN"),
        ('{"schema": "flowers.decisions/v1"}', "has no decisions in it"),
        ('{"schema": "flowers.decisions/v1", "decisions": []}', "has no decisions in it"),
        ('{"schema": "flowers.decisions/v1", "decisions": {"../x": {"label": "rose"}}}', r"about '\.\./x'"),
        *(
            (json.dumps({"schema": "flowers.decisions/v1", "decisions": {PHOTOS[0].digest: value}}), "but should be")
            for value in (
                None,
                "rose",
                {},
                {"label": ""},
                {"label": "x" * 101},
                {"label": "a", "other": "b"},
                {"other": 1},
            )
        ),
        (
            json.dumps({"schema": "flowers.decisions/v1", "decisions": {"ab" * 32: {"label": "rose"}}}),
            "1 of 1 decisions are about photos that .*review lacks, for example abab",
        ),
    ],
)
def test_wrong_decisions_are_named(out: Path, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "decisions.json"
    file.write_text(text)
    with pytest.raises(ExportError, match=message):
        run(CollectOptions(out, decisions=file))
    assert not (out / "train").exists()


def test_decisions_before_collecting_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"photos.json is missing. Collect photos first"):
        decide(tmp_path / "out", {"label": "rose"})


def test_photo_deleted_from_the_review_is_named(out: Path) -> None:
    (out / "review" / "photos" / f"{PHOTOS[0].digest}.jpg").unlink()
    with pytest.raises(ExportError, match=r"is missing\. Collect the photos again"):
        decide(out, {"label": "rose"})


def test_foreign_photographs_are_not_removed(out: Path) -> None:
    (out / "train" / "rose").mkdir(parents=True)
    mine = out / "train" / "rose" / "mine.jpg"
    mine.touch()
    with pytest.raises(ExportError, match="was not collected from an archive"):
        decide(out, {"label": "tulip"})
    assert mine.exists()
