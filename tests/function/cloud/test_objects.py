"""Test addresses of objects: what `gs://bucket/name` means, and what is invalid."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowers.cloud.objects import BUCKET_NAME, ObjectAddress, is_object_name

BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", fullmatch=True)
# Any text of Unicode; halves of surrogate pairs cannot be written in UTF-8.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=256).filter(
    lambda name: name not in (".", "..")
)


@settings(deadline=None)
@given(BUCKETS, NAMES)
@example("my-photos", "gs://my-photos/rose.jpg")
@example("my-photos", "//roses//red//")
@example("my-photos", "a#b?c=%2F&d e+ñ🌹\\\0\t\u2028")
def test_address_is_read_back_from_its_uri(bucket: str, name: str) -> None:
    address = ObjectAddress(bucket, name)
    assert address.uri == f"gs://{bucket}/{name}"
    assert ObjectAddress.parse(address.uri) == address


@settings(deadline=None)
@given(st.one_of(TEXTS, TEXTS.map("gs://".__add__), st.builds("gs://{}/{}".format, BUCKETS, st.text(max_size=300))))
def test_address_of_any_text_round_trips_or_fails(uri: str) -> None:
    address = ObjectAddress.parse(uri)
    if address is not None:
        assert address.uri == uri
        assert BUCKET_NAME.fullmatch(address.bucket) and is_object_name(address.name)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "gs://",
        "gs:///",
        "gs:///rose.jpg",
        "gs://photos",
        "gs://photos/",
        "gs:/photos/rose.jpg",
        "GS://photos/rose.jpg",
        " gs://photos/rose.jpg",
        "gs://gs://photos/rose.jpg",
        "s3://photos/rose.jpg",
        "https://storage.googleapis.com/photos/rose.jpg",
        "photos/rose.jpg",
        "gs://ab/rose.jpg",
        "gs://Photos/rose.jpg",
        "gs://pho tos/rose.jpg",
        "gs://photos\n/rose.jpg",
        "gs://photos?x/rose.jpg",
        "gs://user@photos/rose.jpg",
        "gs://photos:80/rose.jpg",
        "gs://../rose.jpg",
        "gs://photos%2f/rose.jpg",
    ],
)
def test_other_text_is_no_address(uri: str) -> None:
    assert ObjectAddress.parse(uri) is None


@pytest.mark.parametrize("name", ["a", "/", "...", "./..", "a" * 1024, "ñ" * 512, "🌹" * 256, "#?*[]", "\0", " "])
def test_name_may_have_up_to_1024_bytes(name: str) -> None:
    assert is_object_name(name)
    assert ObjectAddress.parse(f"gs://photos/{name}") == ObjectAddress("photos", name)


TOO_LONG = ("a" * 1025, "ñ" * 512 + "x", "🌹" * 257)
BROKEN = ("rose\n.jpg", "rose.jpg\n", "\rrose.jpg", "\ud83c", "rose\udf39.jpg")
# As the last part of an address they would stand for the folder above: another request than was meant.
PLACES = (".", "..")


@pytest.mark.parametrize("name", ["", *TOO_LONG, *BROKEN, *PLACES])
def test_name_that_storage_refuses_is_invalid(name: str) -> None:
    assert not is_object_name(name)
    assert ObjectAddress.parse(f"gs://photos/{name}") is None
