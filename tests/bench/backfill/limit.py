"""Measure the most that the machine classifies: photographs from memory, in several processes.

This is a module of its own because a spawned process does not import `__main__`.
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
    """Return the images per second that so many processes classify from memory, without any bucket."""
    context = multiprocessing.get_context("spawn")
    rates: Any = context.Queue()
    workers = [context.Process(target=_classify, args=(files, rates)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    total = sum(rates.get() for _ in workers)
    for worker in workers:
        worker.join()
    return float(total)
