"""Test that as many inferences run at once as this process has processors for."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from flowers.model.session import Model, inferences_at_once
from flowers.settings import BUNDLED_MODEL


@pytest.mark.parametrize("at_once", [1, 3])
def test_inferences_at_once_are_limited_to_cpus(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(at_once)), raising=False)
    monkeypatch.delenv("WORKERS", raising=False)
    model = Model.load(BUNDLED_MODEL)
    rule = model.card.input_rule
    pixels = np.zeros((1, rule.height, rule.width, 3), np.uint8)
    run, inside, counts = InferenceSession.run, list[None](), list[int]()

    def watched(*given: Any) -> Any:
        inside.append(None)
        counts.append(len(inside))
        try:
            time.sleep(0.01)
            return run(*given)
        finally:
            inside.pop()

    monkeypatch.setattr(InferenceSession, "run", watched)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(model.run, [pixels] * 24))
    assert max(counts) == at_once


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
