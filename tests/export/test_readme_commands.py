"""Test that the READMEs' export commands are accepted, and that those for an example make its files."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from export.command_line import parse
from tests.support.paths import ROOT
from tests.support.readmes import all_commands

PREFIX = ".venv/export/bin/python "


@pytest.mark.parametrize("command", all_commands(r"-m export (?!--help)"))
def test_export_command_is_accepted(command: str) -> None:
    name, _ = parse(shlex.split(command.partition("-m export ")[2]))
    assert name in command


def test_export_help_is_shown() -> None:
    assert all_commands("-m export --help")
    done = subprocess.run(
        [sys.executable, "-m", "export", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "convert" in done.stdout


def test_example_model_and_labels_are_made(tmp_path: Path) -> None:
    here = tmp_path / "clone"
    here.mkdir()
    made = [*all_commands(r"^\.venv/export/bin/python -c "), *all_commands(r"> \.\./labels\.json$")]
    assert len(made) == 2
    for command in made:
        line = command.replace(PREFIX, f"{sys.executable} ")
        subprocess.run(["bash", "-c", line], cwd=here, timeout=300, check=True)  # noqa: S607
    assert (tmp_path / "their_model.keras").stat().st_size > 1_000_000
    assert (tmp_path / "labels.json").read_text().startswith("[")
