"""Open the clients of Google Cloud when they are first needed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from .objects import ObjectStore

if TYPE_CHECKING:
    from .pubsub import Topic


def open_storage() -> ObjectStore:
    """Connect to Cloud Storage. Raise `UnavailableError` without credentials."""
    from .storage import Storage  # takes long to import

    return Storage()


def open_topic(name: str) -> "Topic":
    """Connect to a Pub/Sub topic. Raise `UnavailableError` without credentials."""
    from .pubsub import Topic  # takes long to import

    return Topic(name)


@dataclass(frozen=True)
class Cloud:
    """Give access to stored objects and to the results' topic.

    Each connection is made when first used: imports take long, and connections must not cross a server's fork.
    """

    open_storage: Callable[[], ObjectStore] = open_storage
    open_topic: Callable[[], "Topic"] | None = None

    @classmethod
    def with_topic(cls, name: str | None, storage: Callable[[], ObjectStore] = open_storage) -> "Cloud":
        """Return a cloud that publishes to the topic `name`, or to none."""
        return cls(storage, partial(open_topic, name) if name else None)

    @cached_property
    def storage(self) -> ObjectStore:
        """Connect to the stored objects. Raise `UnavailableError` without credentials."""
        return self.open_storage()

    @cached_property
    def topic(self) -> "Topic | None":
        """Connect to the topic, if there is one. Raise `UnavailableError` without credentials."""
        return self.open_topic() if self.open_topic else None
