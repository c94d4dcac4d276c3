"""Test that as many inferences run at once as this process has processors for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from flowers.model.session import Model, inferences_at_once
from flowers.settings import BUNDLED_MODEL


class _Watched:
    """Count how many threads are in a session at once."""

    def __init__(self, session: Any) -> None:
        self._session, self._lock = session, threading.Lock()
        self._inside = self.most = 0

    def run(self, *given: Any) -> Any:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        try:
            time.sleep(0.01)
            return self._session.run(*given)
        finally:
            with self._lock:
                self._inside -= 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_inferences_at_once_are_limited_to_cpus(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(at_once)), raising=False)
    monkeypatch.delenv("WORKERS", raising=False)
    model = Model.load(BUNDLED_MODEL)
    rule = model.card.input_rule
    pixels = np.zeros((1, rule.height, rule.width, 3), np.uint8)
    watched = model._session = _Watched(model._session)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(model.run, [pixels] * 24))
    assert watched.most == at_once


@pytest.mark.parametrize(
    ("processors", "workers", "expected"),
    [
        (1, None, 1),
        (2, None, 2),
        (2, "2", 1),
        (4, "2", 2),
        (2, "8", 1),
    ],
)
def test_inferences_at_once_match_cpus(
    monkeypatch: pytest.MonkeyPatch, processors: int, workers: str | None, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(processors)), raising=False)
    if workers:
        monkeypatch.setenv("WORKERS", workers)
    else:
        monkeypatch.delenv("WORKERS", raising=False)
    assert inferences_at_once() == expected
