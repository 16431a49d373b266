"""A check that work looks at no number on the way, as a CUDA graph must not."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Blindfold(TorchDispatchMode):
    """`with Blindfold(): …` fails at the first operation that depends on values otherwise
    than by its result's numbers."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        looks = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags)
        if func is torch.ops.aten.index.Tensor:
            looks = {index for index in args[1] if index is not None and index.dtype == torch.bool}
        assert not looks, f"{func} looks at values"
        return func(*args, **(kwargs or {}))


def looks(work: Callable[[], object]) -> bool:
    """Whether some work looks at values."""
    try:
        with Blindfold():
            work()
    except AssertionError:
        return True
    return False
