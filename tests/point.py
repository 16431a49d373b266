"""A task of another kind, from beginning to end: a point that must reach a goal.

Observations are a dictionary, actions two numbers, the teacher a line of text's worth of geometry.
It shows what a new domain needs: environments (as tensors, or one by one), an encoder, a teacher
whose advice has a spread. All else is the project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from algos.student import NetworkSpec
from env.spec import Spec
from env.vector import RestingEnv, Seeds, Step
from utils.tensors import Tensors, count

MAX_STEPS = 20
REACH, SPEED = 0.15, 0.2
SPEC = Spec(
    gym.spaces.Dict({name: gym.spaces.Box(-1, 1, (2,), np.float32) for name in ("at", "goal")}),
    gym.spaces.Box(-1, 1, (2,), np.float32),
    MAX_STEPS,
)


def places(seed: int) -> Tensor:
    """(2, 2) float32 in [-1, 1]: where the point and its goal lie."""
    return torch.rand(2, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def length(vectors: Tensor) -> Tensor:
    """(N,) of (N, 2); not `norm`, whose last bit depends on N."""
    x, y = vectors.unbind(1)
    return (x * x + y * y).sqrt()


class PointEnv(gym.Env[Any, Any]):
    """One point. Moves by a fifth of its action, clipped to [-1, 1]; the reward is the way gained
    towards the goal, and 1 there."""

    observation_space = SPEC.observation
    action_space = SPEC.action
    max_steps = MAX_STEPS

    def __init__(self) -> None:
        self.points = Points(1)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        obs, _ = self.points.reset(seed=[seed])
        return self._first(obs), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.points.step(torch.tensor(action)[None])
        told = {
            "success": bool(info["success"][0]),
            "measures": {"way": float(info["measures"]["way"][0])},
        }
        return self._first(obs), float(reward[0]), bool(terminated[0]), bool(truncated[0]), told

    def pictures(self) -> dict[str, Any]:
        return self.points.pictures()

    @staticmethod
    def _first(obs: Tensors) -> dict[str, np.ndarray]:
        return {name: tensor[0].numpy() for name, tensor in obs.items()}


class Points(RestingEnv):
    """N points at once."""

    render_mode = None

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs, SPEC)
        self.at, self.goal = torch.zeros(num_envs, 2), torch.zeros(num_envs, 2)
        self.way, self.steps = torch.zeros(num_envs), torch.zeros(num_envs, dtype=torch.int64)
        self.there = torch.zeros(num_envs, dtype=torch.bool)

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        chosen = np.ones(self.num_envs, bool) if mask is None else np.asarray(mask)
        for i, each in enumerate(self._seed_list(seed)):
            if chosen[i]:
                self.at[i], self.goal[i] = places(each or 0)
                self.way[i], self.steps[i], self.there[i] = 0.0, 0, False
        return self._observation()

    def step(self, actions: Any) -> Step:
        resting = self.there | (self.steps >= MAX_STEPS)
        moves = SPEED * torch.as_tensor(actions).clamp(-1, 1) * ~resting[:, None]
        before = length(self.goal - self.at)
        self.at, self.way = self.at + moves, self.way + length(moves)
        self.steps = self.steps + ~resting
        after = length(self.goal - self.at)
        success = (after < REACH) & ~resting
        self.there = self.there | success
        info = {"success": success, "measures": {"way": self.way.clone()}}
        rewards = before - after + success.float()
        flags = self.there.clone(), self.steps >= MAX_STEPS
        return self._observation(), rewards, *flags, info

    def pictures(self) -> dict[str, Any]:
        """The first point, black, and its goal, red."""
        picture = np.full((64, 64, 3), 255, np.uint8)
        for place, color in ((self.goal, (200, 0, 0)), (self.at, (0, 0, 0))):
            x, y = ((place[0].clamp(-1, 1) + 1) * 30).int().tolist()
            picture[y : y + 4, x : x + 4] = color
        return {"from above": picture}

    def _observation(self) -> Tensors:
        return {"at": self.at.clone(), "goal": self.goal.clone()}


class PointEncoder(nn.Module):
    """All numbers of an observation through one layer."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.features = 32
        self.layer = nn.Sequential(nn.Linear(sum(n for (n,) in spec.obs.values()), 32), nn.Tanh())

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        features: Tensor = self.layer(torch.cat(list(obs.values()), 1))
        return features


@dataclass
class PointAdvice:
    actions: Tensor
    weights: Tensor
    spread: Tensor
    unanswered_scenes: int = 0

    def explain(self, step: int) -> tuple[str, list[tuple[float, list[str], int]]]:
        return "The goal is in sight.", [(0.8, ["go to <goal>"], 0), (0.2, ["wait"], 1)]


class PointTeacher:
    """Goes straight to the goal, and is unsure whether to go at all; acts and advises."""

    def advise(self, obs: Tensors, starts: Tensor, generator: torch.Generator) -> PointAdvice:
        away = (obs["goal"] - obs["at"]) / SPEED
        straight = away / away.norm(dim=1, keepdim=True).clamp(min=1)
        actions = torch.stack([straight, torch.zeros_like(straight)], 1)
        weights = torch.tensor([0.8, 0.2]).expand(count(obs), 2)
        return PointAdvice(actions, weights, torch.full_like(actions, 0.3))

    def narrow(self, narrowed: bool) -> None:
        pass

    def doubt(self, share: float) -> bool:
        return False

    def counts(self) -> dict[str, float]:
        return {}

    def news(self) -> dict[str, dict[str, float]]:
        return {}

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        advice = self.advise(obs, torch.ones(count(obs)), generator)
        drawn = torch.multinomial(advice.weights, 1, generator=generator)[:, 0]
        action = advice.actions[torch.arange(len(drawn)), drawn]
        noise = torch.randn(action.shape, generator=generator)
        return {"action": action + 0.3 * noise, "mode": advice.actions[:, 0]}, state
