"""Recommend an instance size for your numbers, with its cost per month and per thousand photos.

make capacity IMAGES_PER_DAY=50000 PEAK=20 COLD_SHARE=0.02 LATENCY_MS=500 MEGAPIXELS=3 UPLINK_MBIT=50 PRICES=mine.json
make capacity WRITE=1       # renew the tables of infra/SCALE.md
make capacity MEASURE=1     # measure this machine anew first (10 minutes), then renew the tables
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.bench.capacity.assumptions import PRICE_LIST, Workload, read_prices
from tests.bench.capacity.report import report
from tests.bench.capacity.scale import DOCUMENT, with_tables

_NUMBERS = {
    "images_per_day": "photos per day",
    "peak": "rate in the busiest minute, divided by the day's average",
    "cold_share": "share of requests that start an instance, 0 to 1",
    "latency_ms": "limit for the 95th percentile, milliseconds from the photo's arrival",
    "megapixels": "size of a photo",
    "uplink_mbit": "how fast photos arrive, Mbit/s",
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.capacity", description=(__doc__ or "").partition("\n")[0]
    )
    usual = Workload()
    for name, help_ in _NUMBERS.items():
        value = getattr(usual, name)
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=float, default=value, help=f"{help_} (default: {value:g})")
    parser.add_argument("--prices", type=Path, help=f"JSON file with your own prices, named as in {PRICE_LIST.name}")
    parser.add_argument("--write", action="store_true", help=f"renew the tables of {DOCUMENT.name}")
    parser.add_argument("--measure", action="store_true", help="measure this machine anew first")
    arguments = parser.parse_args()
    workload = Workload(**{name: getattr(arguments, name) for name in _NUMBERS})
    positive = (workload.images_per_day, workload.latency_ms, workload.megapixels, workload.uplink_mbit)
    if min(positive) <= 0 or workload.peak < 1 or not 0 <= workload.cold_share <= 1:
        parser.error("--peak must be at least 1, --cold-share from 0 to 1, every other number above 0")
    try:
        prices = read_prices(arguments.prices)
    except (OSError, KeyError, ValueError) as error:
        parser.error(f"--prices: cannot read {arguments.prices}: {error!r}")
    if arguments.measure:
        # The measurements are read at import.
        subprocess.run([sys.executable, "-m", "tests.bench.capacity.measure"], check=True)
        subprocess.run([sys.executable, "-m", "tests.bench.capacity", "--write"], check=True)
        return
    if arguments.write:
        DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    print(report(workload, prices))


if __name__ == "__main__":
    main()
