"""List the images to do, and classify them.

Beam's RunInference reads, infers and writes one after the other, and its batches are slower on a CPU. `_Classify`
shares one model in each process (`Shared`), and reads and writes other images while one is classified.
"""

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import apache_beam as beam
from apache_beam import metrics, pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from flowers.cloud.objects import ObjectMissingError
from flowers.errors import FlowersError

from .job import Job
from .listing import TO_DO, Listing
from .progress import Tally
from .worker import CLASSIFIED, IMAGES_AT_ONCE, INVALID, LEFT, TaskOutcome, Worker

COUNTERS = "backfill"
BYTES_TO_DO, FOLDERS_LEFT = "bytes_to_do", "folders_left"
# Prefixes of the counters that each reason and each species has.
REASON, SPECIES, NOT_IDENTIFIED = "invalid: ", "species: ", "not_identified"
FOLDERS, FAILED, DOCUMENTS = "folders", "failed", "documents"
# Images that a bundle has taken on: one lot at work, another waiting.
_AHEAD = 2 * IMAGES_AT_ONCE

logger = logging.getLogger(__name__)


def count(what: str, number: int = 1) -> None:
    """Add to a counter that the summary reads."""
    metrics.Metrics.counter(COUNTERS, what).inc(number)


class _List(beam.DoFn):
    """List the tasks at the top of a job (""), or all tasks below a folder.

    Folders at the top, and documents found, are tagged outputs.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        self._listing = Listing(self._job, self._job.open_store())
        self._tally = Tally(self._job.progress)

    def process(self, folder: str) -> Iterator[Any]:
        to_do = 0
        try:
            for found in self._listing.below(folder) if folder else self._listing.top():
                if isinstance(found, str) and folder:
                    self._leave(found, "it could not be read")
                    continue
                if isinstance(found, str):
                    yield pvalue.TaggedOutput(FOLDERS, found)
                    continue
                count(found.state)
                if found.document:
                    yield pvalue.TaggedOutput(DOCUMENTS, found.document)
                if found.task:
                    count(BYTES_TO_DO, found.task.size)
                    to_do += 1
                    yield found.task
        except (FlowersError, ObjectMissingError) as error:
            self._leave(folder or self._job.pattern.prefix, error)
        self._tally.found(to_do)

    def _leave(self, folder: str, reason: object) -> None:
        count(FOLDERS_LEFT)
        logger.warning("the folder %r is left to do: %s", folder, reason)


class _Classify(beam.DoFn):
    """Turn tasks into outcomes. Failed tasks are tagged, unless this is the last attempt."""

    def __init__(self, job: Job, shared: Shared, last: bool) -> None:
        """Share the process's worker by `shared`."""
        self._job = job
        self._shared = shared
        self._last = last

    def setup(self) -> None:
        self._worker = self._shared.acquire(lambda: Worker(self._job))
        self._tally = Tally(self._job.progress)

    def start_bundle(self) -> None:
        self._taken: deque[Future[TaskOutcome]] = deque()

    def process(self, task: Any) -> Iterator[Any]:
        self._taken.append(self._worker.submit(task))
        if len(self._taken) > _AHEAD:
            yield self._settle(self._taken.popleft().result())

    def finish_bundle(self) -> Iterator[Any]:
        while self._taken:
            outcome = self._settle(self._taken.popleft().result())
            if isinstance(outcome, pvalue.TaggedOutput):
                value = WindowedValue(outcome.value, GlobalWindow().max_timestamp(), (GlobalWindow(),))
                yield pvalue.TaggedOutput(outcome.tag, value)
            else:
                yield WindowedValue(outcome, GlobalWindow().max_timestamp(), (GlobalWindow(),))

    def _settle(self, outcome: TaskOutcome) -> TaskOutcome | pvalue.TaggedOutput:
        if outcome.state == LEFT and not self._last:
            return pvalue.TaggedOutput(FAILED, outcome.task)
        self._tally.done(1)
        count(outcome.state)
        document: Any = outcome.document
        if outcome.state == CLASSIFIED:
            count(SPECIES + document["species"]["label"] if document["identified"] else NOT_IDENTIFIED)
        elif outcome.state == INVALID:
            count(REASON + document["error"]["reason"])
        elif outcome.state == LEFT:
            logger.warning("%s is left to do: %s", outcome.task.image(self._job).address.uri, outcome.error)
        return outcome


def list_tasks(begin: beam.Pipeline, job: Job) -> tuple[beam.PCollection, beam.PCollection]:
    """List the tasks of a job, spread evenly over the workers, and the documents that are there.

    Folders are listed in parallel.
    """
    tags = (FOLDERS, DOCUMENTS)
    top = begin | "Begin" >> beam.Create([""]) | "List top" >> beam.ParDo(_List(job)).with_outputs(*tags, main=TO_DO)
    below = (
        top[FOLDERS]
        | "Spread folders" >> beam.Reshuffle()
        | "List folders" >> beam.ParDo(_List(job)).with_outputs(*tags, main=TO_DO)
    )
    return (
        (top[TO_DO], below[TO_DO]) | "All tasks" >> beam.Flatten(),
        (top[DOCUMENTS], below[DOCUMENTS]) | "All documents" >> beam.Flatten(),
    )


def classify(tasks: beam.PCollection, job: Job) -> beam.PCollection:
    """Turn tasks into outcomes. Tasks that failed because a dependency was unavailable are retried once, at the end."""
    shared = Shared()
    first = (
        tasks
        | "Spread" >> beam.Reshuffle()
        | "Classify" >> beam.ParDo(_Classify(job, shared, last=False)).with_outputs(FAILED, main="outcomes")
    )
    second = (
        first[FAILED]
        | "Spread failed" >> beam.Reshuffle()
        | "Classify again" >> beam.ParDo(_Classify(job, shared, last=True))
    )
    return (first["outcomes"], second) | "All outcomes" >> beam.Flatten()
