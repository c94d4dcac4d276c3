"""Read, without trust, the event that Cloud Storage sends when an object is complete.

Type `google.cloud.storage.object.v1.finalized`: its data are the object's resource, in which numbers are strings.
Source: https://github.com/googleapis/google-cloudevents, proto/google/events/cloud/storage/v1 (2026).

Type `google.cloud.pubsub.topic.v1.messagePublished`: a notification of the bucket over Pub/Sub, with the same resource.
Source: https://cloud.google.com/storage/docs/pubsub-notifications (2026).
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .objects import BUCKET_NAME, ObjectAddress, StoredObject, is_object_name, read_count

FINALIZED = "google.cloud.storage.object.v1.finalized"
_MESSAGE_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


class MalformedEventError(Exception):
    """Report an event that names no object. A retry would not help."""


def read_event(kind: object, data: Any) -> StoredObject:
    """Return the object that an event of type `kind` names in `data`. Raise `MalformedEventError`."""
    if kind == _MESSAGE_PUBLISHED:
        data = _notified(data)
    elif kind != FINALIZED:
        raise MalformedEventError(f"an event of type {kind!r}; {FINALIZED} is expected")
    if not isinstance(data, Mapping):
        raise MalformedEventError(
            f"an event with {type(data).__name__} for data, where an object's description belongs"
        )
    # The JSON of protobuf may write null for what is absent, and leaves out zeros and empty texts.
    data = {field: value for field, value in data.items() if value is not None}
    bucket, name = data.get("bucket"), data.get("name")
    generation, size = read_count(data.get("generation")), read_count(data.get("size", 0))
    if not isinstance(bucket, str) or not BUCKET_NAME.fullmatch(bucket):
        raise MalformedEventError(f"an event with bucket {bucket!r}")
    if not isinstance(name, str) or not is_object_name(name):
        raise MalformedEventError(f"an event with name {name!r}")
    if not generation:
        raise MalformedEventError(f"an event with generation {data.get('generation')!r}")
    if size is None:
        raise MalformedEventError(f"an event with size {data.get('size')!r}")
    content_type, encoding = data.get("contentType", ""), data.get("contentEncoding", "")
    metadata = data.get("metadata", {})
    if not isinstance(content_type, str) or not isinstance(encoding, str) or not isinstance(metadata, Mapping):
        raise MalformedEventError(f"an event with type {content_type!r}, encoding {encoding!r}, metadata {metadata!r}")
    return StoredObject(ObjectAddress(bucket, name), generation, size, content_type, encoding, metadata)


def _notified(data: Any) -> Any:
    """Return the resource in a notification over Pub/Sub. Raise `MalformedEventError`."""
    message = data.get("message") if isinstance(data, Mapping) else None
    attributes = message.get("attributes") if isinstance(message, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(attributes, Mapping):
        raise MalformedEventError("a Pub/Sub message that is no notification of Cloud Storage")
    if attributes.get("eventType") != "OBJECT_FINALIZE":
        raise MalformedEventError(
            f"a notification of type {attributes.get('eventType')!r}; create it with --event-types=OBJECT_FINALIZE"
        )
    if attributes.get("payloadFormat") != "JSON_API_V1":
        raise MalformedEventError("a notification without the object's resource; create it with --payload-format=json")
    try:
        return json.loads(base64.b64decode(message["data"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise MalformedEventError("a notification whose data are no JSON in base64") from None


def age_seconds(time: object) -> float | None:
    """Return the seconds since the event's `time` (RFC 3339), or None if that is invalid."""
    try:
        return round((datetime.now(UTC) - datetime.fromisoformat(str(time))).total_seconds(), 1)
    except (ValueError, TypeError):
        return None
