"""The device and the threads of a run."""

import torch

from utils.errors import UserError

KINDS = ("cpu", "cuda")
"""The kinds of devices that the project runs on."""

FEW = 2**16
"""Rows of which it is not worth to find those that need work."""


def choose_device(name: str | None) -> str:
    """The device of this name, or a GPU if there is one. UserError if there is no such device."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        known = device.type in KINDS and (
            (device.index or 0) < torch.get_device_module(device).device_count()
        )
    except RuntimeError:
        known = False
    if not known:
        raise UserError(f"there is no device {name!r} here; give --device cpu")
    return str(device)


def asynchronous(device: torch.device) -> bool:
    """Whether the device works on while the host goes ahead, so that reading a value waits."""
    return device.type != "cpu"


def takes_all(device: torch.device, count: int) -> bool:
    """Whether work is done for all of `count` rows, although only some need it: the host would wait
    for an accelerator to tell which, and little work takes less time than that."""
    return asynchronous(device) and count <= FEW


def prepare(device: torch.device, threads: int) -> None:
    """Set PyTorch up for a device and a number of CPU threads."""
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)
        # TF32: products of float32 round their inputs to 10 bits, as convolutions do anyway.
        torch.set_float32_matmul_precision("high")
