"""Work that is done after the answer: what is slow or out of reach there costs what was to be done, never an answer."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Background:
    """Does work in threads of its own; `do` may be called from many threads and returns at once."""

    def __init__(self, name: str, threads: int, room: int) -> None:
        """`room` is how many bytes may wait to be worked on, in memory; what comes on top is not done."""
        self._room = room
        self._changed = threading.Lock()
        # Its threads start with the first work, after the server's fork; what waits at the end is done before exit.
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    def do(self, size: int, work: Callable[[], object], lost: Callable[[str], None]) -> None:
        """Does `work`, which keeps `size` bytes waiting, soon; or calls `lost` with the reason why it was not done."""
        with self._changed:
            accepted = size <= self._room
            if accepted:
                self._room -= size
        if not accepted:
            lost("too much is waiting")
            return
        try:
            self._threads.submit(self._run, size, work, lost)
        except RuntimeError as error:  # the instance is about to end
            lost(str(error))

    def _run(self, size: int, work: Callable[[], object], lost: Callable[[str], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, the answer is given, and the next work is tried
            lost(f"{error} ({error.__cause__})" if error.__cause__ else str(error))
        finally:
            with self._changed:
                self._room += size
