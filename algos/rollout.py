"""Rollouts: whole episodes, gathered from many environments in step."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from utils.timing import Stopwatch


class Environments(Protocol):
    """The part of Gymnasium's vector interface that episodes are played on.

    Observations are (N, W, H, C) uint8 tensors; nothing resets by itself, and a room whose
    episode has ended rests.
    """

    num_envs: int
    map_shape: tuple[int, int, int]
    view_size: int

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Tensor, dict[str, Any]]: ...

    def step(self, actions: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]: ...


class Actor(Protocol):
    """Whoever acts: a student or a teacher. The state of N episodes has N rows."""

    def initial_state(self, count: int, device: torch.device) -> Tensor: ...

    def act(
        self, obs: Tensor, state: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]: ...


class Uniform:
    """Draws every action with the same probability."""

    def __init__(self, actions: int) -> None:
        self.actions = actions

    def initial_state(self, count: int, device: torch.device) -> Tensor:
        return torch.zeros(count, 0, device=device)

    def act(
        self, obs: Tensor, state: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        action = torch.randint(self.actions, obs.shape[:1], generator=generator, device=obs.device)
        return {"action": action}, state


@dataclass
class Rollout:
    """E whole episodes of S steps together, one after another.

    `obs` (S, W, H, C) uint8, `reward` (S,) float32, and under `steps` what the actor said at each
    step: `action` (S,) int64 and, from a student, `log_prob`, `value`, `greedy`. Per episode:
    `lengths` (E,) int64; `terminated` (E,) bool, false where it was cut off; `last_obs` and
    `last_state`, with which a cut-off episode would have gone on.
    """

    obs: Tensor
    reward: Tensor
    steps: dict[str, Tensor]
    lengths: Tensor
    terminated: Tensor
    last_obs: Tensor
    last_state: Tensor

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def ends(self) -> Tensor:
        """(E,) int64: the index one past each episode's last step."""
        return self.lengths.cumsum(0)

    @property
    def starts(self) -> Tensor:
        """(S,) bool: whether a step is its episode's first."""
        first = torch.zeros(len(self), dtype=torch.bool, device=self.lengths.device)
        first[self.ends - self.lengths] = True
        return first

    @property
    def returns(self) -> Tensor:
        """(E,) float32: each episode's undiscounted sum of rewards."""
        sums = torch.zeros(len(self.lengths), device=self.reward.device)
        return sums.index_add_(0, self.episode, self.reward)

    @property
    def episode(self) -> Tensor:
        """(S,) int64: the episode of each step."""
        each = torch.arange(len(self.lengths), device=self.lengths.device)
        return each.repeat_interleave(self.lengths, output_size=len(self))

    @property
    def success(self) -> Tensor:
        """(E,) bool: the episode was ended, not cut off, and by a reward."""
        return self.terminated & (self.reward[self.ends - 1] > 0)

    @staticmethod
    def join(parts: "list[Rollout]") -> "Rollout":
        if len(parts) == 1:
            return parts[0]
        return Rollout(
            steps={k: torch.cat([part.steps[k] for part in parts]) for k in parts[0].steps},
            **{
                name: torch.cat([getattr(part, name) for part in parts])
                for name in ("obs", "reward", "lengths", "terminated", "last_obs", "last_state")
            },
        )


@dataclass
class _Recorder:
    episode: list[Tensor] = field(default_factory=list)
    obs: list[Tensor] = field(default_factory=list)
    reward: list[Tensor] = field(default_factory=list)
    steps: list[dict[str, Tensor]] = field(default_factory=list)


def play(
    rooms: Environments,
    actor: Actor,
    device: torch.device,
    seeds: Tensor | list[int],
    generator: torch.Generator,
    watch: Stopwatch,
) -> Rollout:
    """One wave: an episode a room, each from its own seed (N,) and run to its own end.

    `watch` is told the seconds of the phases `environment` and `policy`.
    """
    count = rooms.num_envs
    record = _Recorder()
    with watch("environment"):
        obs = rooms.reset(seed=seeds)[0].to(device)
    state = actor.initial_state(count, device)
    last_state = torch.empty_like(state)
    last_obs = torch.empty_like(obs)
    terminated = torch.zeros(count, dtype=torch.bool, device=device)
    playing = torch.arange(count, device=device)
    while len(playing):
        with watch("policy"):
            step, state = actor.act(obs[playing], state, generator)
            actions = torch.zeros(count, dtype=torch.int64, device=device)
            actions[playing] = step["action"]
        with watch("environment"):
            next_obs, reward, termination, truncation, _ = rooms.step(actions)
            next_obs, reward = next_obs.to(device), reward.to(device)
            terminated = termination.to(device)
            ended = (terminated | truncation.to(device))[playing]
        record.episode.append(playing)
        record.obs.append(obs[playing])
        record.reward.append(reward[playing])
        record.steps.append(step)
        last_obs[playing[ended]] = next_obs[playing[ended]]
        last_state[playing[ended]] = state[ended]
        playing, state, obs = playing[~ended], state[~ended], next_obs
    episode = torch.cat(record.episode)
    order = episode.argsort(stable=True)
    return Rollout(
        obs=torch.cat(record.obs)[order],
        reward=torch.cat(record.reward)[order],
        steps={k: torch.cat([s[k] for s in record.steps])[order] for k in record.steps[0]},
        lengths=torch.bincount(episode, minlength=count),
        terminated=terminated,
        last_obs=last_obs,
        last_state=last_state,
    )


def discounted_returns(rollout: Rollout, last_values: Tensor, gamma: float) -> Tensor:
    """Discounted sums of rewards to the end of each episode, (S,) float32.

    `last_values` (E,) float32 stands for what follows the end: the critic's value of the last
    observation where an episode was cut off, 0 where it terminated.
    """
    return _backwards(rollout, rollout.reward, last_values, gamma)


def generalized_advantages(
    rollout: Rollout, last_values: Tensor, gamma: float, lam: float
) -> Tensor:
    """GAE (arXiv 1506.02438, equation 16), (S,) float32; `last_values` as for the returns."""
    value = rollout.steps["value"]
    next_value = value.roll(-1)
    next_value[rollout.ends - 1] = last_values
    delta = rollout.reward + gamma * next_value - value
    return _backwards(rollout, delta, torch.zeros_like(last_values), gamma * lam)


def _backwards(rollout: Rollout, term: Tensor, last: Tensor, decay: float) -> Tensor:
    """sums[t] = term[t] + decay * sums[t + 1] within each episode, `last` (E,) beyond its end."""
    episodes = len(rollout.lengths)
    longest = int(rollout.lengths.max())
    episode = rollout.episode
    to_go = rollout.ends[episode] - 1 - torch.arange(len(rollout), device=term.device)
    padded = torch.zeros(longest, episodes, dtype=torch.float64, device=term.device)
    padded[to_go, episode] = term.double()
    running = last.double()
    for row in padded:
        running = row.add_(decay * running)
    return padded[to_go, episode].float()
