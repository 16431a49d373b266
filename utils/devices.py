"""What a run computes on."""

import os
from math import ceil, inf
from pathlib import Path

import psutil
import torch

from utils.errors import UserError

MANY_STEPS = 256
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def choose_device(name: str | None) -> str:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        known = device.type == "cpu" or (
            device.type == "cuda" and (device.index or 0) < torch.cuda.device_count()
        )
    except RuntimeError:
        known = False
    if not known:
        raise UserError(f"there is no device {name!r} here; give --device cpu")
    return str(device)


def prepare(device: torch.device, threads: int) -> None:
    """Set PyTorch up for a device and so many CPU threads."""
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)
        # TF32: products of float32 round their inputs to 10 bits, as convolutions do anyway.
        torch.set_float32_matmul_precision("high")


def default_threads(batch_size: int) -> int:
    """One for small minibatches, on which waiting for each other costs threads what they gain;
    else this rank's share of the cores."""
    if batch_size < MANY_STEPS:
        return 1
    return max(physical_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


def physical_cores(limit: Path = CGROUP_LIMIT) -> int:
    """The cores that this process may use, by its affinity and its cgroup's share of time;
    hyperthreads are counted once, as far as the machine tells."""
    logical = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    threads_a_core = max(logical // (psutil.cpu_count(logical=False) or logical), 1)
    cores = allowed // threads_a_core
    return max(ceil(min(cores, _cgroup_share(limit))), 1)


def _cgroup_share(limit: Path) -> float:
    """How many processors' time the control group grants; infinity if it sets no limit."""
    try:
        quota, period = limit.read_text().split()
        return inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return inf
