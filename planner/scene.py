"""Scenes: the texts that an LLM gets, for a whole batch of observations at once."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from utils.tensors import Tensors


@dataclass
class Scenes:
    """The scenes of S observations.

    `distinct` holds each text once; `index` (S,) int64 says which text each observation has.
    `memory` is the reader's memory at each observation, such as where a thing was last seen:
    tensors (S, ...) by name.
    """

    distinct: list[str]
    index: Tensor
    memory: Tensors


class Reader(Protocol):
    """Turns observations into scenes. Its memory of N episodes is tensors of N rows, by name."""

    def forget(self, count: int, device: torch.device) -> Tensors:
        """An empty memory, for `count` new episodes."""

    def read(self, obs: Tensors, memory: Tensors) -> Scenes:
        """One step of N episodes and the memory before it -> scenes with the new memory."""

    def remember(self, obs: Tensors, memory: Tensors) -> Tensors:
        """The memory that `read` gives, without any text: an accelerator need not be waited for."""

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        """Whole episodes in a row -> scenes. `starts` (S,) bool marks first steps."""
