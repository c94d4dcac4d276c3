"""Test that documents are published to the topic after their write, and that its faults touch no result."""

from google.cloud import storage

from tests.support.backfill_program import Run, backfill
from tests.support.failing_pubsub import FailingPubSub, Fault
from tests.support.upload_server import photo
from tests.support.uploads import put, result_of

TOPIC = "projects/my-project/topics/results"


def run_with(pubsub: FailingPubSub, bucket: storage.Bucket) -> Run:
    settings = {"PUBSUB_EMULATOR_HOST": pubsub.host, "RESULT_TOPIC": TOPIC}
    return backfill(f"gs://{bucket.name}/**", settings=settings)


def test_written_document_is_published_after_retry(bucket: storage.Bucket) -> None:
    images = [put(bucket, f"{number}.jpg", photo(number)) for number in range(6)]
    images.append(put(bucket, "broken.jpg", photo(9)[:900]))
    with FailingPubSub() as pubsub:
        pubsub.create(TOPIC)
        pubsub.fail(Fault.FORBIDDEN, Fault.UNAVAILABLE)  # the second is tried again at once
        run = run_with(pubsub, bucket)
        assert (run.status, run.counts["classified"], run.counts["invalid"]) == (0, 6, 1), run.error
        messages = pubsub.published(TOPIC)
        assert run_with(pubsub, bucket).counts["done before"] == 7
        assert len(pubsub.published(TOPIC)) == len(messages) == 7
    published = {message.document["image"]["uri"]: message for message in messages}
    for image in images:
        message = published[f"gs://{bucket.name}/{image.name}"]
        assert message.attributes["source-generation"] == str(image.generation)
        if image.name != "broken.jpg":
            # The attempt that found its result in place may have classified the photo again.
            assert message.document["species"] == result_of(image)["species"]


def test_unpublished_document_is_left_to_do(bucket: storage.Bucket) -> None:
    image = put(bucket, "0.jpg", photo(0))
    with FailingPubSub() as pubsub:  # where nobody made the topic
        run = run_with(pubsub, bucket)
    assert (run.status, run.counts["left to do"]) == (1, 1), run.error
    assert "Create the topic" in run.error
    assert result_of(image)["schema"] == "flowers.result/v1"
