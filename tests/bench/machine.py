"""Describe the machine that measures."""

import os
import platform
from pathlib import Path


def machine() -> str:
    """Return the processor, cores, memory, system and Python version in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{names[0] if names else platform.machine()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores used, "
        f"{memory:.0f} GiB, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
