"""Measure every row of the table three times, print it and write it to RESULTS.md with a chart: `make bench`.

`make bench ONLY=cold,int8` measures some groups and only prints them. Bounds are reported: none fails the run.
"""

import os
import sys
import time

from tqdm import tqdm

from tests.support.paths import FLOWERS102

from .report import FOLDER, write
from .row import RUNS, Row, combined, table
from .rows import GROUPS

CORES = 2


def main(only: str) -> None:
    """Run the groups named in `only`, or all of them."""
    names = only.split(",") if only else list(GROUPS)
    if unknown := set(names) - set(GROUPS):
        sys.exit(f"ONLY={only}: unknown group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    if not FLOWERS102.exists():
        sys.exit(f"{FLOWERS102} does not exist: the measurements need the data set, see export/")
    load, started = os.getloadavg()[0], time.monotonic()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # servers inherit it
    runs: list[list[Row]] = []
    with tqdm(total=RUNS * len(names), desc="make bench", unit="group") as bar:
        for _ in range(RUNS):
            runs.append([])
            for name in names:
                runs[-1] += GROUPS[name]()
                bar.update()
    rows = [combined(same) for same in zip(*runs, strict=True)]
    print(table(rows))
    if not only:
        write(rows, load, (time.monotonic() - started) / 60)
        print(f"written to {FOLDER / 'RESULTS.md'}")


if __name__ == "__main__":
    main(os.environ.get("ONLY", ""))
