"""Learned options in homes: students trained here, and skills of habitat-baselines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from env.nav_pick.robot_state import (
    GRIP,
    HAND,
    HOLDING,
    OBJECT,
    OWN_JOINTS,
    OWN_OBJECT,
    REST,
    is_held,
)
from teacher.home_options import AT_GOAL, waiting
from teacher.skill_network import SkillSpec, load_skill
from utils.tensors import Tensors

BASE = slice(0, 2)
"""The parts of our action that drive: forward and turn. Behind them come the joints and the
grip."""
STOP = 2
"""The place in a navigation skill's action of a number that asks to stop if it is above 0."""
LIMITS = {"navigate": 300, "pick": 200}
"""Steps in a row after which a skill gives up, as in habitat-baselines."""


class GaussianStudent(Protocol):
    """A trained student of continuous actions."""

    def initial_state(self, count: int, device: torch.device) -> Tensors: ...

    def policy(self, obs: Tensors, state: Tensors) -> tuple[Any, Tensors]:
        """One step of N episodes: a Gaussian, `mean` and `log_std` (N, A), and the new state."""


@dataclass
class LearnedOption:
    """An option that a student has learned. Its weights stay as they are."""

    student: GaussianStudent
    limit: int | None

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.student.initial_state(count, device)

    def act(self, obs: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        policy, state = self.student.policy(obs, state)
        return {"mean": policy.mean.clamp(-1, 1), "spread": policy.log_std.exp()}, state


class SkillOption:
    """A habitat-baselines checkpoint as the option `navigate` or `pick` in habitat-lab.

    The robot sees `depth` x `depth` pixels, and its arm has `joints` joints. `trunk` is an
    untrained network for the view. The skill takes its own last mean for the last action.
    Raises UserError if the checkpoint cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        trunk: nn.Module,
        depth: int,
        joints: int,
        device: torch.device,
    ) -> None:
        known, actions = (2 + joints, 3) if name == "navigate" else (7 + joints, joints + 3)
        self.skill = load_skill(path, trunk, SkillSpec(depth, known, actions), device)
        self.picks = name == "pick"
        self.size = joints + 3
        self.limit: int | None = LIMITS[name]

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        state = self.skill.initial_state(count, device)
        if not self.picks:
            state[AT_GOAL] = torch.zeros(count, dtype=torch.bool, device=device)
        return state

    def act(self, obs: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        known = known_to_pick(obs) if self.picks else known_to_navigate(obs)
        output, new = self.skill(obs["depth"], known, state)
        mean, spread = (self._to_our_action(output[part]) for part in ("mean", "spread"))
        held = is_held(obs["state"])
        if self.picks:
            # The grip stays closed around a held object.
            mean[:, GRIP].masked_fill_(held, 1.0)
        else:
            new[AT_GOAL] = state[AT_GOAL] | (output["mean"][:, STOP] > 0)
            mean[:, GRIP] = waiting(obs)[:, GRIP]
        return {"mean": mean, "spread": spread}, new

    def _to_our_action(self, theirs: Tensor) -> Tensor:
        """(N, A): from (arm, grip, base) of `pick`, or (base, stop) of `navigate`."""
        action = theirs.new_zeros(len(theirs), self.size)
        if self.picks:
            action[:, BASE], action[:, BASE.stop :] = theirs[:, -2:], theirs[:, :-2]
        else:
            action[:, BASE] = theirs[:, :STOP]
        return action


def known_to_navigate(obs: Tensors) -> Tensor:
    """(N, 2 + J): `goal_to_agent_gps_compass`, whose angles grow to the right, and `joint`."""
    state = obs["state"]
    x, y, _ = state[:, OBJECT].unbind(1)
    way = torch.stack([torch.hypot(x, y), -torch.atan2(y, x)], 1)
    return torch.cat([way, state[:, OWN_JOINTS]], 1)


def known_to_pick(obs: Tensors) -> Tensor:
    """(N, 7 + J): `is_holding`, `joint`, `obj_start_sensor`, `relative_resting_position`."""
    state = obs["state"]
    rest = state.new_tensor(REST) - state[:, HAND]
    holding, joints = state[:, [HOLDING]], state[:, OWN_JOINTS]
    return torch.cat([holding, joints, obs["privileged"][:, OWN_OBJECT], rest], 1)
