"""Test that a malformed event is acknowledged, since a retry would not help, and logged without secrets."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flowers.cloud.objects import read_count
from flowers.settings import Settings
from tests.support.emulated_cloud import FINALIZED, attributes, binary_event
from tests.support.upload_instances import UploadCloud
from tests.support.uploads import (
    event_data,
    log_lines,
    the_line,
)

SECRET = "Bearer eyJhbGciOiJSUzI1NiJ9.secret"  # noqa: S105 - looks like Eventarc's token
CE = {f"ce-{name}": value for name, value in attributes("garden", "rose.jpg").items()}
JSON = {"Content-Type": "application/json"}


def event(data: Any, **changed: str) -> tuple[dict[str, str], bytes]:
    """Return a binary event with any data, and with changed attributes; "" leaves one out."""
    headers = CE | {f"ce-{name}": value for name, value in changed.items()}
    return {name: value for name, value in headers.items() if value} | JSON, json.dumps(data).encode()


def structured(**changed: Any) -> tuple[dict[str, str], bytes]:
    """Return a structured event with changed members."""
    members = {**attributes("garden", "rose.jpg"), "data": event_data(), **changed}
    return {"Content-Type": "application/cloudevents+json"}, json.dumps(members).encode()


def without(name: str) -> dict[str, Any]:
    """Return an event's data with a field missing."""
    return {key: value for key, value in event_data().items() if key != name}


WRONG: dict[str, tuple[Any, ...]] = {
    "bucket": (None, "", 7, True, ["garden"], {}, "..", "a", "Garden", "a/b", "a?b", "gar\nden", "garden\ud800", "-a-"),
    "name": (
        None,
        "",
        7,
        False,
        ["rose.jpg"],
        {},
        "a\nb.jpg",
        "a\rb.jpg",
        "n" * 1025,
        "ñ" * 513,
        "\ud800",
        "a\udfff.jpg",
    ),
    "generation": (
        None,
        "",
        "0",
        0,
        -1,
        "-1",
        1.5,
        "1.5",
        "rose",
        True,
        [],
        {},
        "²",
        "٣",
        " 7",
        2**63,
        str(2**63),
        10**40,
        1e300,
    ),
    "size": ("", -1, "-1", 1.5, "many", False, [], {}, 2**63, "9" * 19, "9" * 5000, float("nan")),
    "contentType": (7, True, ["image/jpeg"], {}, 0),
    "contentEncoding": (7, True, ["gzip"], {}, 0),
    "metadata": (7, True, "result-schema", ["result-schema"], 0),
}
DATA: tuple[Any, ...] = (None, "", "text", 7, 1.5, True, [], [{}], {}, {"a": 1})
MALFORMED: dict[str, tuple[dict[str, str], bytes]] = {
    **{f"data {str(data)[:20]}": event(data) for data in DATA},
    **{f"no {name}": event(without(name)) for name in ("bucket", "name", "generation")},
    **{
        f"{name} {str(value)[:20]!a} {type(value).__name__}": event(event_data(**{name: value}))
        for name, values in WRONG.items()
        for value in values
    },
    **{
        f"type {kind}": event(event_data(), type=kind)
        for kind in (FINALIZED.replace("finalized", "deleted"), FINALIZED.upper(), FINALIZED + ".x", "?")
    },
    **{f"no {name}": event(event_data(), **{name: ""}) for name in ("id", "source", "type", "specversion")},
    "another specversion": event(event_data(), specversion="9.9"),
    "empty body": (CE | JSON, b""),
    "empty body and no headers": ({}, b""),
    "no headers": ({}, json.dumps(event_data()).encode()),
    "not json": (CE | JSON, b"rose.jpg"),
    "cut off": (CE | JSON, json.dumps(event_data()).encode()[:-9]),
    "deep": (CE | JSON, b'{"a":' * 100_000),
    "deep list": (CE | JSON, b"[" * 100_000 + b"]" * 100_000),
    "deep metadata": (CE | JSON, json.dumps(event_data(metadata=7)).encode()[:-2] + b"[" * 900 + b"]" * 900 + b"}"),
    "invalid utf-8": (CE | JSON, b'{"bucket": "garden", "name": "\xff\xfe.jpg"}'),
    "utf-16": (CE | JSON, json.dumps([event_data()]).encode("utf-16")),
    "a number of 5000 digits": (CE | JSON, b'{"generation": ' + b"9" * 5000 + b"}"),
    "nan": (CE | JSON, b"NaN"),
    "text": (CE | {"Content-Type": "text/plain"}, b"rose.jpg"),
    "bytes": (CE | {"Content-Type": "image/jpeg"}, b"\xff\xd8\xff\xe0"),
    "structured, no data": structured(data=None),
    "structured, base64": structured(data=None, data_base64=base64.b64encode(b"\xff").decode()),
    "structured, broken base64": structured(data=None, data_base64="ñ"),
    "structured, id half a surrogate pair": structured(id="\ud800", data=7),
    "structured, id a list": structured(id=[], data=7),
    "structured, type a list": structured(type=[]),
    "structured, type null": structured(type=None),
    "structured, specversion a list": structured(specversion=[]),
    "structured, empty": ({"Content-Type": "application/cloudevents+json"}, b""),
    "structured, not json": ({"Content-Type": "application/cloudevents+json"}, b"{"),
    "structured, a list": ({"Content-Type": "application/cloudevents+json"}, b"[]"),
    "structured, deep": ({"Content-Type": "application/cloudevents+json"}, b'{"specversion":' * 100_000),
    "background, no resource": (JSON, b'{"context": {"eventType": "google.storage.object.finalize"}, "data": {}}'),
    "background, another type": (JSON, b'{"context": {"eventType": "google.storage.object.delete"}, "data": {}}'),
    "background, a list": (JSON, b'{"context": [], "data": []}'),
    "pubsub": (JSON, b'{"subscription": "s", "message": {"data": "e30=", "messageId": "1"}}'),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_event_is_acknowledged_and_logged(
    cloud: UploadCloud, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    headers, body = MALFORMED[name]
    with log_lines() as lines:
        answer = cloud.instance.post("/", headers=headers | {"Authorization": SECRET}, data=body)
    assert (answer.status_code, answer.data) == (200, b"OK")
    line = the_line(lines)
    assert (line["severity"], line["event"]) == ("ERROR", "malformed")
    assert cloud.watched.calls == []
    shown = json.dumps(lines) + "".join(capfd.readouterr())
    assert SECRET[7:] not in shown
    assert "Authorization" not in shown


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=ANY_JSON | st.fixed_dictionaries({name: ANY_JSON | st.just(value) for name, value in event_data().items()}))
def test_random_event_data_writes_nothing(cloud: UploadCloud, data: Any) -> None:
    # Of an image that is too large, and so not read, it cannot be known that its bucket does not exist.
    assume(not isinstance(data, dict) or (read_count(data.get("size")) or 0) <= Settings.max_image_bytes)
    headers, body = event(data)
    with log_lines() as lines:
        assert cloud.instance.post("/", headers=headers, data=body).status_code == 200
    assert the_line(lines)["event"] in ("malformed", "skipped", "gone")
    assert "write" not in cloud.watched.calls


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_another_method_acknowledges_nothing(cloud: UploadCloud, method: str) -> None:
    headers, body = binary_event(event_data())
    with log_lines() as lines:
        assert cloud.instance.open("/", method=method, headers=headers, data=body).status_code == 405
    assert lines == []
