"""Load and stress: photographs of several sizes at a function, at a rate that rises, jumps or lasts.

python -m tests.bench.load                                # starts a function, sized as one instance of infra/
python -m tests.bench.load --url http://localhost:8080    # `make serve`
ID_TOKEN=$(gcloud auth print-identity-token) python -m tests.bench.load --url https://… --peak 500

Exits with 1 where the function did anything but answer, ask to come again (429, 503), and recover within seconds.
"""

# First of all: locust makes the standard library's sockets cooperative.
import locust  # isort: skip
import argparse
import logging
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import psutil
from locust.env import Environment

from tests.bench.deployed import deployed
from tests.bench.load.answers import Sample, faults
from tests.bench.load.plan import PROFILES, Plan, plan
from tests.bench.load.report import Run, write_report
from tests.bench.local_server import memory_mib, serving
from tests.bench.photos import Size, photos
from tests.smoke import photo_headers

_OUT = Path(__file__).parents[1] / "build"
_TICK_SECONDS = 1.0
_TOKEN_SECONDS = 1800.0

logging.getLogger("locust.runners").setLevel(logging.ERROR)  # it warns of each jump, and jumps are meant


class _Photographer:
    """Sends photos of all sizes in their shares, with a token that is not about to expire."""

    def __init__(self, url: str) -> None:
        self.files = photos()
        self._url = url
        self._headers: tuple[float, dict[str, str]] | None = None
        self.random = random.Random(1)  # noqa: S311  # the same photos in each run

    def next(self) -> tuple[Size, bytes, dict[str, str]]:
        """A photo's size, its bytes, and the headers of a request with it."""
        if self._headers is None or time.monotonic() - self._headers[0] > _TOKEN_SECONDS:
            self._headers = time.monotonic(), photo_headers(self._url)
        (size,) = self.random.choices(list(self.files), [size.share for size in self.files])
        return size, self.random.choice(self.files[size]), self._headers[1]


def _visitor(photographer: _Photographer, timeout: float) -> type[locust.HttpUser]:
    """A user who sends a photo a second, at random, and waits for the answer, `timeout` seconds at most."""

    class Visitor(locust.HttpUser):
        next_photo = 0.0

        def wait_time(self) -> float:
            """Seconds until the next photo; none where the last answer came too late for it, and nothing is made up."""
            now = time.monotonic()
            self.next_photo = max(now, (self.next_photo or now) + photographer.random.expovariate(1))
            return self.next_photo - now

        def on_start(self) -> None:
            gevent.sleep(self.wait_time())

        @locust.task
        def send(self) -> None:
            size, data, headers = photographer.next()
            self.client.post("/", data=data, headers=headers, name=size.name, timeout=timeout)

    return Visitor


def _shape(plan: Plan) -> locust.LoadTestShape:
    """The plan in locust's terms."""

    class Shape(locust.LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            offered = plan.offered(self.get_run_time())
            return None if offered is None else (max(1, round(offered)), 1000.0)

    return Shape()


def _keep(samples: list[Sample], environment: Environment, started: float) -> None:
    """Adds a sample for each request that ends."""

    def add(name: str, response_time: float, start_time: float, response: Any, exception: Any, **_: Any) -> None:
        status = getattr(response, "status_code", 0) or 0
        error = "" if exception is None else type(exception).__name__
        samples.append(Sample(start_time - started, response_time / 1000, status, name, error))

    environment.events.request.add_listener(add)


def _processes_behind(url: str) -> list[int]:
    """Return the processes on this machine that listen at `url`; none for another machine or user."""
    address = urlsplit(url)
    if address.hostname not in ("localhost", "127.0.0.1"):
        return []
    with suppress(psutil.AccessDenied):
        found = psutil.net_connections("tcp")
        listening = [each for each in found if each.status == psutil.CONN_LISTEN and each.laddr.port == address.port]
        return list({each.pid for each in listening if each.pid})
    return []


def _watch(samples: list[Sample], memory: list[tuple[float, float]], url: str, started: float) -> None:
    """Notes the memory of a local server each second, and says now and then how it goes."""
    processes, second = _processes_behind(url), 0
    while True:
        if processes:
            memory.append((time.time() - started, memory_mib(processes)))
        if second % 10 == 0:
            refused = sum(not sample.answered for sample in samples)
            held = f", {memory[-1][1]:.0f} MiB" if memory else ""
            print(f"{second:5} s  {len(samples)} answers, {refused} of them no result{held}", flush=True)
        second += 1
        gevent.sleep(max(0.0, started + second * _TICK_SECONDS - time.time()))


def load(url: str, plan: Plan, timeout: float) -> tuple[list[Sample], list[tuple[float, float]]]:
    """Carries out a plan against the function at `url`: its samples, and (second, MiB) of a server on this machine."""
    url = url.rstrip("/")
    photographer = _Photographer(url)
    environment = Environment(
        user_classes=[_visitor(photographer, timeout)],
        shape_class=_shape(plan),
        host=url,
        stop_timeout=timeout,  # who leaves waits for the answer: a request that is broken off says nothing
    )
    samples: list[Sample] = []
    memory: list[tuple[float, float]] = []
    runner = environment.create_local_runner()
    started = time.time()
    _keep(samples, environment, started)
    watcher = gevent.spawn(_watch, samples, memory, url, started)
    runner.start_shape()
    runner.shape_greenlet.join()
    runner.quit()
    watcher.kill()
    return samples, memory


@contextmanager
def _target(url: str | None) -> Iterator[tuple[str, str]]:
    """The function to load and what it is called: the one at `url`, or else one that is started here."""
    if url:
        yield url, url
        return
    cpu, threads = float(deployed("http")["cpu"]), int(deployed("http")["concurrency"])
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", threads, cpu) as (address, _):
        yield address, f"a function started here, {cpu:g} cpu and {threads} threads as deployed"


def _machine() -> str:
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"locust {locust.__version__}, psutil {psutil.__version__}"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", help="the function's address (default: one is started here)")
    parser.add_argument("--profile", choices=PROFILES, default="all", help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=10, help="steady requests a second (default: %(default)s)")
    parser.add_argument("--peak", type=float, default=200, help="most requests a second (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1, help="stretches all phases but a soak (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="of a soak (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=float(deployed("http")["timeout_seconds"]), help="seconds")
    parser.add_argument("--out", type=Path, default=_OUT, help="folder of the report (default: %(default)s)")
    arguments = parser.parse_args()
    chosen = plan(arguments.profile, arguments.rate, arguments.peak, arguments.scale, arguments.minutes)
    begun = datetime.now(UTC)
    with _target(arguments.url) as (url, name):
        print(f"{chosen.seconds:.0f} s of {arguments.profile} at {name}", flush=True)
        samples, memory = load(url, chosen, arguments.timeout)
    run = Run(name, f"{begun:%Y-%m-%d %H:%M} UTC", _machine(), chosen, tuple(samples), tuple(memory))
    print(write_report(run, arguments.out))
    if found := faults(samples, chosen):
        sys.exit("FAILED: " + ". ".join(found))
    print("PASSED: nothing but results, 429 and 503, and recovery in time")


if __name__ == "__main__":
    main()
