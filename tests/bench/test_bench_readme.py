"""Test that each command in README.md is a target of the Makefile that uses each of its variables."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"\bmake ([a-z-]+(?: [A-Z_]+=[^\s`]+)*)", README)))

MAKE = shutil.which("make") or ""

pytestmark = pytest.mark.skipif(not MAKE, reason="make is not installed")


def dry_run(*words: str) -> str:
    """Return the commands that make would run."""
    done = subprocess.run([MAKE, "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_command_is_a_make_target(command: str) -> None:
    target, *variables = command.split()
    plain = dry_run(target)
    for variable in variables:
        assert dry_run(target, f"{variable.partition('=')[0]}=probe") != plain, variable
