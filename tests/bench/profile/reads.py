"""List what a start reads from disk, by file."""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tests.bench.speed.client import first_answer
from tests.bench.speed.contenders import ENVIRONMENTS, OURS
from tests.bench.speed.instance import as_deployed, empty_page_cache, read_bytes
from tests.support.server_process import free_port

SHOWN_BYTES = 500_000
_BATCH = 1_000  # files in one command line
_ROOTS = ("/site-packages/", "/.deployed/", "/lib/")  # a file is named from the last of these on


def resident(files: Sequence[Path]) -> dict[Path, int]:
    """Return the bytes of each file that are in the page cache."""
    found = {}
    for start in range(0, len(files), _BATCH):
        command = ["fincore", "--bytes", "--noheadings", "--raw", "--output", "RES,FILE"]
        command += map(str, files[start : start + _BATCH])
        for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
            number, _, name = line.strip().partition(" ")
            found[Path(name)] = int(number)
    return found


def _candidates(source: Path) -> list[Path]:
    """Return the files that a start may read: the function, its environment, Python and its libraries."""
    folders = [source.parent, ENVIRONMENTS / OURS.environment, Path(sysconfig.get_path("stdlib"))]
    files = [Path(sys.executable).resolve(), *Path(sys.base_prefix, "lib").glob("libpython*")]
    files += [file for folder in folders for file in folder.rglob("*")]
    return list({file.resolve() for file in files if file.is_file()})


def _name(file: Path) -> str:
    return next((str(file).rpartition(root)[2] for root in _ROOTS if root in str(file)), file.name)


def table(read: dict[Path, int], total: int, shown: int = SHOWN_BYTES) -> list[str]:
    """Return megabytes by file, the largest first, and the sum of the files not shown."""
    large = sorted(((size, _name(file)) for file, size in read.items() if size >= shown), reverse=True)
    small = [size for size in read.values() if 0 < size < shown]
    return [
        *(f"{size / 1e6:7.1f}  {name}" for size, name in large),
        f"{sum(small) / 1e6:7.1f}  {len(small)} other files",
        f"{total / 1e6:7.1f}  read from disk by the processes, with the system's files",
    ]


def reads(photo: bytes) -> list[str]:
    """Return what a start reads from an empty page cache. Without root, return why not."""
    contender = as_deployed(OURS)
    files = _candidates(Path(contender.command[contender.command.index("--source") + 1]))
    try:
        empty_page_cache()
    except OSError as error:
        return [f"left out: to empty the page cache needs root ({error})"]
    before, port = resident(files), free_port()
    with contender.start(port) as server:
        first_answer(port, photo)
        after, total = resident(files), read_bytes(server.processes())
    return table({file: size - before[file] for file, size in after.items()}, total)
