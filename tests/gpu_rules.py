"""What a GPU waits for or refuses, and what a CUDA graph cannot hold: the one list of it.

Shapes that change are an error of `Graphed` itself.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

ops = torch.ops.aten
INDEXING = {
    ops.index.Tensor,
    ops.index_put.default,
    ops.index_put_.default,
    ops._index_put_impl_.default,
}
COPIES = {ops._to_copy.default, ops.copy_.default}
FROM_HOST = {ops._pack_padded_sequence.default}
"""Operations of which the second argument and the second result lie on the CPU."""
LOOKS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
CHECKS = {ops.multinomial.default}
"""Operations that check the values they get; a GPU's kernel does not show that by a tag."""
NUMBERS = {
    *INDEXING,
    ops.fill_.Tensor,
    ops.masked_fill.Tensor,
    ops.masked_fill_.Tensor,
}
"""Operations that take single numbers of the CPU, besides those that work number by number."""
PRODUCTS = {
    ops.mm.default,
    ops.addmm.default,
    ops.bmm.default,
    ops.baddbmm.default,
    ops.mv.default,
    ops.convolution.default,
}
"""Operations that a GPU lacks for integers."""

UNKNOWN = "it draws from a generator that the graph does not know"


def looks_at_values(operation: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether an operation's result, or its size, depends on values that only the device knows."""
    if operation is ops.repeat_interleave.Tensor:
        return kwargs.get("output_size") is None
    if operation in INDEXING:
        return any(index is not None and index.dtype == torch.bool for index in args[1])
    return operation in CHECKS or bool(LOOKS & set(operation.tags))


def faults(operation: Any, args: Any, kwargs: dict[str, Any]) -> Iterator[str]:
    """Why a GPU refuses an operation on tensors of which one at least is its own."""
    indexed = operation in INDEXING and not _is_here(args[0])
    if indexed or operation in FROM_HOST:
        # The indices, or the lengths, may lie on the CPU.
        args = args[0], *args[2:]
    tensors = [*tensors_in((*args, *kwargs.values()))]
    here = [tensor for tensor in tensors if _is_here(tensor)]
    numbers = operation in NUMBERS or torch.Tag.pointwise in operation.tags
    writes_here = operation._schema.is_mutable and _is_here(tensors[0])
    if numbers and not writes_here:
        here = [tensor for tensor in here if tensor.dim()]
    if here and operation not in COPIES:
        shapes = [tuple(tensor.shape) for tensor in here]
        yield f"mixes the device with tensors {shapes} of the CPU"
    if operation in PRODUCTS and not all(tensor.is_floating_point() for tensor in tensors):
        yield "multiplies integers"


def is_sent(operation: Any, args: Any) -> bool:
    """Whether an operation on the device gets a tensor of the CPU and waits for its arrival."""
    if operation not in COPIES | INDEXING:
        return False
    sources = args[:1] if operation is ops._to_copy.default else args[1:]
    return any(map(_is_here, tensors_in(sources)))


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among an operation's arguments, also in lists of them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


def _is_here(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def refusal(operation: Any, args: Any, kwargs: dict[str, Any], crosses: bool) -> str | None:
    """Why a graph cannot hold an operation, or None.

    `crosses` says whether it works on the host, or copies a tensor from or to it.
    """
    if looks_at_values(operation, args, kwargs):
        return "the host waits for a value"
    if crosses and operation.namespace != "profiler":
        return "a replay would not repeat what is done on the host"
    draws = torch.Tag.nondeterministic_seeded in operation.tags
    return UNKNOWN if draws and kwargs.get("generator") is None else None
