"""What the tests of the backfill share: buckets, folders, and the program as it is started from a shell."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from google.cloud import storage

from tests.emulated_cloud import EmulatedStorage
from tests.function.upload_server import photo
from tests.server_process import MAIN, surroundings

PROGRAM = (sys.executable, "-m", "backfill")
# Without processes for the workers, which tests of kills and of several workers start.
IN_MEMORY = ("--direct_num_workers", "1", "--direct_running_mode", "in_memory")
_MOST_SECONDS = 120


class Run(NamedTuple):
    """What a run of the program left on its streams, and its exit status."""

    status: int
    out: str
    error: str

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of the summary by name; those of species have their label."""
        rows = [
            line for line in self.out.splitlines() if line[38:49].strip(" ,0123456789") == "" and line[38:49].strip()
        ]
        return {line[:38].strip(): int(line[38:49].replace(",", "")) for line in rows}


def environment(**variables: str) -> dict[str, str]:
    """The environment of the program, with the emulated bucket where there is one."""
    emulator = {name: os.environ[name] for name in ("STORAGE_EMULATOR_HOST",) if name in os.environ}
    return surroundings(PYTHONPATH=str(MAIN.parent), **emulator | variables)


def program(*arguments: str, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> Run:
    """Runs the program in `folder` with these arguments and environment variables (`settings`), to its end."""
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
    """Runs the program on what the pattern names, in one process."""
    return program("--input", pattern, *options, *IN_MEMORY, folder=folder, settings=settings)


@pytest.fixture(scope="session")
def storage_server() -> Iterator[EmulatedStorage]:
    """fake-gcs-server, which storage clients find by themselves while the tests run."""
    with EmulatedStorage() as server:
        yield server


@pytest.fixture
def bucket(storage_server: EmulatedStorage) -> storage.Bucket:
    """A new, empty bucket."""
    return storage.Client().create_bucket(f"garden-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photos as a laptop has one, with what lies about in such a folder."""
    folder = tmp_path / "photos"
    for name in ("rose.jpg", "trip/rose (1).JPG", "trip/2025/lily", "señora 🌷.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo(len(name)))
    (folder / "broken.jpg").write_bytes(photo(1)[:900])
    (folder / "notes.txt").write_text("no image")
    (folder / "README").write_text("no image, whatever its name claims")
    for hidden in (".hidden.jpg", ".thumbnails/rose.jpg"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(photo(2))
    return folder
