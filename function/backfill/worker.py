"""What one process does with images: while some are read and others' results written, one is classified.

Inference of several images at a time would be slower: 4.9 ms an image alone, 5.8 in batches of 8, 6.3 of 32 (one thread
of the machine of `make bench-backfill`), since the activations of more than one leave the processor's caches. Nor would
it help to classify several images at once, since there is a process a core. So what is batched is what waits: the reads
and writes.
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from flowers.allocator import return_large_blocks
from flowers.classifier import Classifier
from flowers.cloud.objects import ObjectMissingError
from flowers.documents import RESULT_SCHEMA, ErrorDocument, ResultDocument, one_line
from flowers.errors import SurroundingsError
from flowers.results.stored_image import StoredImageClassifier
from flowers.results.writer import Standing, marks

from .job import ConfigurationError, Job
from .listing import Task

if TYPE_CHECKING:
    from flowers.cloud.pubsub import Topic

# As many as Cloud Storage's client keeps connections.
IMAGES_AT_ONCE = 10
# Images that are decoded or inferred at once. With one, a process rests while the turn passes from thread to thread: it
# did 100 images a second where it does 148 with two.
_TURNS = 2
# An image waits for the memory of others as long as these may take; nobody waits for an answer.
_WAIT_SECONDS = 600.0

logger = logging.getLogger("flowers.backfill")


CLASSIFIED, REFUSED, GONE, LEFT = "classified", "refused", "gone", "left"


class Outcome(NamedTuple):
    """What became of an image: a word of this module, or how its result stands where another's has settled it.

    There is a `document` where it was `CLASSIFIED` or `REFUSED`, and a `fault` where it is `LEFT` to do.
    """

    what: str
    task: Task
    document: ResultDocument | ErrorDocument | None = None
    fault: str | None = None


class _TakingTurns(Classifier):
    """A classifier that the threads of a process take turns at, so that none waits for the memory of many others."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.settings)
        self._turns = threading.Semaphore(_TURNS)

    def classify(self, data: bytes, *given: Any, **named: Any) -> ResultDocument:
        """As every classifier does."""
        with self._turns:
            return super().classify(data, *given, **named)


class Worker:
    """The model, the connections and the threads of a process; all its bundles share them."""

    def __init__(self, job: Job) -> None:
        """Raises `ConfigurationError` where the model is another than the job's, and as `Classifier` does."""
        return_large_blocks()
        classifier = _TakingTurns(job)
        version = classifier.identity["version"]
        if version != job.model_version:
            raise ConfigurationError(f"The model here has version {version}, the job is for {job.model_version}.")
        self._job = job
        self._store = job.open_store()
        self._results = job.results(self._store)
        self._images = StoredImageClassifier(classifier, job.settings, _WAIT_SECONDS)
        self._topic = _open_topic(job)
        self._threads = ThreadPoolExecutor(IMAGES_AT_ONCE, thread_name_prefix="image")

    def submit(self, task: Task) -> Future[Outcome]:
        """Classifies an image, or sees to it that it is classified soon; the outcome never is an exception."""
        if self._job.local:  # a disk answers at once, and passing the turn would cost a tenth of the time
            future: Future[Outcome] = Future()
            future.set_result(self.handle(task))
            return future
        return self._threads.submit(self.handle, task)

    def handle(self, task: Task) -> Outcome:
        """Classifies an image, writes its result, and publishes it where there is a topic.

        A fault of the surroundings is an outcome too. What is written and could not be published is published by the
        next attempt, which finds its result in place; a later run has nothing to do for that image.
        """
        image = task.image(self._job)
        try:
            document = self._images.classify(self._store, image)
            standing = self._results.write(image, document, task.existing(self._job))
            # REPEATED: another was faster, or this process's own answer got lost; the result is the same.
            if self._topic and standing in (Standing.WRITTEN, Standing.REPEATED):
                attributes = marks(document["schema"], self._job.model_version, str(image.generation))
                self._topic.publish(one_line(document), attributes)
        except ObjectMissingError:
            return Outcome(GONE, task)
        except SurroundingsError as error:
            return Outcome(LEFT, task, fault=f"{error.message} ({error.__cause__})")
        except Exception as error:
            logger.exception("%s failed unexpectedly", image.address.uri)
            return Outcome(LEFT, task, fault=f"{type(error).__name__}: {error}")
        if standing not in (Standing.WRITTEN, Standing.REPEATED):
            return Outcome(standing.value, task)
        return Outcome(CLASSIFIED if document["schema"] == RESULT_SCHEMA else REFUSED, task, document)


def _open_topic(job: Job) -> "Topic | None":
    if job.settings.result_topic is None:
        return None
    from flowers.cloud.pubsub import Topic  # slow to import, as `storage` is

    return Topic(job.settings.result_topic)
