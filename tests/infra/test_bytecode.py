"""Test that the bytecode of Google's build stays valid in the container, because of SOURCE_DATE_EPOCH.

The build runs `python3 -m compileall -f -q .` (GoogleCloudPlatform/buildpacks, cmd/python/functions_framework). The
export of the container then sets all times to one second after 1980.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import LEFTOVERS, ROOT, Planned

EXPORTED = 315532801  # 1980-01-01T00:00:01Z


def compiled_again(function: Path, build_environment: dict[str, str]) -> tuple[int, int]:
    """Build and export a copy of function/. Return how many modules a start compiles, and how many it imports."""
    shutil.copytree(ROOT / "function", function, ignore=LEFTOVERS)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SOURCE_DATE"))}
    build = [sys.executable, "-m", "compileall", "-f", "-q", "."]
    subprocess.run(build, cwd=function, env=clean | build_environment, timeout=120, check=True)
    for path in function.rglob("*"):
        os.utime(path, (EXPORTED, EXPORTED))
    start = [
        sys.executable,
        "-v",
        "-c",
        "from functions_framework import create_app; create_app('classify_http', 'main.py')",
    ]
    running = clean | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(start, cwd=function, env=running, capture_output=True, text=True, timeout=120, check=True)
    own = re.escape(str(function))
    compiled = len(re.findall(rf"^# code object from {own}\S+\.py$", done.stderr, re.MULTILINE))
    read = len(re.findall(rf"^# {own}\S+\.pyc matches ", done.stderr, re.MULTILINE))
    return compiled, compiled + read


@pytest.fixture
def build_environment(default_plan: dict[str, Any], planned: Planned) -> dict[str, str]:
    """Return the build environment that is deployed, which is the same for both functions."""
    functions = planned(default_plan, "google_cloudfunctions2_function").values()
    environments = [function["build_config"][0]["environment_variables"] for function in functions]
    assert environments[0] == environments[1]
    found: dict[str, str] = environments[0]
    return found


def test_bytecode_stays_valid_in_the_container(build_environment: dict[str, str], tmp_path: Path) -> None:
    compiled, imported = compiled_again(tmp_path / "function", build_environment)
    print(f"with {build_environment}: {compiled} of {imported} modules are compiled again")
    assert imported > 20
    assert compiled == 0


def test_bytecode_without_the_setting_is_stale(tmp_path: Path) -> None:
    compiled, imported = compiled_again(tmp_path / "function", {})
    print(f"without: {compiled} of {imported} modules are compiled again")
    assert imported > 20
    assert compiled == imported
