"""Make archives of photos as the function keeps them, in a folder or in a bucket."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from google.cloud import storage

from tests.support.drawn_flower import draw_flower, encode

LABELS = ("oxeye daisy", "sunflower", "common dandelion")
DAY = "2026/11/27"


class Kept(NamedTuple):
    """Name an archived photo, and hold all of its objects by name."""

    digest: str
    objects: dict[str, bytes]


def keep(
    number: int = 0,
    confidence: float = 0.9,
    day: str = DAY,
    format: str = "JPEG",
    correction: dict[str, Any] | None = None,
    **result: Any,
) -> Kept:
    """Return a photo that differs by `number`, its result, and the `correction` with these fields, if there is one."""
    data = encode(draw_flower(64 + number, 48), format)
    digest = hashlib.sha256(f"as it was sent {number}".encode()).hexdigest()
    ending = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "HEIF": ".heic"}[format]
    stem = f"{day}/{digest}"
    predictions = [{"label": label, "confidence": confidence / (1 + rank)} for rank, label in enumerate(LABELS)]
    document = {
        "schema": "flowers.result/v1",
        "identified": confidence > 0.5,
        "predictions": predictions,
        "model": {"name": "flowers", "version": "2.0.0"},
        **result,
    }
    objects = {f"{stem}{ending}": data, f"{stem}{ending}.json": json.dumps(document).encode()}
    if correction is not None:
        said = {
            "schema": "flowers.correction/v1",
            "label": None,
            "text": None,
            "comment": None,
            "image": {"uri": f"gs://archive/{stem}{ending}", "generation": "1", "sha256": digest},
            "classified_at": f"{day.replace('/', '-')}T02:00:00.000Z",
            "corrected_at": f"{day.replace('/', '-')}T02:01:00.000Z",
            **correction,
        }
        objects[f"{stem}.correction.json"] = json.dumps(said).encode()
    return Kept(digest, objects)


def in_folder(folder: Path, *photos: Kept) -> Path:
    """Write photos into a folder, as `gcloud storage cp --recursive` would."""
    for photo in photos:
        for name, data in photo.objects.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return folder


def in_bucket(bucket: storage.Bucket, *photos: Kept) -> str:
    """Upload photos, and return the bucket's address."""
    for photo in photos:
        for name, data in photo.objects.items():
            bucket.blob(name).upload_from_string(data)
    return f"gs://{bucket.name}"
