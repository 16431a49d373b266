"""Rollouts on a GPU, without waiting for it."""

from typing import Protocol

import torch
from torch import Tensor

from algos.graphs import Graphed
from algos.rollout import Actor, Environments, Rollout
from utils.timing import Stopwatch


class BoundedEnvironments(Environments, Protocol):
    """Environments whose episodes are cut off after `max_steps`."""

    max_steps: int


class Wave:
    """`algos.rollout.play` where rooms and actor live on one GPU: every step is one CUDA graph.

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
