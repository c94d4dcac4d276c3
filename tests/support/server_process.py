"""Start servers in processes of their own, watch them and end them."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.paths import MAIN

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def clean_environment(**variables: str) -> dict[str, str]:
    """Return an environment without this shell's settings, plus `variables`."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | variables


def framework(target: str, port: int, source: Path = MAIN) -> list[str]:
    """Return the command that serves the function `target` on this machine alone."""
    program = Path(sys.executable).with_name("functions-framework")
    return [str(program), "--source", str(source), "--target", target, "--host", "127.0.0.1", "--port", str(port)]


def answers(url: str) -> bool:
    """Return whether a GET of `url` is answered with 200."""
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def processor_seconds(processes: Sequence[int]) -> float:
    """Return the processor time of processes so far, by proc(5)'s stat: fields 14 and 15, in ticks."""
    stats = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """Run a program in a session of its own, its output in a file."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: dict[str, str], folder: Path | None = None
    ) -> None:
        """Start `command` in `folder`; `log` takes both of its streams."""
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """Return the output so far."""
        return self._log.read_text()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready()`. Fail with the log if the program ends before, or if it takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, f"not ready within {seconds} s:\n{self.log}"
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """Return the processes of the session that are alive."""
        command = ["ps", "-eo", "pid=,sid=,stat="]
        rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        session = str(self.process.pid)
        return [int(pid) for pid, sid, state in map(str.split, rows) if sid == session and not state.startswith("Z")]

    def kill(self) -> None:
        """Kill all its processes at once (SIGKILL), and return when none is left."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.wait_for_end()

    def wait_for_end(self, seconds: float = 10.0) -> None:
        """Return when none of its processes is left. Fail if that takes too long."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, f"still running: {left}"
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[int]:
    """Serve `classify_http` in a process of its own, its log in `folder`. Yield its port once it answers."""
    port = free_port()
    server = ServerProcess(framework("classify_http", port), folder / "log", clean_environment(**settings))
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60)
        yield port
    finally:
        server.kill()
