"""The device and the threads of a run."""

import torch

from utils.errors import UserError


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
    """Set PyTorch up for a device and a number of CPU threads."""
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)
        # TF32: products of float32 round their inputs to 10 bits, as convolutions do anyway.
        torch.set_float32_matmul_precision("high")
