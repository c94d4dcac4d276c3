"""Publish the documents answered over HTTP, after the answer, best effort.

Published are the documents that an upload would have got: results, and the errors of images that were read and are
invalid. If the topic is slow or unavailable, copies are lost, never answers.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from ..cloud.clients import Cloud
from ..documents import RESULT_SCHEMA, one_line, without_heatmaps
from .background import Background
from .result_objects import result_metadata

# Some thousand documents may wait; further ones are not published.
_BYTES_WAITING = 4_000_000
# A call waits for the network most of its time; several at once keep up with classifying.
_THREADS = 4

logger = logging.getLogger(__name__)


class Publisher:
    """Publish answers to a topic; `publish` may be called from many threads and returns at once."""

    def __init__(self, cloud: Cloud, model_version: str) -> None:
        self._cloud = cloud
        self._model_version = model_version
        self._background = Background("publisher", _THREADS, _BYTES_WAITING)

    def publish(self, answer: Mapping[str, Any]) -> None:
        """Publish the documents of an answer soon, and log a warning for each that is lost."""
        for document in _of_images(answer):
            self._publish_soon(document)

    def _publish_soon(self, document: Mapping[str, Any]) -> None:
        line = one_line(document)
        attributes = result_metadata(document["schema"], self._model_version, document["image"]["generation"])

        def publish() -> None:
            if self._cloud.topic:
                self._cloud.topic.publish(line, attributes)

        self._background.do(len(line), publish, lambda reason: _warn(reason, document))


def _of_images(answer: Mapping[str, Any]) -> Iterator[Any]:
    for document in answer.get("results", [answer]):
        if document["schema"] == RESULT_SCHEMA:
            yield without_heatmaps(document)
        elif document["error"]["code"] < 500 and document["image"] and document["image"]["sha256"]:
            yield document


def _warn(reason: str, document: Mapping[str, Any]) -> None:
    fields = {"event": "not_published", "sha256": document["image"]["sha256"]}
    logger.warning("result not published: %s", reason, extra={"fields": fields})
