"""What a CUDA graph does with work, done on the CPU."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.gpu_rules import looks_at_values


class Recording(TorchDispatchMode):
    """Notes operations, with the tensors that they took and made; one whose shape or course
    depends on values fails."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        looks = looks_at_values(func, args, kwargs or {})
        assert not looks, f"{func} looks at values"
        made = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, made))
        return made


class Replayed:
    """Runs `work` at the first call alone; from then on its operations, on the same tensors."""

    def __init__(self, work: Callable[..., dict[str, Tensor]]) -> None:
        self.work = work
        self.recording = Recording()
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] | None = None

    def __call__(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.outputs is None:
            self.inputs = {name: tensor.clone() for name, tensor in inputs.items()}
            with self.recording:
                self.outputs = self.work(self.inputs)
            return self.outputs
        for name, tensor in inputs.items():
            self.inputs[name].copy_(tensor)
        with torch.no_grad():
            for func, args, kwargs, made in self.recording.operations:
                again = func(*args, **kwargs)
                if any(result.alias_info for result in func._schema.returns):
                    continue
                for old, new in zip(tree_leaves(made), tree_leaves(again), strict=True):
                    if isinstance(old, Tensor):
                        old.copy_(new)
        return self.outputs
