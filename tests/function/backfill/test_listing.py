"""Test that images find their results in a listing, whatever the names between them."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from backfill.listing import pair
from flowers.cloud.objects import ObjectAddress, StoredObject


def result_address(address: ObjectAddress) -> ObjectAddress:
    """Return the address beside the image."""
    return ObjectAddress(address.bucket, address.name + ".json")


def paired(names: Sequence[str]) -> dict[str, str | None]:
    """Return each image's name with that of its result."""
    objects = [StoredObject(ObjectAddress("garden", name), 1, 1) for name in sorted(names)]
    pairs = list(pair(objects, lambda stored: not stored.address.name.endswith(".json"), result_address))
    found = {image.address.name: existing.address.name if existing else None for image, existing in pairs}
    assert len(found) == len(pairs), "an image came twice"
    return found


def test_result_after_other_names_is_found() -> None:
    names = [
        "a",
        "a.jpg",
        "a.jpg (1).jpg",
        "a.jpg (1).jpg.json",
        "a.jpg-",
        "a.jpg.json",
        "a.json",
        "a/b",
        "b",
        "b.jsonx",
    ]
    assert paired(names) == {
        "a": "a.json",
        "a.jpg": "a.jpg.json",
        "a.jpg (1).jpg": "a.jpg (1).jpg.json",
        "a.jpg-": None,
        "a/b": None,
        "b": None,
        "b.jsonx": None,
    }


@given(st.sets(st.text("a.-/é🌷j", min_size=1, max_size=5)), st.data())
def test_any_names_pair_image_with_its_result(images: set[str], data: st.DataObject) -> None:
    with_result = data.draw(st.sets(st.sampled_from(sorted(images)))) if images else set()
    expected = {name: f"{name}.json" if name in with_result else None for name in images}
    assert paired([*images, *(f"{name}.json" for name in with_result)]) == expected
