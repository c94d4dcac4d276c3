"""Run the backfill as a shell does."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import MAIN
from tests.support.server_process import clean_environment

PROGRAM = (sys.executable, "-m", "backfill")
# Without processes for the workers, which tests of kills and of several workers start.
IN_MEMORY = ("--direct_num_workers", "1", "--direct_running_mode", "in_memory")
_MOST_SECONDS = 120


class Run(NamedTuple):
    """Hold the output, the errors and the exit status of a run."""

    status: int
    out: str
    error: str

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of the summary by name; those of species have their label."""
        rows = [
            line for line in self.out.splitlines() if line[38:49].strip(" ,0123456789") == "" and line[38:49].strip()
        ]
        return {line[:38].strip(): int(line[38:49].replace(",", "")) for line in rows}


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of the program, with the emulated bucket if there is one."""
    emulator = {name: os.environ[name] for name in ("STORAGE_EMULATOR_HOST",) if name in os.environ}
    return clean_environment(PYTHONPATH=str(MAIN.parent), **emulator | variables)


def program(*arguments: str, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> Run:
    """Run the program in `folder` with these arguments and environment variables (`settings`), to its end."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(**(settings or {})),
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def backfill(pattern: str, *options: str, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> Run:
    """Run the program on a pattern's images, in one process."""
    return program("--input", pattern, *options, *IN_MEMORY, folder=folder, settings=settings)
