"""What a student needs to know of its teacher."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Labels(Protocol):
    """The teacher's word on S steps.

    `distribution` (S, A) over actions, a row of zeros where there is no label, which `answered`
    (S,) bool tells; `answers`, one a distinct scene, None where there is none.
    """

    @property
    def distribution(self) -> Tensor: ...

    @property
    def answered(self) -> Tensor: ...

    @property
    def answers(self) -> Sequence[object | None]: ...


class Teacher(Protocol):
    """Whoever labels the steps of whole episodes."""

    def label(self, obs: Tensor, starts: Tensor, generator: torch.Generator) -> Labels: ...

    def counts(self) -> dict[str, float]: ...

    def news(self) -> dict[str, dict[str, float]]: ...
