"""Load a function with photographs of several sizes, at a steady, rising or sudden rate.

python -m tests.bench.load                                # starts a function, sized as one instance of infra/
python -m tests.bench.load --url http://localhost:8080    # `make serve`
ID_TOKEN=$(gcloud auth print-identity-token) python -m tests.bench.load --url https://… --peak 500

Exit with 1 if the function answers anything but 2xx, 429 and 503, or does not recover within seconds.
"""

# Imported first: locust makes the standard library's sockets cooperative.
import locust  # isort: skip
import argparse
import logging
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
from tests.bench.machine import machine
from tests.bench.photos import Size, photos
from tests.smoke import photo_headers

_OUT = Path(__file__).parents[1] / "build"
_TICK_SECONDS = 1.0
_TOKEN_SECONDS = 1800.0

logging.getLogger("locust.runners").setLevel(logging.ERROR)  # it warns of each jump in the load


class _Photographer:
    """Choose photos of all sizes in their shares, with headers whose token is fresh."""

    def __init__(self, url: str) -> None:
        self.files = photos()
        self._url = url
        self._headers: tuple[float, dict[str, str]] | None = None
        self.random = random.Random(1)  # noqa: S311  # the same photos in each run

    def next(self) -> tuple[Size, bytes, dict[str, str]]:
        """Return a photo's size, its bytes, and the headers of a request with it."""
        if self._headers is None or time.monotonic() - self._headers[0] > _TOKEN_SECONDS:
            self._headers = time.monotonic(), photo_headers(self._url)
        (size,) = self.random.choices(list(self.files), [size.share for size in self.files])
        return size, self.random.choice(self.files[size]), self._headers[1]


def _visitor(photographer: _Photographer, timeout: float) -> type[locust.HttpUser]:
    """Return a locust user who sends one photo a second on average and waits up to `timeout` seconds for its answer."""

    class Visitor(locust.HttpUser):
        next_photo = 0.0

        def wait_time(self) -> float:
            """Return the seconds until the next photo: 0 if the last answer came too late for it."""
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
    """Return the plan in locust's terms."""

    class Shape(locust.LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            offered = plan.offered(self.get_run_time())
            return None if offered is None else (max(1, round(offered)), 1000.0)

    return Shape()


def _keep(samples: list[Sample], environment: Environment, started: float) -> None:
    """Add a sample for each request that ends."""

    def add(name: str, response_time: float, start_time: float, response: Any, exception: Any, **_: Any) -> None:
        status = getattr(response, "status_code", 0) or 0
        error = "" if exception is None else type(exception).__name__
        samples.append(Sample(start_time - started, response_time / 1000, status, name, error))

    environment.events.request.add_listener(add)


def _processes_behind(url: str) -> list[int]:
    """Return the processes on this machine that listen at `url`, if they belong to this user."""
    address = urlsplit(url)
    if address.hostname not in ("localhost", "127.0.0.1"):
        return []
    with suppress(psutil.AccessDenied):
        found = psutil.net_connections("tcp")
        listening = [each for each in found if each.status == psutil.CONN_LISTEN and each.laddr.port == address.port]
        return list({each.pid for each in listening if each.pid})
    return []


def _watch(samples: list[Sample], memory: list[tuple[float, float]], url: str, started: float) -> None:
    """Record the memory of a local server each second, and print progress every ten."""
    processes, second = _processes_behind(url), 0
    while True:
        if processes:
            memory.append((time.time() - started, memory_mib(processes)))
        if second % 10 == 0:
            refused = sum(not sample.answered for sample in samples)
            held = f", {memory[-1][1]:.0f} MiB" if memory else ""
            print(f"{second:5} s  {len(samples)} answers, {refused} of them without a result{held}", flush=True)
        second += 1
        gevent.sleep(max(0.0, started + second * _TICK_SECONDS - time.time()))


def load(url: str, plan: Plan, timeout: float) -> tuple[list[Sample], list[tuple[float, float]]]:
    """Run a plan against the function at `url`. Return its samples, and (second, MiB) of a server on this machine."""
    url = url.rstrip("/")
    photographer = _Photographer(url)
    environment = Environment(
        user_classes=[_visitor(photographer, timeout)],
        shape_class=_shape(plan),
        host=url,
        stop_timeout=timeout,  # a leaving user waits for its answer
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
    """Yield the address and the name of the function to load: the one at `url`, or a new one on this machine."""
    if url:
        yield url, url
        return
    cpu, threads = float(deployed("http")["cpu"]), int(deployed("http")["concurrency"])
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", threads, cpu) as (address, _):
        yield address, f"a new function on this machine with {cpu:g} cpu and {threads} threads, as in infra/"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.load",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    timeout = float(deployed("http")["timeout_seconds"])
    parser.add_argument("--url", help="the function's address; without it, a new one starts on this machine")
    parser.add_argument("--profile", choices=PROFILES, default="all", help="the phases of the load")
    parser.add_argument("--rate", type=float, default=10, help="steady requests per second")
    parser.add_argument("--peak", type=float, default=200, help="requests per second at the peak")
    parser.add_argument("--scale", type=float, default=1, help="factor on the length of all phases but a soak")
    parser.add_argument("--minutes", type=float, default=30, help="minutes of a soak")
    parser.add_argument("--timeout", type=float, default=timeout, help="seconds per request")
    parser.add_argument("--out", type=Path, default=_OUT, help="folder of the report")
    arguments = parser.parse_args()
    chosen = plan(arguments.profile, arguments.rate, arguments.peak, arguments.scale, arguments.minutes)
    begun = datetime.now(UTC)
    with _target(arguments.url) as (url, name):
        print(f"{chosen.seconds:.0f} s of {arguments.profile} at {name}", flush=True)
        samples, memory = load(url, chosen, arguments.timeout)
    run = Run(
        name,
        f"{begun:%Y-%m-%d %H:%M} UTC",
        f"{machine()}, locust {locust.__version__}",
        chosen,
        tuple(samples),
        tuple(memory),
    )
    print(write_report(run, arguments.out))
    if found := faults(samples, chosen):
        sys.exit("FAILED: " + ". ".join(found))
    print("PASSED: only results, 429 and 503, and recovery in time")


if __name__ == "__main__":
    main()
