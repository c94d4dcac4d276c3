"""Pair images with their results from listings, so that no object has to be looked up."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from flowers.cloud.objects import ObjectAddress, ObjectStore, StoredObject
from flowers.documents import ERROR_SCHEMA
from flowers.results.result_objects import SCHEMA, ResultState
from flowers.results.writer import reason_to_skip

from .job import Job
from .local_files import FileAddress

TO_DO, NO_IMAGE, LONG_NAME, CORRECTION = "to_do", "no_image", "name_too_long", "correction"


class Task(NamedTuple):
    """Name an image to classify, in few bytes: there may be a billion of them.

    `replaced` is the generation of the result object that is there now, 0 for none.
    """

    name: str
    generation: int
    size: int
    content_encoding: str
    replaced: int

    def image(self, job: Job) -> StoredObject:
        """Return the image's object."""
        address = (FileAddress if job.local else ObjectAddress)(job.place, self.name)
        return StoredObject(address, self.generation, self.size, content_encoding=self.content_encoding)


class Document(NamedTuple):
    """Name a result that is there, or a correction."""

    place: str
    name: str
    generation: int
    size: int
    correction: bool


class Found(NamedTuple):
    """Hold the state of a listed object: a constant of this module, or a `ResultState`'s value.

    `TO_DO` has a task. A result that is there and a correction have a document.
    """

    state: str
    task: Task | None = None
    document: Document | None = None


def pair(
    objects: Iterable[StoredObject],
    is_image: Callable[[StoredObject], bool],
    result_address: Callable[[ObjectAddress], ObjectAddress],
) -> Iterator[tuple[StoredObject, StoredObject | None]]:
    """Yield each image of `objects`, which are sorted by name, with its result if that is among them.

    An image waits for its result while the next names begin with its own name: `a.jpg.json` follows `a.jpg`, but
    `a.jpg (1).jpg` may come between. Only images whose names each begin the next wait at the same time.
    """
    waiting: list[tuple[StoredObject, ObjectAddress]] = []
    for stored in objects:
        place, name = stored.address.bucket, stored.address.name
        while waiting and not name.startswith(waiting[-1][0].address.name):
            yield waiting.pop()[0], None
        for index, (image, result) in enumerate(waiting):
            if (result.bucket, result.name) == (place, name):
                del waiting[index]
                yield image, stored
                break
        if is_image(stored):
            waiting.append((stored, result_address(stored.address)))
    yield from ((image, None) for image, _ in reversed(waiting))


class Listing:
    """List the tasks of a job. The iterators raise `UnavailableError`, or `ObjectMissingError` without a bucket."""

    def __init__(self, job: Job, store: ObjectStore) -> None:
        self._job = job
        self._store = store
        self._settings = job.settings
        self._results = job.results(store)

    def top(self) -> Iterator[Found | str]:
        """Yield the objects in the pattern's first folder, and as strings the folders in it that may hold more."""
        folders: list[str] = []
        yield from self._found(self._objects(self._job.pattern.prefix, "/", folders))
        if self._job.pattern.deep:
            yield from folders

    def below(self, folder: str) -> Iterator[Found | str]:
        """Yield the objects below a folder, at any depth, and as strings the folders that cannot be listed."""
        folders: list[str] = []
        yield from self._found(self._objects(folder, "", folders))
        yield from folders

    def images(self) -> Iterator[tuple[StoredObject, StoredObject | None]]:
        """Return all images of the pattern by name, each with its result if there is one."""
        objects = self._objects(self._job.pattern.prefix, "", [])
        for image, result in pair(objects, self._is_meant, self._results.address):
            if not reason_to_skip(image, self._settings.result_suffix):
                yield image, result

    def _objects(self, prefix: str, delimiter: str, folders: list[str]) -> Iterator[StoredObject]:
        """Yield images and results by name, from one listing if both are in one bucket."""

        def listed(place: str) -> Iterator[StoredObject]:
            for entry in self._store.list_objects(place, prefix, delimiter):
                if isinstance(entry, StoredObject):
                    yield entry
                elif place == self._job.place:
                    folders.append(entry)

        places = sorted({self._job.place, self._job.result_place})
        return heapq.merge(*map(listed, places), key=lambda stored: stored.address.name)

    def _found(self, objects: Iterator[StoredObject]) -> Iterator[Found]:
        for image, existing in pair(objects, self._is_meant, self._results.address):
            yield self._judge(image, existing)

    def _is_meant(self, stored: StoredObject) -> bool:
        if stored.address.bucket != self._job.place or not self._job.pattern.matches(stored.address.name):
            return False
        if self._is_correction(stored):
            return True
        return reason_to_skip(stored, self._settings.result_suffix) not in ("a folder", "a result")

    def _is_correction(self, stored: StoredObject) -> bool:
        return stored.address.name.endswith(f".correction{self._settings.result_suffix}")

    def _judge(self, image: StoredObject, existing: StoredObject | None) -> Found:
        if self._is_correction(image):
            return Found(CORRECTION, document=_document(image, correction=True))
        if reason_to_skip(image, self._settings.result_suffix):
            return Found(NO_IMAGE)
        if not self._job.holds(self._results.address(image.address).name):
            return Found(LONG_NAME)
        state = self._results.state(image, existing)
        faulty = existing is not None and existing.metadata.get(SCHEMA) == ERROR_SCHEMA
        again = self._job.redo_all or (self._job.retry_faulty and faulty)
        if state.settled and not (again and state is ResultState.REPEATED):
            counted = existing and state is not ResultState.FOREIGN and not faulty
            return Found(state.value, document=_document(existing) if existing and counted else None)
        replaced = existing.generation if existing else 0
        name, encoding = image.address.name, image.content_encoding
        return Found(TO_DO, Task(name, image.generation, image.size, encoding, replaced))


def _document(stored: StoredObject, correction: bool = False) -> Document:
    return Document(stored.address.bucket, stored.address.name, stored.generation, stored.size, correction)
