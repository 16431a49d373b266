"""Tensors with names, handled as one: an observation, what an actor remembers, a minibatch.

They share their first dimension. Plain dictionaries: `tensordict` does the same and more, at under
1% of an iteration, but takes as long to import as PyTorch.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def each(work: Callable[..., Tensor], *sources: Mapping[str, Tensor]) -> Tensors:
    """A function of tensors, applied name by name."""
    return {name: work(*(source[name] for source in sources)) for name in sources[0]}


def rows(tensors: Mapping[str, Tensor], index: Tensor) -> Tensors:
    """These rows of each."""
    return each(lambda tensor: tensor[index], tensors)


def put(target: Tensors, index: Tensor, values: Mapping[str, Tensor]) -> None:
    """Overwrite these rows of each, in place."""
    for name, tensor in target.items():
        tensor[index] = values[name]


def copy(target: Tensors, values: Mapping[str, Tensor]) -> None:
    """Overwrite each, in place."""
    for name, tensor in target.items():
        tensor.copy_(values[name])


def join(parts: Sequence[Mapping[str, Tensor]]) -> Tensors:
    """One after another along the first dimension."""
    return each(lambda *tensors: torch.cat(tensors), *parts)


def move(tensors: Mapping[str, Tensor], device: torch.device) -> Tensors:
    return each(lambda tensor: tensor.to(device), tensors)


def count(tensors: Mapping[str, Tensor]) -> int:
    """How many rows they have."""
    return len(next(iter(tensors.values())))


def under(group: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The same by names that say to which group they belong."""
    return {f"{group}/{name}": tensor for name, tensor in tensors.items()}


def group(name: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """What `under` has put into a group, by its own names."""
    prefix = f"{name}/"
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in tensors.items()
        if key.startswith(prefix)
    }
