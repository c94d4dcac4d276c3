"""Test that `keras.applications` convert in every form, answer as in TensorFlow, and are served over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.zoo import REDUCED, ROWS, record, recorded


def run_row(family: str, form: str, folder: Path) -> dict[str, Any]:
    """Run one row of the zoo in a process of its own."""
    command = [sys.executable, "-m", "tests.support.zoo", family, form, str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "function")},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("family", "form"), REDUCED)
def test_model_of_the_reduced_zoo_converts_and_answers(family: str, form: str, tmp_path: Path) -> None:
    found = run_row(family, form, tmp_path)
    assert "reason" not in found
    assert found["difference"] < 1e-4


@pytest.mark.zoo
@pytest.mark.parametrize(("family", "form"), ROWS)
def test_model_of_the_zoo_converts_and_answers(family: str, form: str, tmp_path: Path) -> None:
    if (family, form) not in recorded():
        record(run_row(family, form, tmp_path))
    found = recorded()[family, form]
    assert "reason" not in found
