"""Put a server's start into the state that it has in a new instance of Cloud Run."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.server_process import clean_environment

from .contenders import BUILD, ENVIRONMENTS, Contender

# When the build's image export resets all times: 1980-01-01 00:00:01.
_EPOCH = 315_532_801
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def compiled(source: Path, folder: Path, python: Path) -> Path:
    """Copy the folder of `source` to `folder`, compiled as in the cloud's build. Return the copy of `source`.

    With SOURCE_DATE_EPOCH, Python writes bytecode that is checked by its source's hash. It stays valid when times are
    reset. Whether the shell sets PYTHONDONTWRITEBYTECODE makes no difference.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [str(python), "-m", "compileall", "-q", str(folder)]
    subprocess.run(command, env=clean_environment(SOURCE_DATE_EPOCH=str(_EPOCH)), check=True)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (_EPOCH, _EPOCH))
    return folder / source.name


def as_deployed(contender: Contender) -> Contender:
    """Return a contender on functions-framework that serves a compiled copy of its source.

    The copy is in a hidden folder, which type checkers skip.
    """
    words = list(contender.command)
    source = words.index("--source") + 1
    file = Path(words[source])
    python = ENVIRONMENTS / contender.environment / "bin" / "python"
    words[source] = str(compiled(file, BUILD / ".deployed" / file.stem, python))
    return contender._replace(command=tuple(words))


def empty_page_cache() -> None:
    """Drop every cached file that no process maps. Raise `OSError` unless root of this machine does it."""
    os.sync()
    _DROP_CACHES.write_text("3")


def read_bytes(processes: list[int]) -> int:
    """Return the bytes that processes have read from disk so far."""
    texts = [Path(f"/proc/{process}/io").read_text() for process in processes]
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("read_bytes"))
