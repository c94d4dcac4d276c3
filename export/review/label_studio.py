"""Write photos as tasks of Label Studio, and read its annotations.

https://labelstud.io/guide/task_format and https://labelstud.io/guide/predictions (2026); the labeling configuration is
its template of image classification, whose control is called `choice` and whose object is called `image`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from .photo import KINDS, Answer, Correction, ReviewPhoto

TASKS, CONFIG = "label-studio-tasks.json", "label-studio-config.xml"
# Choices beside the labels.
DISCARD = "(discard the photo)"
NO_KIND = {f"({words})": kind for kind, words in KINDS.items()}
_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Text name="answer" value="$answer"/>
  <Text name="correction" value="$correction"/>
  <Filter name="filter" toName="choice" hotkey="shift+f" minlength="0" placeholder="Filter"/>
  <Choices name="choice" toName="image" choice="single-radio" required="true">
{choices}
  </Choices>
</View>
"""


def write_tasks(review: Path, photos: Sequence[ReviewPhoto], labels: Sequence[str]) -> None:
    """Write the labeling configuration and the tasks, each with the suggestion as its prediction."""
    choices = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in (*labels, *NO_KIND, DISCARD))
    (review / CONFIG).write_text(_CONFIG.format(choices=choices), encoding="utf-8")
    tasks = json.dumps([_task(photo, review.name) for photo in photos], ensure_ascii=False, indent=1)
    (review / TASKS).write_text(f"{tasks}\n", encoding="utf-8")


def _task(photo: ReviewPhoto, folder: str) -> dict[str, Any]:
    return {
        "data": {
            "image": f"/data/local-files/?d={folder}/photos/{photo['photo']}.jpg",
            "photo": photo["photo"],
            "answer": _answer(photo["answer"]),
            "correction": _correction(photo["correction"]),
        },
        "predictions": [_prediction(photo)] if photo["suggestion"] else [],
    }


def _prediction(photo: ReviewPhoto) -> dict[str, Any]:
    answer = photo["answer"]
    choice = {"type": "choices", "from_name": "choice", "to_name": "image", "value": {"choices": [photo["suggestion"]]}}
    if photo["correction"] or answer is None:
        return {"model_version": "correction", "result": [choice]}
    return {"model_version": answer["model"], "score": answer["predictions"][0][1], "result": [choice]}


def _answer(answer: Answer | None) -> str:
    if answer is None:
        return "no answer"
    named = ", ".join(f"{label} {confidence:.0%}" for label, confidence in answer["predictions"])
    return named if answer["identified"] else f"not identified ({named})"


def _correction(correction: Correction | None) -> str:
    if correction is None:
        return "no correction"
    return " · ".join(filter(None, (correction["label"] or correction["text"], correction["comment"])))


def read_annotations(tasks: list[Any]) -> dict[str, dict[str, Any]] | None:
    """Return the decisions in an export as JSON, in the page's form; None if it is no such export.

    Of several annotations of a photo the newest counts. Skipped and unanswered tasks are undecided.
    """
    decided: dict[str, dict[str, Any]] = {}
    try:
        for task in tasks:
            photo = task["data"]["photo"]
            answered = [annotation for annotation in task["annotations"] if not annotation.get("was_cancelled")]
            chosen = [
                (annotation.get("updated_at") or "", result["value"]["choices"][0])
                for annotation in answered
                for result in annotation["result"]
                if result["type"] == "choices" and result["from_name"] == "choice" and result["value"]["choices"]
            ]
            if chosen:
                decided[str(photo)] = _decision(max(chosen)[1])
    except (KeyError, TypeError, AttributeError):
        return None
    return decided


def _decision(choice: Any) -> dict[str, Any]:
    if choice == DISCARD:
        return {"discard": True}
    return {"other": NO_KIND[choice]} if choice in NO_KIND else {"label": choice}
