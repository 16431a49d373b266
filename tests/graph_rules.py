"""What a CUDA graph cannot hold: the one list of it.

Shapes that change are an error of `Graphed` itself.
"""

from typing import Any

import torch

ops = torch.ops.aten
INDEXING = {
    ops.index.Tensor,
    ops.index_put.default,
    ops.index_put_.default,
    ops._index_put_impl_.default,
}
COPIES = {ops._to_copy.default, ops.copy_.default}
LOOKS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}

UNKNOWN = "it draws from a generator that the graph does not know"


def looks_at_values(operation: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether an operation's result, or its size, depends on values that only the device knows."""
    if operation is ops.repeat_interleave.Tensor:
        return kwargs.get("output_size") is None
    if operation in INDEXING:
        return any(index is not None and index.dtype == torch.bool for index in args[1])
    return bool(LOOKS & set(operation.tags))


def refusal(operation: Any, args: Any, kwargs: dict[str, Any], crosses: bool) -> str | None:
    """Why a graph cannot hold an operation, or None.

    `crosses` says whether it makes a tensor on the host, or copies one from or to it.
    """
    if looks_at_values(operation, args, kwargs):
        return "the host waits for a value"
    if crosses:
        return "a tensor on the host is made or copied"
    draws = torch.Tag.nondeterministic_seeded in operation.tags
    return UNKNOWN if draws and kwargs.get("generator") is None else None
