"""Serve the function on this machine as one instance of Cloud Run would, and watch its memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from tests.bench.cpu_limit import limit_cpu, remove_limit
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

_START_SECONDS = 60.0
_SAMPLE_SECONDS = 0.05


@contextmanager
def serving(log: Path, threads: int, cpus: float) -> Iterator[tuple[str, ServerProcess]]:
    """Serve `classify_http` with `threads` threads on `cpus` CPUs. Yield its address and process once it answers."""
    port = free_port()
    server = ServerProcess(framework("classify_http", port), log, clean_environment(THREADS=str(threads)))
    try:
        limit_cpu(server.process.pid, cpus)
        url = f"http://127.0.0.1:{port}"
        server.wait_until(lambda: answers(f"{url}/health"), _START_SECONDS)
        yield url, server
    finally:
        server.kill()
        remove_limit(server.process.pid)


def memory_mib(processes: Sequence[int]) -> float:
    """Return the memory of processes in MiB, with shared pages counted once (PSS). An ended process has none."""
    kilobytes = 0
    for process in processes:
        with suppress(OSError):
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
            kilobytes += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return kilobytes / 1024


class PeakMemory:
    """Watch the memory of processes while the block runs; `mib` is the largest value seen."""

    def __init__(self, processes: Sequence[int]) -> None:
        self._processes, self._end, self.mib = processes, Event(), memory_mib(processes)
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            self.mib = max(self.mib, memory_mib(self._processes))
