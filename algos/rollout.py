"""Rollouts: whole episodes, gathered from many environments in step."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from algos.graphs import Graphed
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


class BoundedEnvironments(Environments, Protocol):
    """Environments whose episodes are cut off after `max_steps`."""

    max_steps: int


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


class Wave:
    """`play` where rooms and actor live on one GPU: every step is one CUDA graph.

    All rooms are played for as long as an episode may last, and rest where theirs is over: so
    every step is the same work, and only the end of the wave waits for the GPU.
    """

    def __init__(self, rooms: BoundedEnvironments, actor: Actor, device: torch.device) -> None:
        count, self.length = rooms.num_envs, rooms.max_steps
        self.rooms = rooms
        self.actor = actor
        self.generator = torch.Generator(device)
        self.obs = torch.zeros(count, *rooms.map_shape, dtype=torch.uint8, device=device)
        self.state = actor.initial_state(count, device)
        self.playing = torch.ones(count, dtype=torch.bool, device=device)
        self.terminated = torch.zeros_like(self.playing)
        self.time = torch.zeros(1, dtype=torch.int64, device=device)
        self.record: dict[str, Tensor] = {}
        for name, values in self._act()[0].items():
            self.record[name] = values.new_zeros(self.length, *values.shape)
        self.record["reward"] = torch.zeros(self.length, count, device=device)
        self._advance = Graphed(self._step, device, self.generator)
        # Recording the graph plays some steps: before any that count.
        self._advance()

    def play(
        self, seeds: Tensor | list[int], generator: torch.Generator, watch: Stopwatch
    ) -> Rollout:
        """One wave; `watch` is told the seconds of the phase `rollout`."""
        with watch("rollout"):
            self.obs.copy_(self.rooms.reset(seed=seeds)[0])
            self.state.copy_(self.actor.initial_state(len(self.obs), self.obs.device))
            self.playing.fill_(True)
            self.time.zero_()
            self.generator.set_state(generator.get_state())
            for _ in range(self.length):
                self._advance()
            generator.set_state(self.generator.get_state())
            return self._rollout()

    def _act(self) -> tuple[dict[str, Tensor], Tensor]:
        said, state = self.actor.act(self.obs, self.state, self.generator)
        return {"obs": self.obs, "playing": self.playing, **said}, state

    def _step(self) -> dict[str, Tensor]:
        seen, state = self._act()
        obs, reward, terminated, truncated, _ = self.rooms.step(seen["action"])
        for name, values in {**seen, "reward": reward}.items():
            self.record[name].index_copy_(0, self.time, values[None])
        # A room that rests keeps its last observation, and its actor the state that led there.
        playing = self.playing.view(-1, *[1] * (state.dim() - 1))
        self.state.copy_(torch.where(playing, state, self.state))
        self.obs.copy_(obs)
        self.terminated.copy_(terminated)
        self.playing &= ~(terminated | truncated)
        self.time.copy_((self.time + 1) % self.length)
        return {}

    def _rollout(self) -> Rollout:
        playing = self.record["playing"].t()
        room, time = playing.nonzero(as_tuple=True)
        rows = {name: values[time, room] for name, values in self.record.items()}
        del rows["playing"]
        return Rollout(
            obs=rows.pop("obs"),
            reward=rows.pop("reward"),
            steps=rows,
            lengths=playing.sum(1),
            terminated=self.terminated.clone(),
            last_obs=self.obs.clone(),
            last_state=self.state.clone(),
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
