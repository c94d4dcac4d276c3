"""Test the list of what a start reads, with a file in the page cache."""

import os
import shutil
from pathlib import Path

import pytest

from tests.bench.profile.reads import resident, table

pytestmark = pytest.mark.skipif(not shutil.which("fincore"), reason="fincore is part of util-linux")


def test_resident_counts_bytes_in_the_page_cache(tmp_path: Path) -> None:
    cached, dropped = tmp_path / "cached", tmp_path / "dropped"
    for file in (cached, dropped):
        with file.open("wb") as stream:
            stream.write(bytes(2**20))
            os.fsync(stream.fileno())
    with dropped.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    found = resident([cached, dropped])
    assert found[cached] == 2**20
    assert found[dropped] < 2**20


def test_table_sums_small_files() -> None:
    read = {
        Path("/venv/site-packages/a/b.so"): 3_000_000,
        Path("/x/c"): 400_000,
        Path("/x/d"): 0,
        Path("/x/e"): 100_000,
    }
    assert table(read, 4_000_000) == [
        "    3.0  a/b.so",
        "    0.5  2 other files",
        "    4.0  read from disk by the processes, with the system's files",
    ]
