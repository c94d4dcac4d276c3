"""Test that tasks and annotations have the form that Label Studio publishes."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError
from export.review.decisions import Decision, read_decisions
from export.review.run import CollectOptions, run
from export.serving import Catalogue
from tests.support.archives import in_folder, keep

UNSURE = keep(1, 0.25)
NAMED = keep(2, correction={"label": "sunflower", "comment": "<b>by the gate</b>"})
DESCRIBED = keep(3, correction={"text": '"a & <i>weed</i>"'})


@pytest.fixture
def review(tmp_path: Path) -> Path:
    """Return a review of three photos."""
    run(CollectOptions(tmp_path, str(in_folder(tmp_path / "archive", UNSURE, NAMED, DESCRIBED))))
    return tmp_path / "review"


def tasks(review: Path) -> dict[str, dict[str, Any]]:
    """Return the tasks by their photos."""
    made = json.loads((review / "label-studio-tasks.json").read_text(encoding="utf-8"))
    return {task["data"]["photo"]: task for task in made}


def test_task_has_photo_texts_and_prediction(review: Path) -> None:
    made = tasks(review)
    assert made[UNSURE.digest] == {
        "data": {
            "image": f"/data/local-files/?d=review/photos/{UNSURE.digest}.jpg",
            "photo": UNSURE.digest,
            "answer": "not identified (oxeye daisy 25%, sunflower 12%, common dandelion 8%)",
            "correction": "no correction",
        },
        "predictions": [
            {
                "model_version": "flowers 2.0.0",
                "score": 0.25,
                "result": [
                    {
                        "type": "choices",
                        "from_name": "choice",
                        "to_name": "image",
                        "value": {"choices": ["oxeye daisy"]},
                    }
                ],
            }
        ],
    }
    assert made[NAMED.digest]["data"]["correction"] == "sunflower · <b>by the gate</b>"
    assert made[NAMED.digest]["predictions"][0]["model_version"] == "correction"
    assert made[NAMED.digest]["predictions"][0]["result"][0]["value"] == {"choices": ["sunflower"]}
    assert made[DESCRIBED.digest]["predictions"] == []


def test_configuration_offers_every_label(review: Path) -> None:
    root = ET.parse(review / "label-studio-config.xml").getroot()  # noqa: S314
    choices = root.find("Choices")
    assert choices is not None and (choices.get("name"), choices.get("toName")) == ("choice", "image")
    values = [choice.get("value") for choice in choices]
    assert len(values) == len(set(values))
    assert set(Catalogue().labels) < set(values)
    data = next(iter(tasks(review).values()))["data"]
    assert {element.get("value") for element in root if element.get("value")} == {f"${key}" for key in data} - {
        "$photo"
    }


def annotation(choice: str | None, **changes: Any) -> dict[str, Any]:
    """Return an annotation as Label Studio exports it."""
    result = {
        "id": "Dx_aB91ISN",
        "type": "choices",
        "value": {"choices": [choice]},
        "origin": "manual",
        "to_name": "image",
        "from_name": "choice",
    }
    return {
        "id": 1001,
        "completed_by": 10,
        "result": [result] if choice else [],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-27T02:16:08.728353Z",
        "updated_at": "2026-11-27T02:16:08.728378Z",
        "lead_time": 4.288,
        "prediction": {},
        "result_count": 0,
        "task": 1,
        **changes,
    }


def exported(file: Path, **annotations: list[dict[str, Any]]) -> Path:
    """Write an export as JSON: a task for each photo, with its annotations."""
    made = [
        {
            "id": number,
            "annotations": annotated,
            "drafts": [],
            "predictions": [],
            "data": {"image": f"/data/local-files/?d=review/photos/{digest}.jpg", "photo": digest, "answer": ""},
            "meta": {},
            "created_at": "2026-11-27T02:10:00.000000Z",
            "updated_at": "2026-11-27T02:16:08.746926Z",
            "project": 83,
        }
        for number, (digest, annotated) in enumerate(annotations.items(), 1)
    ]
    file.write_text(json.dumps(made), encoding="utf-8")
    return file


def test_annotations_become_decisions(tmp_path: Path) -> None:
    a, b, c, d, e, f = (f"{number:064x}" for number in range(6))
    file = exported(
        tmp_path / "project-1.json",
        **{
            a: [annotation("rose")],
            b: [annotation("(no plant)")],
            c: [annotation("(discard the photo)")],
            d: [annotation("rose", was_cancelled=True), annotation(None)],
            e: [],
            f: [annotation("tulip", updated_at="2026-11-27T03:00:00Z"), annotation("rose")],
        },
    )
    assert read_decisions(file) == {
        a: Decision(label="rose"),
        b: Decision(other="scenes"),
        c: Decision(),
        f: Decision(label="tulip"),
    }


def test_annotations_make_the_training_folder(review: Path, tmp_path: Path) -> None:
    file = exported(tmp_path / "project-1.json", **{NAMED.digest: [annotation("sunflower")]})
    run(CollectOptions(tmp_path, decisions=file))
    (photo,) = [*tmp_path.glob("train/*/*.jpg"), *tmp_path.glob("valid/*/*.jpg")]
    assert (photo.parent.name, photo.stem) == ("sunflower", f"archive_{NAMED.digest}")


@pytest.mark.parametrize(
    "tasks",
    [
        [{"image": "/data/1.jpg", "id": 1, "choice": "rose", "annotator": 1}],  # JSON-MIN
        [{"data": {"image": "1.jpg"}, "annotations": []}],  # of another project
        ["rose"],
    ],
)
def test_other_export_is_refused(tmp_path: Path, tasks: list[Any]) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks))
    with pytest.raises(ExportError, match="Label Studio's export as JSON"):
        read_decisions(file)
