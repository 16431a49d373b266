"""Scenes: what an LLM is told, a text each, for a whole batch of observations at once."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from utils.tensors import Tensors


@dataclass
class Scenes:
    """The scenes of S observations: the `distinct` texts, and `index` (S,) int64 of each one's own.

    `memory` is what is remembered by then, such as where a thing was last seen, (S, ...) by name.
    """

    distinct: list[str]
    index: Tensor
    memory: Tensors


class Reader(Protocol):
    """Reads scenes off observations. What it remembers of N episodes is tensors of N rows."""

    def forget(self, count: int, device: torch.device) -> Tensors:
        """The memory of episodes that have not begun."""

    def read(self, obs: Tensors, memory: Tensors) -> Scenes:
        """One step of N episodes, with the memory before it: their scenes, with the new one."""

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        """Whole episodes, one after another; `starts` (S,) bool marks their first steps."""
