"""Publish the documents answered over HTTP, after the answer, best effort.

The documents are those that an upload would have got: results, and errors of images that were read and are invalid. If
the topic is slow or unavailable, copies are lost, never answers.
"""

import logging

from ..cloud.clients import Cloud
from ..documents import ERROR_SCHEMA, ErrorDocument, ResultDocument, one_line
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

    def publish(self, document: ResultDocument | ErrorDocument) -> None:
        """Publish a document soon, or log a warning that it is lost."""
        image = document["image"]
        failed = document["schema"] == ERROR_SCHEMA and document["error"]["code"] >= 500
        if image is None or image["sha256"] is None or failed:
            return
        line = one_line(document)
        attributes = result_metadata(document["schema"], self._model_version, image["generation"])
        fields = {"event": "not_published", "sha256": image["sha256"]}

        def publish() -> None:
            if self._cloud.topic:
                self._cloud.topic.publish(line, attributes)

        def warn(reason: str) -> None:
            logger.warning("result not published: %s", reason, extra={"fields": fields})

        self._background.do(len(line), publish, warn)
