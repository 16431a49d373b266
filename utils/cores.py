"""The number of CPU cores and threads to use."""

import os
from math import ceil, inf
from pathlib import Path

import psutil

MANY_STEPS = 256
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def default_threads(batch_size: int) -> int:
    """1 for small minibatches, where threads cost as much as they gain; else this rank's share of
    the cores."""
    if batch_size < MANY_STEPS:
        return 1
    return max(physical_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


def physical_cores(limit: Path = CGROUP_LIMIT) -> int:
    """The cores that this process may use, by its affinity and its control group's share of time.
    Hyperthreads count once if the machine tells them apart."""
    logical = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    threads_a_core = max(logical // (psutil.cpu_count(logical=False) or logical), 1)
    cores = allowed // threads_a_core
    return max(ceil(min(cores, _cgroup_share(limit))), 1)


def _cgroup_share(limit: Path) -> float:
    """The number of processors that the control group grants; infinity without a limit."""
    try:
        quota, period = limit.read_text().split()
        return inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return inf
