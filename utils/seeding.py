"""Random numbers as a function of a run's seed and of a stream.

A stream is named by integers: its use, and often the iteration. So a run that was stopped continues
exactly as if it had not stopped.
"""

import numpy as np
import torch

WEIGHTS, ENVIRONMENTS, ACTIONS, TEACHER, MINIBATCHES, EVALUATION, VIDEO, TRIAL, VERDICT = range(9)

FIRST_TRAINING_SEED = 2**32
"""Training environments have seeds from here on; all evaluation seeds lie below."""

FIRST_TRIAL_SEED = 2**62 + FIRST_TRAINING_SEED
"""The teacher's trial has seeds from here on; training seeds lie below."""

FIRST_VERDICT_SEED = FIRST_TRIAL_SEED + 2**32
"""The verdict has seeds from here on; the trial's lie below."""


def generator(seed: int, *stream: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A PyTorch generator of one stream."""
    return torch.Generator(device).manual_seed(int(_draw(seed, stream, 1)[0]))


def training_seeds(seed: int, iteration: int, batch: int, count: int) -> torch.Tensor:
    """The seeds of one batch of whole episodes, (count,) int64."""
    return FIRST_TRAINING_SEED + torch.from_numpy(
        _draw(seed, (ENVIRONMENTS, iteration, batch), count)
    )


def episode_seed(seed: int, environment: int, episode: int) -> int:
    """The seed of one environment's n-th episode, for episodes that rollouts may cut."""
    return FIRST_TRAINING_SEED + int(_draw(seed, (ENVIRONMENTS, environment, episode), 1)[0])


def evaluation_seeds(first: list[int], count: int) -> list[int]:
    """The seeds of evaluation episodes.

    One seed s gives `count` seeds: s, s + 1, …. Several seeds stay as they are, whatever `count`
    is. No seed gives `count` random ones.
    """
    if not first:
        return [int(word) for word in np.random.SeedSequence().generate_state(count)]
    return numbered(first[0], count) if len(first) == 1 else first


def numbered(first: int, count: int) -> list[int]:
    """`count` seeds from `first` on."""
    return list(range(first, first + count))


def _draw(seed: int, stream: tuple[int, ...], count: int) -> np.ndarray:
    """Numbers from 0 to 2**62 - 1, (count,) int64."""
    words = np.random.SeedSequence(seed, spawn_key=stream).generate_state(count, np.uint64)
    return (words >> np.uint64(2)).astype(np.int64)
