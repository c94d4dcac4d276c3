"""Classify images in one process, while other images are read and other results written.

Inference of several images at a time would be slower, since the activations of more than one leave the processor's
caches. Each core has its own process, so only what waits runs in parallel: the reads and writes.
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.documents import RESULT_SCHEMA, ErrorDocument, ResultDocument
from flowers.errors import UnavailableError, with_cause
from flowers.process import return_large_blocks
from flowers.results.result_objects import ResultState
from flowers.results.writer import ResultWriter

from .job import ConfigurationError, Job
from .listing import Task

# As many as Cloud Storage's client keeps connections.
IMAGES_AT_ONCE = 10
# Images that are decoded or inferred at once. With one, a process rests while the turn passes from thread to thread.
_TURNS = 2
# An image may wait long for the memory of others, since no caller waits for an answer.
_WAIT_SECONDS = 600.0

logger = logging.getLogger("flowers.backfill")


CLASSIFIED, INVALID, LEFT = "classified", "invalid", "left"


class TaskOutcome(NamedTuple):
    """Hold the outcome of a task: a constant of this module, or a `ResultState`'s value.

    `document` is set if the image was classified or is invalid, and `error` if the task is `LEFT` to do.
    """

    state: str
    task: Task
    document: ResultDocument | ErrorDocument | None = None
    error: str | None = None


class _TakingTurns(Classifier):
    """Classify in few threads at a time, so that none waits for the memory of many."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.settings)
        self._turns = threading.Semaphore(_TURNS)

    def classify(self, data: bytes, *given: Any, **named: Any) -> ResultDocument:
        """Classify an image file's bytes, as `Classifier.classify` does."""
        with self._turns:
            return super().classify(data, *given, **named)


class Worker:
    """Hold the model, the connections and the threads that all bundles of a process share."""

    def __init__(self, job: Job) -> None:
        """Load the model. Raise `ConfigurationError` if it is not the job's, and as `Classifier` does."""
        return_large_blocks()
        classifier = _TakingTurns(job)
        version = classifier.identity["version"]
        if version != job.model_version:
            raise ConfigurationError(f"The model here has version {version}, the job is for {job.model_version}.")
        self._job = job
        cloud = Cloud.with_topic(job.settings.result_topic, job.open_store)
        self._writer = ResultWriter(classifier, job.settings, cloud, _WAIT_SECONDS)
        self._threads = ThreadPoolExecutor(IMAGES_AT_ONCE, thread_name_prefix="image")

    def submit(self, task: Task) -> Future[TaskOutcome]:
        """Classify an image now or soon. A failure is an outcome, never an exception."""
        if self._job.local:  # a disk answers at once: threads would only add switches
            future: Future[TaskOutcome] = Future()
            future.set_result(self.handle(task))
            return future
        return self._threads.submit(self.handle, task)

    def handle(self, task: Task) -> TaskOutcome:
        """Give an image its result. Every failure becomes an outcome too, `LEFT` to do."""
        image = task.image(self._job)
        try:
            state, document, _, unpublished = self._writer.process(image, task.replaced)
        except UnavailableError as error:
            return TaskOutcome(LEFT, task, error=with_cause(error))
        except Exception as error:
            logger.exception("%s failed unexpectedly", image.address.uri)
            return TaskOutcome(LEFT, task, error=f"{type(error).__name__}: {error}")
        if unpublished:
            return TaskOutcome(LEFT, task, error=with_cause(unpublished))
        # REPEATED: another was faster, or this process's own answer was lost. The result is the same.
        if document is None or state not in (ResultState.WRITTEN, ResultState.REPEATED):
            return TaskOutcome(state.value, task)
        return TaskOutcome(CLASSIFIED if document["schema"] == RESULT_SCHEMA else INVALID, task, document)
