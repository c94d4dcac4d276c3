"""Start the servers that are measured: this function and its peers, each in processes and an environment of its own."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import MAIN
from tests.support.server_process import ServerProcess, clean_environment

ENVIRONMENTS = Path(".venv").absolute()
PEERS = Path(__file__).parent / "peers"
BUILD = Path(__file__).parents[1] / "build"


class Contender(NamedTuple):
    """Hold a server's name, its environment under `.venv/`, and its command, in which `PORT` stands for the port.

    `variables` are added to its process environment.
    """

    name: str
    environment: str
    command: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()

    @contextmanager
    def start(self, port: int) -> Iterator[ServerProcess]:
        """Run the server while the block runs. It is not ready yet."""
        programs = ENVIRONMENTS / self.environment / "bin"
        program, *arguments = [str(port) if word == "PORT" else word for word in self.command]
        variables = clean_environment(
            BENCH_FORMS=str(BUILD),
            BENTOML_DO_NOT_TRACK="1",
            TF_CPP_MIN_LOG_LEVEL="2",
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            **dict(self.variables),
        )
        with tempfile.TemporaryDirectory() as folder:
            server = ServerProcess([str(programs / program), *arguments], Path(folder) / "log", variables, PEERS)
            try:
                yield server
            finally:
                strays = _descendants(server.process.pid)  # BentoML's workers leave the session
                server.kill()
                for process in strays:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    """Return the child processes of a process, and their children."""
    command = ["ps", "-eo", "pid=,ppid="]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    children = [(int(child), int(parent)) for child, parent in map(str.split, rows)]
    found = [process]
    for parent in found:
        found += [child for child, of in children if of == parent]
    return found[1:]


def _function(name: str, environment: str, source: Path, target: str = "classify") -> Contender:
    command = ("functions-framework", "--source", str(source), "--target", target, "--host", "127.0.0.1")
    return Contender(name, environment, (*command, "--port", "PORT"))


OURS = _function("this function", "serve", MAIN, "classify_http")
# One process per core, as for LitServe, BentoML and FastAPI below. Two threads: one computes while one reads or writes.
OURS_PER_CORE = OURS._replace(variables=(("WORKERS", "2"), ("THREADS", "2")))
BARE = _function("decode and run alone", "serve", PEERS / "bare_function.py")._replace(
    variables=OURS_PER_CORE.variables
)
HELLO = _function("empty hello function", "serve", PEERS / "hello_function.py")
PLAIN = _function("Pillow's whole decode, float model", "serve", PEERS / "float_function.py")
TENSORFLOW = _function("TensorFlow SavedModel", "export", PEERS / "tensorflow_function.py")
LITERT = _function("LiteRT", "bench-litert", PEERS / "litert_function.py")
FASTAPI = Contender(
    "FastAPI and onnxruntime",
    "bench-fastapi",
    ("uvicorn", "fastapi_service:app", "--host", "127.0.0.1", "--port", "PORT", "--workers", "2", "--no-access-log"),
)
LITSERVE = Contender("LitServe", "bench-litserve", ("python", "litserve_service.py", "PORT"))
BENTOML = Contender(
    "BentoML", "bench-bentoml", ("bentoml", "serve", "bentoml_service:Flowers", "--host", "127.0.0.1", "--port", "PORT")
)
