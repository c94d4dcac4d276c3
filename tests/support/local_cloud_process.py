"""Start `python -m tests.local_cloud` as a terminal does."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess, clean_environment, free_port

READY_SECONDS = 60.0


class LocalCloud(ServerProcess):
    """Run `python -m tests.local_cloud start` in a session of its own, as a terminal does."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        # Where it is ignored, as for what a shell runs in the background, the new process would ignore it too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        command = [sys.executable, "-m", "tests.local_cloud", "start", "--port", str(port)]
        super().__init__(command, folder / "local-cloud.log", clean_environment(), ROOT)

    def wait_for(self, text: str) -> None:
        """Return once `text` has been printed."""
        self.wait_until(lambda: text in self.log, READY_SECONDS)


@contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[LocalCloud]:
    """Start a local cloud, and end it after the block."""
    cloud = LocalCloud(folder, port or free_port())
    try:
        yield cloud
    finally:
        cloud.kill()
