"""Playing: environments and an actor in step, each environment one episode."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from algos.protocols import Actor, Environments
from algos.rollout import Rollout
from utils.tensors import Tensors, count, each, join, move, put, rows
from utils.timing import Stopwatch


@dataclass
class Uniform:
    """An actor that draws discrete actions with equal probability, or each number of a continuous
    action uniformly from [-1, 1]."""

    actions: int
    continuous: bool = False

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        rows, device = count(obs), generator.device
        if self.continuous:
            action = torch.rand(rows, self.actions, generator=generator, device=device) * 2 - 1
        else:
            action = torch.randint(self.actions, (rows,), generator=generator, device=device)
        return {"action": action}, state


@dataclass
class _Steps:
    """The parts of a rollout, one entry for each time step."""

    episode: list[Tensor] = field(default_factory=list)
    obs: list[Tensors] = field(default_factory=list)
    reward: list[Tensor] = field(default_factory=list)
    steps: list[Tensors] = field(default_factory=list)


def play(
    environments: Environments,
    actor: Actor,
    device: torch.device,
    seeds: Tensor | list[int],
    generator: torch.Generator,
    watch: Stopwatch,
    keep_obs: bool = True,
    limit: int | None = None,
) -> Rollout:
    """Play one batch of episodes, one in each environment, each from its own seed (N,) to its end,
    or for at most `limit` steps.

    `watch` times the phases `environment` and `policy`. Observations take most of the memory;
    without `keep_obs` they are dropped.
    """
    number = environments.num_envs
    record = _Steps()
    with watch("environment"):
        obs = move(environments.reset(seed=seeds)[0], device)
    state = actor.initial_state(number, device)
    last_state, last_obs = each(torch.empty_like, state), each(torch.empty_like, obs)
    success = torch.zeros(number, dtype=torch.bool, device=device)
    playing = torch.arange(number, device=device)
    while len(playing) and len(record.steps) != limit:
        with watch("policy"):
            seen = rows(obs, playing)
            step, state = actor.act(seen, state, generator)
            chosen = step["action"]
            actions = chosen.new_zeros(number, *chosen.shape[1:])
            actions[playing] = chosen
        with watch("environment"):
            next_obs, reward, termination, truncation, info = environments.step(actions)
            next_obs, reward = move(next_obs, device), reward.to(device)
            terminated, truncated = termination.to(device), truncation.to(device)
            ended = (terminated | truncated)[playing]
            success |= info["success"].to(device)
        if "duration" in info:
            step["duration"] = info["duration"].to(device)[playing]
        record.episode.append(playing)
        if keep_obs:
            record.obs.append(seen)
        record.reward.append(reward[playing])
        record.steps.append(step)
        put(last_obs, playing[ended], rows(next_obs, playing[ended]))
        put(last_state, playing[ended], rows(state, ended))
        playing, state, obs = playing[~ended], rows(state, ~ended), next_obs
    put(last_obs, playing, rows(obs, playing))
    put(last_state, playing, state)
    episode = torch.cat(record.episode)
    order = episode.argsort(stable=True)
    return Rollout(
        obs=rows(join(record.obs), order) if keep_obs else {},
        reward=torch.cat(record.reward)[order],
        steps=rows(join(record.steps), order),
        lengths=torch.bincount(episode, minlength=number),
        terminated=terminated,
        truncated=truncated,
        success=success,
        last_obs=last_obs,
        last_state=last_state,
        measures=move(info.get("measures", {}), device),
    )
