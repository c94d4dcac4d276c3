"""Test that decoding a mutated file keeps to the memory limit from its header, and prints nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure memory")


def mutate(files: int, seed: int, seconds: float) -> Any:
    """Decode so many mutated files in a process of their own and return its findings."""
    command = [sys.executable, "-m", "tests.support.mutations", str(files), str(seed)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'function'}"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, timeout=seconds, check=False, text=True
    )
    assert (run.returncode, run.stderr) == (0, "")
    return json.loads(run.stdout)


def test_mutated_files_take_predicted_memory() -> None:
    found = mutate(600, 1, 300)
    assert sum(found["outcomes"].values()) == 600


@pytest.mark.soak
def test_100000_mutated_files_take_predicted_memory() -> None:
    found = mutate(100_000, 2, 4 * 3600)
    print(json.dumps(found, indent=2))
    assert sum(found["outcomes"].values()) == 100_000
