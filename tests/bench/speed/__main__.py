"""`make bench`: measures every row of the table side by side, prints it and writes it to RESULTS.md with a chart.

`make bench ONLY=cold,int8` measures some groups and prints them only.
"""

import os
import sys
import time

from tqdm import tqdm

from .report import FOLDER, table, write
from .rows import GROUPS

CORES = 2


def main(only: str) -> int:
    """Runs the groups named in `only` (all where it is empty); 1 where a bound is missed."""
    names = only.split(",") if only else list(GROUPS)
    if unknown := set(names) - set(GROUPS):
        sys.exit(f"ONLY={only}: there is no {', '.join(unknown)}; the groups are {', '.join(GROUPS)}")
    load, started = os.getloadavg()[0], time.monotonic()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # servers inherit it
    rows = []
    for name in tqdm(names, desc="make bench", unit="group"):
        rows += GROUPS[name]()
    print(table(rows))
    if not only:
        write(rows, load, (time.monotonic() - started) / 60)
        print(f"written to {FOLDER / 'RESULTS.md'}")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(os.environ.get("ONLY", "")))
