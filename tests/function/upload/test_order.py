"""Test that the newest generation wins, whenever an image is overwritten or deleted, in any order of events."""

import pytest
from google.cloud import storage

from tests.support.upload_instances import UploadCloud
from tests.support.uploads import (
    NEW,
    OLD,
    deliver,
    event_of,
    names,
    picture_of,
    put,
)

MOMENTS = [f"{when} {call}" for call in ("look_up", "read", "write") for when in ("before", "after")]


def test_image_deleted_before_event_leaves_nothing(cloud: UploadCloud) -> None:
    bucket, instance, _, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    image.bucket.blob("rose.jpg").delete()
    assert event_of(instance, image) == "gone"
    assert names(bucket) == []


def test_overwritten_image_is_left_to_newer_event(cloud: UploadCloud) -> None:
    bucket, instance, _, _ = cloud
    older, newer = put(bucket, "rose.jpg", OLD), put(bucket, "rose.jpg", NEW)
    assert event_of(instance, older) == "gone"
    assert names(bucket) == ["rose.jpg"]
    assert event_of(instance, newer) == "classified"
    assert picture_of(newer) == "new"


def test_image_deleted_after_read_keeps_result(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    watched.hooks["before write"] = lambda *_, **__: bucket.blob("rose.jpg").delete()
    assert event_of(instance, image) == "classified"
    assert names(bucket) == ["rose.jpg.json"]
    assert picture_of(image) == "new"
    assert event_of(instance, image) == "repeated"


@pytest.mark.parametrize("moment", MOMENTS)
def test_newer_generation_wins_in_any_order(cloud: UploadCloud, moment: str) -> None:
    bucket, instance, watched, other = cloud
    older, newer = put(bucket, "rose.jpg", OLD), list[storage.Blob]()

    def overwrite(*_: object, **__: object) -> None:
        newer.append(put(bucket, "rose.jpg", NEW))
        assert event_of(other, newer[0]) == "classified"

    watched.hooks[moment] = overwrite
    assert deliver(instance, older) == 200
    assert picture_of(newer[0]) == "new"
    for image in (older, newer[0], older):
        assert deliver(instance, image) == 200
        assert picture_of(newer[0]) == "new"
    assert names(bucket) == ["rose.jpg", "rose.jpg.json"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("first", ["old", "new"])
def test_newer_generation_wins_with_versioning(versioned: UploadCloud, moment: str, first: str) -> None:
    bucket, instance, watched, other = versioned
    older, newer = put(bucket, "rose.jpg", OLD), put(bucket, "rose.jpg", NEW)
    outer, inner = (older, newer) if first == "old" else (newer, older)
    watched.hooks[moment] = lambda *_, **__: deliver(other, inner)
    assert deliver(instance, outer) == 200
    assert picture_of(newer) == "new"


@pytest.mark.parametrize("order", ["old new", "new old", "old old new new", "new old new old"])
def test_versioned_event_reads_its_generation(versioned: UploadCloud, order: str) -> None:
    bucket, instance, _, _ = versioned
    images = {"old": put(bucket, "rose.jpg", OLD), "new": put(bucket, "rose.jpg", NEW)}
    seen = ""
    for name in order.split():
        assert deliver(instance, images[name]) == 200
        seen = "new" if "new" in (name, seen) else "old"
        assert picture_of(images[seen]) == seen
    assert names(bucket) == ["rose.jpg", "rose.jpg.json"]
