"""Ranks: the processes that train one student together, as `torchrun` starts them."""

import atexit
import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module

import torch
import torch.distributed as dist
from torch import Tensor

from utils.errors import UserError

PATIENCE = timedelta(hours=6)
"""How long a rank waits for the others. The first may wait for an LLM; a rank that dies closes its
connections, which the others notice at once."""
# The words of a failed exchange between ranks. DDP's backward pass may fail in other ways too, and
# gloo raises a bare RuntimeError.
MEETING = re.compile(r"gloo|NCCL|Connection (?:closed|reset|refused)|Broken pipe|Timed out waiting")


@contextmanager
def together() -> Iterator[None]:
    """Around an exchange between ranks: UserError if a rank is gone; other errors pass."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not MEETING.search(str(error)):
            raise
        raise UserError(
            "another rank has died, or cannot be reached; the run goes on from its last "
            f"checkpoint with --resume ({_line(error)})"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _leave() -> None:
    """End the threads that talk to the other ranks. One that still frees the tensors of the last
    exchange while Python ends would abort this process."""
    dist.destroy_process_group()
    gc.collect()  # DDP's reference cycles hold the group, too.


class Ranks:
    """This process among those that train together; there may be just one.

    All ranks must call `sum`, `join`, `least`, `any` and `from_lead`, in the same order. If a rank
    has died, the others get a UserError.
    """

    def __init__(self) -> None:
        """Connect to the other ranks, if torchrun's environment variables name any."""
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.number = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not dist.is_initialized():
            # DDP loads it. Its functions have the group as a default, so that it would never end.
            import_module("torch.distributed.nn")
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            try:
                dist.init_process_group(backend, timeout=PATIENCE)
            except (ValueError, RuntimeError) as error:
                raise UserError(
                    f"cannot meet the other ranks; start them with torchrun ({_line(error)})"
                ) from error
            atexit.register(_leave)

    @property
    def lead(self) -> bool:
        """Whether this rank writes, evaluates and prints."""
        return self.number == 0

    def place(self, device: str) -> torch.device:
        """This rank's own device: each rank has one GPU of its machine."""
        if self.count > 1 and device.startswith("cuda:"):
            raise UserError(f"--device {device}: each rank needs a GPU of its own; give cuda")
        if device != "cuda" or self.count == 1:
            return torch.device(device)
        if "LOCAL_RANK" not in os.environ:
            raise UserError("LOCAL_RANK must say which GPU is this rank's; torchrun sets it")
        number, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= there:
            raise UserError(f"there are more ranks here than GPUs ({there})")
        return torch.device("cuda", number)

    def share(self, total: int) -> range:
        """This rank's share of `total` numbered things."""
        return range(self.number * total // self.count, (self.number + 1) * total // self.count)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all ranks of tensors of the same shape."""
        return self._reduce(tensor, dist.ReduceOp.SUM)

    def join(self, own: Tensor, total: int) -> Tensor:
        """The rows of all ranks, (total, ...) on the CPU; each rank passes its share of them."""
        share, own = self.share(total), own.cpu()
        # Ranks cannot add bits.
        numbers = own.byte() if own.dtype == torch.bool else own
        whole = numbers.new_zeros(total, *numbers.shape[1:])
        whole[share.start : share.stop] = numbers
        return self.sum(whole).to(own.dtype)

    def least(self, number: int) -> int:
        """The smallest of the ranks' numbers."""
        return int(self._reduce(torch.tensor(number), dist.ReduceOp.MIN))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return self.least(-int(flag)) < 0

    def from_lead(self, text: str) -> str:
        """The text of the first rank; the other ranks may pass anything."""
        if self.count == 1:
            return text
        size = self.least(len(text.encode()) if self.lead else 2**62)
        content = torch.zeros(size, dtype=torch.uint8)
        if self.lead:
            content = torch.tensor(list(text.encode()), dtype=torch.uint8)
        return bytes(self.sum(content).tolist()).decode()

    def _reduce(self, tensor: Tensor, how: dist.ReduceOp.RedOpType) -> Tensor:
        if self.count == 1:
            return tensor
        result = tensor.clone()
        with together():
            dist.all_reduce(result, how)
        return result
