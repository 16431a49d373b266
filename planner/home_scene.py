"""Scenes in homes: a robot's state in words, for a whole batch at once."""

import torch
from torch import Tensor

from env.nav_pick.robot_state import CONTACT, is_faced, is_held, is_near
from planner.plans import NOTHING
from planner.scene import Scenes
from utils.tensors import Tensors

THING = "object"
"""The one thing in plans."""
WITHIN_REACH = "is within reach of"


def in_words(near: bool, faced: bool, bumped: bool, held: bool) -> str:
    parts = [
        WITHIN_REACH if near else "is far from",
        f"<{THING}>, {'faces' if faced else 'does not face'} it,",
        *(["has just bumped into something,"] if bumped else []),
        f"holds <{THING if held else NOTHING}>.",
    ]
    return f"Agent {' '.join(parts)}"


def is_within_reach(scene: str) -> bool:
    """Whether a scene's text says that the object is near enough for the arm."""
    return WITHIN_REACH in scene


class HomeReader:
    """Reads scenes from `state` (N, 12). It has no memory."""

    def forget(self, count: int, device: torch.device) -> Tensors:
        return {}

    def read(self, obs: Tensors, memory: Tensors) -> Scenes:
        state = obs["state"]
        facts = [is_near(state), is_faced(state), state[:, CONTACT] > 0, is_held(state)]
        code = sum(fact.long() << place for place, fact in enumerate(facts))
        codes, index = torch.as_tensor(code).unique(return_inverse=True)
        texts = [in_words(*(bool(c >> place & 1) for place in range(4))) for c in codes.tolist()]
        return Scenes(texts, index, {})

    def remember(self, obs: Tensors, memory: Tensors) -> Tensors:
        return {}

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        return self.read(obs, {})
