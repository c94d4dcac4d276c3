"""What the machine can do at most: photographs classified from memory, by so many processes.

Not in `__main__`, which a process that is spawned does not import.
"""

import multiprocessing
import time
from typing import Any

from flowers.classifier import Classifier
from flowers.settings import Settings

_LIMIT_SECONDS = 5.0


def _classify(files: list[bytes], rate: Any) -> None:
    classifier, done = Classifier(Settings()), 0
    classifier.classify(files[0])
    started = time.perf_counter()
    while time.perf_counter() < started + _LIMIT_SECONDS:
        classifier.classify(files[done % len(files)])
        done += 1
    rate.put(done / (time.perf_counter() - started))


def limit(files: list[bytes], processes: int) -> float:
    """Images a second that so many processes classify from memory, without reading or writing any."""
    context = multiprocessing.get_context("spawn")
    rates: Any = context.Queue()
    workers = [context.Process(target=_classify, args=(files, rates)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    total = sum(rates.get() for _ in workers)
    for worker in workers:
        worker.join()
    return float(total)
