"""Who drives and picks by rule, and what the tests measure for themselves."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from env.nav_pick.homes import Home
from env.nav_pick.layout import INNER
from env.nav_pick.paths import draw_paths
from env.nav_pick.tensor_homes import NavPickHomes
from utils.tensors import Tensors, under


def make(count: int = 1, **options: Any) -> NavPickHomes:
    """Homes with next to no pictures, each with a layout of its own."""
    return NavPickHomes(count, **{"layouts": 0, "depth_size": 1, **options})


def solid(home: Home) -> np.ndarray:
    """(B, 6) float64: everything but the object."""
    return np.array([*home.walls, *home.furniture, home.table])


def clearance(boxes: np.ndarray, position: np.ndarray) -> float:
    """From a place (2,) to the nearest footprint."""
    apart = np.maximum(boxes[:, :2] - position, position - boxes[:, 3:5]).clip(min=0)
    return float(np.hypot(*apart.T).min())


def pilot(obs: Tensors) -> Tensor:
    """Follows the shortest path, faces the object, reaches for it, lifts it: (N, 6)."""
    state, known = obs["state"], obs["privileged"]
    thing, to_hand, holding = state[:, 3:6], state[:, 6:9], state[:, 9:10] > 0
    ahead, there = known[:, 3:5], known[:, 5:6] < 0.12
    aim = torch.where(there, thing[:, :2], ahead)
    angle = torch.atan2(aim[:, 1:], aim[:, :1])
    drives = ~there & (angle.abs() < 0.35) & ~holding
    forward = (ahead.norm(dim=1, keepdim=True) / 0.05).clamp(max=1) * angle.cos() * drives
    turn = (angle / math.radians(9)).clamp(-1, 1) * ~holding
    ready = there & (angle.abs() < 0.2) | holding
    up = torch.tensor([0.0, 0.0, 1.0])
    hand = torch.where(holding, up, (to_hand / 0.05).clamp(-1, 1)) * ready
    return torch.cat([forward, turn, hand, ready * 2.0 - 1], 1)


def act(count: int = 1, **parts: float) -> Tensor:
    """The same action for all, by name."""
    names = ("forward", "turn", "x", "y", "z", "grip")
    return torch.tensor([[parts.get(name, 0.0) for name in names]]).repeat(count, 1)


def put(homes: NavPickHomes, **state: Any) -> None:
    """Go on from another place, at the same step."""
    for name, value in state.items():
        homes._now[name].copy_(torch.as_tensor(value))
    homes._look_ahead()


def empty_home(*boxes: list[float], goal: tuple[float, float]) -> Tensors:
    """Six metres by six, with some boxes and one goal."""
    outer = [[-1, -1, 0, 0, 7, 2], [6, -1, 0, 7, 7, 2], [-1, -1, 0, 7, 0, 2], [-1, 6, 0, 7, 7, 2]]
    inner = torch.full((1, INNER.stop - INNER.start, 6), -10.0)
    for i, box in enumerate(boxes):
        inner[0, i] = torch.tensor(box)
    goals = torch.full((1, 4, 2), -10.0)
    goals[0, 2] = torch.tensor(goal)
    home = {"boxes": torch.cat([torch.tensor([outer]).float(), inner], 1), "goals": goals}
    return {**home, **draw_paths(home)}


def furnished(count: int = 1, **options: Any) -> NavPickHomes:
    """Robots at (1, 3) in empty homes but for a table from (4, 2) to (5, 4), 0.6 high, with the
    object at (4.2, 3); they look along x."""
    homes = make(count, **options)
    homes.reset(seed=0)
    home = empty_home([4, 2, 0, 5, 4, 0.6], goal=(3.6, 3))
    for name, values in {**home, "object": torch.tensor([[4.2, 3, 0.64]])}.items():
        homes._home[name].copy_(values.expand_as(homes._home[name]))
    homes._now["shortest"].fill_(2.6)
    put(homes, position=[[1.0, 3]] * count, heading=[0.0] * count, object=homes._home["object"])
    return homes


def at_table(apart: float = 0.0, **options: Any) -> NavPickHomes:
    """The hand so far above the object."""
    homes = furnished(**options)
    put(homes, position=[[3.6, 3.0]], hand=[[0.6, 0.0, 0.64 + apart]])
    return homes


def flat(step: tuple[Any, ...]) -> Tensors:
    """All that a step returns, by name."""
    obs, reward, terminated, truncated, info = step
    return {
        **obs,
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
        "success": info["success"],
        **under("measures", info["measures"]),
    }


def same(one: Tensors, other: Tensors) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype, name
        assert torch.equal(values, other[name]), name
