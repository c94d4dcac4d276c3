"""Limit a process to a share of the CPU as Cloud Run does: by a quota for each tenth of a second."""

import os
import time
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD_MICROSECONDS = 100_000


def limit_cpu(process: int, cpus: float) -> str:
    """Limit a process and its future children to `cpus` CPUs. Return how.

    Use a control group (version 2 or 1) if this user may create one, else affinity, which only knows whole CPUs.
    Raise `OSError` if neither works.
    """
    if cpus >= (os.cpu_count() or 1):
        return "all CPUs"
    quota, group = int(cpus * _PERIOD_MICROSECONDS), f"flowers-{process}"
    try:
        if (_CGROUPS / "cgroup.controllers").exists():
            folder, limits = _CGROUPS / group, {"cpu.max": f"{quota} {_PERIOD_MICROSECONDS}"}
        else:
            folder, limits = _CGROUPS / "cpu" / group, {"cpu.cfs_quota_us": str(quota)}
        folder.mkdir()
        for name, value in {**limits, "cgroup.procs": str(process)}.items():
            (folder / name).write_text(value)
        return "a control group's quota"
    except OSError as error:
        if cpus < 1 or not hasattr(os, "sched_setaffinity"):
            raise OSError(f"cannot limit a process to {cpus} CPUs: {error}. Run as root, or with whole CPUs") from error
        os.sched_setaffinity(process, set(range(int(cpus))))
        return "affinity"


def remove_limit(process: int) -> None:
    """Remove the control group of a process that has ended, if there is one."""
    for folder in (_CGROUPS / f"flowers-{process}", _CGROUPS / "cpu" / f"flowers-{process}"):
        deadline = time.monotonic() + 5
        while folder.exists() and time.monotonic() < deadline:
            with suppress(OSError):  # the kernel still counts a process that has just ended
                folder.rmdir()
            time.sleep(0.05)
