"""A share of the processor for a process, as Cloud Run gives one: a quota in each tenth of a second."""

import os
import time
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD_MICROSECONDS = 100_000


def limit_cpu(process: int, cpus: float) -> str:
    """Limits a process and those it starts from now on to `cpus` processors; returns how.

    By a control group where this user may make one (version 2 or 1); else by affinity, which knows whole processors
    only. Raises `OSError` where neither can be done.
    """
    if cpus >= (os.cpu_count() or 1):
        return "all processors"
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
            raise OSError(f"cannot limit a process to {cpus} processors here: {error}") from error
        os.sched_setaffinity(process, set(range(int(cpus))))
        return "affinity"


def remove_limit(process: int) -> None:
    """Removes the control group of a process that has ended, if there is one."""
    for folder in (_CGROUPS / f"flowers-{process}", _CGROUPS / "cpu" / f"flowers-{process}"):
        deadline = time.monotonic() + 5
        while folder.exists() and time.monotonic() < deadline:
            with suppress(OSError):  # the kernel still counts who has just ended
                folder.rmdir()
            time.sleep(0.05)
