"""Test a correction's whole way: photos sent, corrected, collected, decided, and listed for training."""

import json
from pathlib import Path

from google.cloud import storage

from export.review.collect import read_review
from export.review.run import CollectOptions, run
from export.training.dataset import load_dataset
from tests.support.http_buckets import client_of_storage, kept, new_photo, until, with_results
from tests.support.http_contract import ask, post


def test_correction_becomes_training_data(bucket: storage.Bucket, tmp_path: Path) -> None:
    client = client_of_storage(archive_bucket=bucket.name)
    named, described, unsure = answers = [post(client, new_photo()).document for _ in range(3)]
    until(lambda: with_results(*answers) <= kept(bucket))
    for answer, said in (
        (named, {"label": "sunflower", "comment": "sown in May"}),
        (described, {"text": "Helianthus annuus"}),
    ):
        body = {"sha256": answer["image"]["sha256"], "classified_at": answer["classified_at"], **said}
        reply = ask(client, "POST", "/corrections", json.dumps(body).encode(), content_type="application/json")
        assert reply.status == 200

    out = tmp_path / "corrections"
    run(CollectOptions(out, f"gs://{bucket.name}"))
    photos = {photo["photo"]: photo for photo in read_review(out)}
    assert photos.keys() == {answer["image"]["sha256"] for answer in answers}
    assert photos[named["image"]["sha256"]]["suggestion"] == "sunflower"
    assert photos[described["image"]["sha256"]]["suggestion"] == "sunflower"
    assert photos[unsure["image"]["sha256"]]["suggestion"] == unsure["predictions"][0]["label"]

    decisions: dict[str, dict[str, object]] = {
        photo: {"label": reviewed["suggestion"]} for photo, reviewed in photos.items()
    }
    decisions[unsure["image"]["sha256"]] = {"discard": True}
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps({"schema": "flowers.decisions/v1", "decisions": decisions}))
    run(CollectOptions(out, decisions=file))
    data = load_dataset([out])
    assert data.labels == ("sunflower",)
    listed = [*data.train, *data.holdout, *data.valid]
    assert {photo.path.stem for photo in listed} == {
        f"archive_{answer['image']['sha256']}" for answer in (named, described)
    }
