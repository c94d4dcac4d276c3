"""A function on this machine, as one instance of Cloud Run would serve it; and the memory of one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.bench.cpu_limit import limit_cpu, remove_limit
from tests.server_process import ServerProcess, answers, framework, free_port, surroundings

_START_SECONDS = 60.0


@contextmanager
def serving(log: Path, threads: int, cpus: float) -> Iterator[tuple[str, ServerProcess]]:
    """`classify_http` with `threads` threads, held to `cpus` processors; its address and process, once it serves."""
    port = free_port()
    server = ServerProcess(framework("classify_http", port), log, surroundings(THREADS=str(threads)))
    try:
        limit_cpu(server.process.pid, cpus)
        url = f"http://127.0.0.1:{port}"
        server.wait_until(lambda: answers(f"{url}/health"), _START_SECONDS)
        yield url, server
    finally:
        server.kill()
        remove_limit(server.process.pid)


def processes_behind(url: str) -> list[psutil.Process]:
    """The processes on this machine that listen at `url`; none where it is elsewhere or another user's."""
    address = urlsplit(url)
    if address.hostname not in ("localhost", "127.0.0.1"):
        return []
    with suppress(psutil.AccessDenied):
        found = psutil.net_connections("tcp")
        pids = {each.pid for each in found if each.status == psutil.CONN_LISTEN and each.laddr.port == address.port}
        return [psutil.Process(pid) for pid in pids if pid]
    return []


def memory_mib(processes: list[psutil.Process]) -> float:
    """Their memory in RAM, MiB; what they share is counted once (PSS). 0 where they have ended."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 2**20
