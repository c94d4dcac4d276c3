"""Show the progress of the workers on this machine, from files that grow by one byte per image.

Beam's own counters come only at the end. Appending is atomic: processes need no lock, and a killed process loses
nothing.
"""

import os
import threading
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

_POLL_SECONDS = 0.5
_FOUND, _DONE = "found", "done"


class Tally:
    """Count a worker's images: those found to do, and those done."""

    def __init__(self, folder: Path | None) -> None:
        """Count in files of `folder`, or not at all if it is None."""
        self._folder = folder
        self._files: dict[str, int] = {}

    def found(self, images: int) -> None:
        """Add images to do."""
        self._add(_FOUND, images)

    def done(self, images: int) -> None:
        """Add images done."""
        self._add(_DONE, images)

    def _add(self, name: str, images: int) -> None:
        if self._folder is None or not images:
            return
        if name not in self._files:
            self._files[name] = os.open(self._folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._files[name], bytes(images))


class ProgressBar:
    """Show images done, rate and time left while the block runs, if there is a terminal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress")

    def __enter__(self) -> "ProgressBar":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _show(self) -> None:
        with tqdm(total=0, unit=" images", disable=None, dynamic_ncols=True) as bar:
            while not bar.disable and not self._ended.wait(_POLL_SECONDS):
                done = self._count(_DONE)
                if done and not bar.n:
                    bar.unpause()  # the rate is that of classifying, without the listing before
                bar.total = max(self._count(_FOUND), done)
                bar.update(done - bar.n)
                bar.refresh()

    def _count(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0
