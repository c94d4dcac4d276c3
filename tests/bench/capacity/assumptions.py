"""Hold every assumption of the capacity planning, each with its reason or source.

Measurements are in `measured.json`, prices in `prices.json`, a user's own numbers in `Workload`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PRICE_LIST = HERE / "prices.json"
Prices = Mapping[str, float]

DAY_SECONDS = 86_400
DAYS_PER_MONTH = 365 / 12
HOURS_PER_MONTH = 730
GIB, TIB = 2**30, 2**40

# Cloud Run adds instances above this share of CPU and of concurrency
# (https://cloud.google.com/run/docs/about-instance-autoscaling).
TARGET = 0.6
# Billed time is rounded up to this step (https://cloud.google.com/run/pricing).
BILLED_STEP_SECONDS = 0.1
# Minimum CPU and the largest memory (GiB) that Cloud Run allows for it
# (https://cloud.google.com/run/docs/configuring/services/cpu), and the sizes that infra/ accepts.
MAX_MEMORY_GIB = ((0.08, 0.5), (0.5, 1.0), (1, 4.0), (2, 8.0))
MEMORY_GIB = (0.5, 1.0, 2.0, 4.0, 8.0)
# Cloud Run places a container before its process starts. Guessed: this needs the cloud.
PLACING_SECONDS = 1.0
# One call to Cloud Storage in its own region. Guessed: this needs the cloud.
STORAGE_CALL_SECONDS = 0.05
# An upload looks up its result, reads the image and writes the result.
STORAGE_CALLS = 3
# The longest such a call is retried, with the last attempt's timeout (function/flowers/cloud/storage.py).
LONGEST_CALL_SECONDS = 28.0
# MAX_IMAGE_BYTES, and the wait for free memory (function/flowers/imaging/memory.py).
MAX_IMAGE_BYTES = 32 * 2**20
BUDGET_WAIT_SECONDS = 10.0
# The slowest uplink that a timeout still allows, as a share of the usual one.
SLOWEST_UPLINK = 1 / 4

# The share of requests at the peak that may find every slot taken.
MAX_WAITING_SHARE = 0.01
# The alert of infra/ (`memory_share`) fires above this share of an instance's memory.
MEMORY_SHARE = 0.9
# A 95th percentile does not show what happens to a smaller share of requests.
HIDDEN_SHARE = 0.05
# `max_instances` limits the bill, not the visitors: it allows this many times the expected peak.
HEADROOM = 4

# Volumes are compared at one peak, below the usual one: large traffic comes from more places and is more even.
SCALE_PEAK = 3
# The burst of the comparison, as a share of a day's images.
BURST_SHARE = 0.01

# An event as Pub/Sub bills it, with the object's full description.
EVENT_BYTES = 2_000
# What surrounds a log line, and Cloud Run's own log entry for each request.
LOG_ENTRY_BYTES, REQUEST_LOG_BYTES = 500, 1_000
# How busy a batch job, a Dataflow worker or a dedicated machine is.
BATCH_UTILIZATION = 0.9
# A job's task is billed for at least a minute (https://cloud.google.com/run/pricing).
MIN_TASK_SECONDS = 60.0
MACHINE_CPUS = 2
WORKER_GB_PER_CPU = 4.0
# A bucket's initial writes and reads per second. Both may double every 20 minutes
# (https://cloud.google.com/storage/docs/request-rate).
INITIAL_WRITES, INITIAL_READS, DOUBLING_MINUTES = 1_000, 5_000, 20
LISTING_PAGE = 1_000
# https://docs.cloud.google.com/bigquery/quotas
MAX_EXTERNAL_TABLE_FILES = 10_000_000


@dataclass(frozen=True)
class Workload:
    """Hold a user's numbers.

    `peak` is the busiest minute's rate divided by the day's average. `cold_share` is the share of requests that start
    an instance. `latency_ms` limits the 95th percentile, from the photo's arrival. `uplink_mbit` is how fast photos
    arrive over HTTPS. With `separate_results`, a result causes no second event.
    """

    images_per_day: float = 10_000
    peak: float = 50
    cold_share: float = 0.01
    latency_ms: float = 800
    megapixels: float = 12
    uplink_mbit: float = 20
    separate_results: bool = False

    @property
    def rate(self) -> float:
        """Return the average photos per second."""
        return self.images_per_day / DAY_SECONDS

    @property
    def images_per_month(self) -> float:
        """Return the photos per month."""
        return self.images_per_day * DAYS_PER_MONTH


def read_prices(own: Path | None = None) -> Prices:
    """Return the list prices, overridden by those in a user's file: `{"prices": {name: dollars}}`.

    Raise `ValueError` for a name that is not in the list.
    """
    prices = {name: float(price[0]) for name, price in json.loads(PRICE_LIST.read_text())["prices"].items()}
    overrides = json.loads(own.read_text(encoding="utf-8"))["prices"] if own else {}
    if unknown := overrides.keys() - prices.keys():
        raise ValueError(f"{own}: unknown price {', '.join(sorted(unknown))}; known are {', '.join(prices)}")
    return prices | {name: float(dollars) for name, dollars in overrides.items()}
