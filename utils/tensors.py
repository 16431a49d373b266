"""Tensors by name that share their first dimension: an observation, an actor's state, a minibatch.

They are plain dictionaries. The package `tensordict` does the same and more, but takes as long to
import as PyTorch.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def each(work: Callable[..., Tensor], *sources: Mapping[str, Tensor]) -> Tensors:
    """Apply a function name by name."""
    return {name: work(*(source[name] for source in sources)) for name in sources[0]}


def rows(tensors: Mapping[str, Tensor], index: Tensor) -> Tensors:
    """These rows of each tensor."""
    return each(lambda tensor: tensor[index], tensors)


def put(target: Tensors, index: Tensor, values: Mapping[str, Tensor]) -> None:
    """Overwrite these rows of each tensor in place."""
    for name, tensor in target.items():
        tensor[index] = values[name]


def copy(target: Tensors, values: Mapping[str, Tensor]) -> None:
    """Overwrite each tensor in place."""
    for name, tensor in target.items():
        tensor.copy_(values[name])


def choose(mask: Tensor, new: Mapping[str, Tensor], old: Mapping[str, Tensor]) -> Tensors:
    """The rows of `new` where the mask (N,) bool is set, and the rows of `old` elsewhere."""

    def chosen(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *[1] * (new.dim() - 1)), new, old)

    return each(chosen, new, old)


def join(parts: Sequence[Mapping[str, Tensor]]) -> Tensors:
    """Concatenate along the first dimension."""
    return each(lambda *tensors: torch.cat(tensors), *parts)


def move(tensors: Mapping[str, Tensor], device: torch.device) -> Tensors:
    return each(lambda tensor: tensor.to(device), tensors)


@lru_cache
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Values (N,) that never change, on a device. They are copied there once, since the host waits
    for each copy to an accelerator. Do not write to the tensor: all callers share it."""
    return torch.tensor(values, dtype=dtype, device=device)


def count(tensors: Mapping[str, Tensor]) -> int:
    """The number of rows."""
    return len(next(iter(tensors.values())))


def changes(*tensors: Tensor) -> tuple[Tensor, Tensor]:
    """Where rows begin that differ from the row before in one of these tensors (S, ...), (S,) bool;
    and the place of each row among these, (S,) int64."""
    new = torch.ones(len(tensors[0]), dtype=torch.bool, device=tensors[0].device)
    new[1:] = False
    for tensor in tensors:
        new[1:] |= (tensor[1:] != tensor[:-1]).flatten(1).any(1)
    return new, new.cumsum(0) - 1


def under(group: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The same tensors under names `group/name`."""
    return {f"{group}/{name}": tensor for name, tensor in tensors.items()}


def group(name: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The tensors of a group that `under` made, under their own names."""
    prefix = f"{name}/"
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in tensors.items()
        if key.startswith(prefix)
    }
