"""Test that the answer to a mutated image, JSON body or query keeps the contract, and comes soon."""

import json
from functools import cache
from time import perf_counter

from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flowers.imaging.formats import FORMATS
from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import Reply, json_request, multipart, part, post

# Found faults are reported as they are: shrinking a picture's bytes takes long and tells little.
MODEST = settings(
    deadline=None,
    derandomize=True,
    max_examples=100,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)
SECONDS = 10.0
Edit = tuple[str, float, int, bytes]

# What is done at a place (a share of the length) to a number of bytes: see `edited`.
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "delete", "double", "insert", "cut"]),
        st.floats(0, 1) | st.floats(0, 0.05),
        st.integers(1, 300),
        st.binary(min_size=1, max_size=8) | st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\r\n--"]),
    ),
    min_size=1,
    max_size=4,
)


@cache
def picture(format: str) -> bytes:
    return encode(draw_flower(96, 64), format)


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """Return `data` after all `edits`."""
    for kind, share, count, value in edits:
        at = min(int(len(data) * share), max(len(data) - 1, 0))
        before, piece, after = data[:at], data[at : at + count], data[at + count :]
        if kind == "flip" and piece:
            data = before + bytes([piece[0] ^ 1 << count % 8]) + data[at + 1 :]
        elif kind == "set":
            data = before + value + data[at + len(value) :]
        elif kind == "delete":
            data = before + after
        elif kind == "double":
            data = before + piece + piece + after
        elif kind == "insert":
            data = before + value + data[at:]
        elif kind == "cut":
            data = before
    return data


def answered(client: FlaskClient, body: bytes, content_type: str | None = None, query: str = "") -> Reply:
    """Return the checked answer. Fail if it came late, or does not blame the request."""
    started = perf_counter()
    reply = post(client, body, content_type, query)
    assert perf_counter() - started < SECONDS
    assert reply.status < 500
    return reply


@MODEST
@given(format=st.sampled_from(FORMATS), edits=EDITS)
def test_damaged_image_is_answered_by_the_contract(client: FlaskClient, format: str, edits: list[Edit]) -> None:
    data = edited(picture(format), edits)
    reply = answered(client, data)
    assert reply.document["image"]["bytes"] == len(data)
    assert reply.reason in ("", "EMPTY_IMAGE", "IMAGE_TOO_LARGE", "UNSUPPORTED_FORMAT", "UNDECODABLE_IMAGE")


@MODEST
@given(head=st.sampled_from(FORMATS), tail=st.sampled_from(FORMATS), at=st.floats(0, 1), start=st.floats(0, 1))
def test_spliced_images_keep_contract(client: FlaskClient, head: str, tail: str, at: float, start: float) -> None:
    one, other = picture(head), picture(tail)
    reply = answered(client, one[: int(len(one) * at)] + other[int(len(other) * start) :])
    assert reply.reason in ("", "EMPTY_IMAGE", "IMAGE_TOO_LARGE", "UNSUPPORTED_FORMAT", "UNDECODABLE_IMAGE")


@MODEST
@given(edits=EDITS, parts=st.integers(0, 3))
def test_damaged_form_is_answered_by_the_contract(client: FlaskClient, edits: list[Edit], parts: int) -> None:
    body, content_type = multipart(*[part(picture("PNG"))] * parts)
    answered(client, edited(body, edits), content_type)


@MODEST
@given(edits=EDITS)
def test_damaged_form_type_keeps_contract(client: FlaskClient, edits: list[Edit]) -> None:
    body, content_type = multipart(part(picture("PNG")))
    answered(client, body, "m" + edited(content_type[1:].encode(), edits).decode("latin-1").translate({10: "", 13: ""}))


@MODEST
@given(edits=EDITS)
def test_damaged_json_is_answered_by_the_contract(client: FlaskClient, edits: list[Edit]) -> None:
    body = edited(json_request(picture("PNG")), edits)
    answered(client, body, "application/json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["image", "content", "gcs_uri"]) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


IMAGES = st.dictionaries(st.sampled_from(["content", "gcs_uri"]), JSON)
QUERIES = st.tuples(st.sampled_from(["top", "lang", "TOP", ""]), st.text(max_size=8)).map("=".join) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="#"), max_size=40
)
TYPES = st.sampled_from([None, "image/jpeg", "application/json", multipart()[1]])


@MODEST
@given(body=JSON | st.fixed_dictionaries({"image": JSON | IMAGES}))
def test_any_json_is_answered_by_the_contract(client: FlaskClient, body: object) -> None:
    reply = answered(client, json.dumps(body).encode(), "application/json")
    assert reply.status in (400, 403, 415)


@MODEST
@given(query=QUERIES)
def test_any_query_is_answered_by_the_contract(client: FlaskClient, query: str) -> None:
    reply = answered(client, picture("PNG"), query=query)
    assert reply.reason in ("", "INVALID_PARAMETER")


@MODEST
@given(body=st.binary(max_size=400), content_type=TYPES)
def test_any_bytes_are_answered_by_the_contract(client: FlaskClient, body: bytes, content_type: str | None) -> None:
    assert answered(client, body, content_type).status in (400, 415, 422)
