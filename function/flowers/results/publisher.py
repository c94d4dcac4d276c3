"""Publishes what was answered over HTTP, after the answer and as well as it can: a topic that is slow or out of reach
costs a copy, never an answer.

It is what an uploaded image would have got beside it: a result, or the error of an image that was read and is faulty.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..documents import RESULT_SCHEMA, one_line, without_heatmaps
from .background import Background
from .writer import marks

if TYPE_CHECKING:
    from ..cloud.pubsub import Topic

# Some thousand documents may wait; what comes on top is not published.
_BYTES_WAITING = 4_000_000
# A call takes some 20 ms, nearly all of it waiting: so that publishing keeps up with classifying.
_THREADS = 4

logger = logging.getLogger(__name__)


class Publisher:
    """Publishes answers to a topic; `publish` may be called from many threads and returns at once."""

    def __init__(self, topic: Callable[[], "Topic"], model_version: str) -> None:
        """`topic` gives the adapter when the first answer needs it."""
        self._topic = topic
        self._model_version = model_version
        self._background = Background("publisher", _THREADS, _BYTES_WAITING)

    def publish(self, answer: Mapping[str, Any]) -> None:
        """Publishes the documents in the body of an answer soon, or logs a warning for each that it could not."""
        for document in _of_images(answer):
            self._publish_soon(document)

    def _publish_soon(self, document: Mapping[str, Any]) -> None:
        line = one_line(document)
        attributes = marks(document["schema"], self._model_version, document["image"]["generation"])
        self._background.do(
            len(line), lambda: self._topic().publish(line, attributes), lambda reason: _warn(reason, document)
        )


def _of_images(answer: Mapping[str, Any]) -> Iterator[Any]:
    for document in answer.get("results", [answer]):
        if document["schema"] == RESULT_SCHEMA:
            yield without_heatmaps(document)
        elif document["error"]["code"] < 500 and document["image"] and document["image"]["sha256"]:
            yield document


def _warn(reason: str, document: Mapping[str, Any]) -> None:
    fields = {"event": "not_published", "sha256": document["image"]["sha256"]}
    logger.warning("a photo was answered but its document not published: %s", reason, extra={"fields": fields})
