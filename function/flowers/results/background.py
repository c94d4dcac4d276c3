"""Do work after the answer, so that a slow or unavailable dependency never delays an answer."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..errors import with_cause


class Background:
    """Work in threads of its own; `do` may be called from many threads and returns at once."""

    def __init__(self, name: str, threads: int, max_waiting_bytes: int) -> None:
        """Let up to `max_waiting_bytes` wait in memory; further work is dropped."""
        self._free = max_waiting_bytes
        self._changed = threading.Lock()
        # Threads start with the first work, after the server's fork. Waiting work is finished before exit.
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    def do(self, size: int, work: Callable[[], object], lost: Callable[[str], None]) -> None:
        """Do `work` soon, which keeps `size` bytes in memory; call `lost` with the reason if it cannot be done."""
        with self._changed:
            accepted = size <= self._free
            if accepted:
                self._free -= size
        if not accepted:
            lost("too much is waiting")
            return
        try:
            self._threads.submit(self._run, size, work, lost)
        except RuntimeError as error:  # the instance is shutting down
            lost(str(error))

    def _run(self, size: int, work: Callable[[], object], lost: Callable[[str], None]) -> None:
        try:
            work()
        except Exception as error:  # the answer was given; the next work is tried
            lost(with_cause(error))
        finally:
            with self._changed:
                self._free += size
