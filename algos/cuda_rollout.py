"""Rollouts on a GPU, without waiting for it at each step."""

from typing import Any

import torch
from torch import Tensor

from algos.cuda_graphs import Graphed
from algos.protocols import Actor, BoundedEnvironments
from algos.rollout import Rollout
from utils.tensors import Tensors, choose, copy, each, group, under
from utils.timing import Stopwatch


class CudaRollout:
    """`algos.play.play` for environments and an actor on one GPU. Each step is one CUDA graph,
    unless the actor cannot be `recorded` as one.

    All environments take as many steps as the longest possible episode. They rest once their
    episode is over. So every step is the same work, and only the end of a batch waits for the GPU.
    """

    def __init__(
        self,
        environments: BoundedEnvironments,
        actor: Actor,
        device: torch.device,
        recorded: bool = True,
    ) -> None:
        count, self.length = environments.num_envs, environments.max_steps
        self.environments = environments
        self.actor = actor
        self.generator = torch.Generator(device)
        self.obs = environments.reset(seed=0)[0]
        self.state = actor.initial_state(count, device)
        self.playing = torch.ones(count, dtype=torch.bool, device=device)
        self.terminated = torch.zeros_like(self.playing)
        self.truncated = torch.zeros_like(self.playing)
        self.success = torch.zeros_like(self.playing)
        self.time = torch.zeros(1, dtype=torch.int64, device=device)
        seen, _ = self._act()
        _, reward, *_, info = environments.step(seen["action"])
        kept = _kept(seen, reward, info)
        self.record = each(lambda values: values.new_zeros(self.length, *values.shape), kept)
        self._advance = Graphed(self._step, device, self.generator) if recorded else self._step
        # Recording the graph plays some steps, so it is done before any step that counts.
        self._advance({})

    def play(
        self, seeds: Tensor | list[int], generator: torch.Generator, watch: Stopwatch
    ) -> Rollout:
        """One batch of episodes; `watch` times the phase `rollout`."""
        with watch("rollout"):
            copy(self.obs, self.environments.reset(seed=seeds)[0])
            copy(self.state, self.actor.initial_state(len(self.playing), self.playing.device))
            self.playing.fill_(True)
            self.success.fill_(False)
            self.time.zero_()
            self.generator.set_state(generator.get_state())
            for _ in range(self.length):
                last = self._advance({})
            generator.set_state(self.generator.get_state())
            return self._rollout(group("measures", last))

    def _act(self) -> tuple[Tensors, Tensors]:
        step, state = self.actor.act(self.obs, self.state, self.generator)
        return {**under("obs", self.obs), "playing": self.playing, **step}, state

    def _step(self, _: Tensors) -> Tensors:
        seen, state = self._act()
        obs, reward, terminated, truncated, info = self.environments.step(seen["action"])
        for name, values in _kept(seen, reward, info).items():
            self.record[name].index_copy_(0, self.time, values[None])

        # In a resting environment the actor keeps its state of the episode's end.
        copy(self.state, choose(self.playing, state, self.state))
        copy(self.obs, obs)
        self.terminated.copy_(terminated)
        self.truncated.copy_(truncated)
        self.success |= info["success"]
        self.playing &= ~(terminated | truncated)
        self.time.copy_((self.time + 1) % self.length)
        return under("measures", info.get("measures", {}))

    def _rollout(self, measures: Tensors) -> Rollout:
        playing = self.record["playing"].t()
        place, time = playing.nonzero(as_tuple=True)
        steps = each(lambda values: values[time, place], self.record)
        obs, reward = group("obs", steps), steps.pop("reward")
        for name in ("playing", *under("obs", obs)):
            del steps[name]
        return Rollout(
            obs=obs,
            reward=reward,
            steps=steps,
            lengths=playing.sum(1),
            terminated=self.terminated.clone(),
            truncated=self.truncated.clone(),
            success=self.success.clone(),
            last_obs=each(torch.clone, self.obs),
            last_state=each(torch.clone, self.state),
            measures=each(torch.clone, measures),
        )


def _kept(seen: Tensors, reward: Tensor, info: dict[str, Any]) -> Tensors:
    """The tensors of a step that a rollout keeps."""
    duration = {"duration": info["duration"]} if "duration" in info else {}
    return {**seen, "reward": reward, **duration}
