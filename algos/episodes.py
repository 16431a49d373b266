"""Collects rollouts of whole episodes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from algos.protocols import Play
from algos.rollout import Rollout
from utils import seeding
from utils.ranks import Ranks
from utils.tensors import Tensors
from utils.timing import Stopwatch


@dataclass
class Episodes:
    """A collector that plays batches of whole episodes, one in each environment.

    It plays until all ranks together have at least `least_episodes`, and this rank has enough steps
    for its learner: `least_steps` in `fold(rollout)`. `environments` is the number of all ranks
    together. `seed` is the run's.
    """

    play: Play
    fold: Callable[[Rollout], Rollout]
    seed: int
    environments: int
    least_episodes: int
    least_steps: int
    ranks: Ranks

    def collect(self, iteration: int, generator: torch.Generator, watch: Stopwatch) -> Rollout:
        """All episodes of a batch are kept: keeping those that finish first would favour short
        ones."""
        batches, steps, count = list[Rollout](), 0, self.environments
        own = self.ranks.share(count)
        while steps < self.least_steps or len(batches) * count < self.least_episodes:
            seeds = seeding.training_seeds(self.seed, iteration, len(batches), count)
            batches.append(self.play(seeds[own.start : own.stop], generator, watch))
            steps += len(self.fold(batches[-1]))
        return Rollout.join(batches)

    def state(self) -> Tensors:
        """Nothing: each rollout begins new episodes."""
        return {}

    def restore(self, state: Tensors) -> None:
        pass
