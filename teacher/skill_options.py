"""Skills of habitat-baselines as options: what they are told of our observations, and what their
actions are among ours."""

from pathlib import Path

import gymnasium as gym
import torch
from torch import Tensor

from env.nav_pick.robot import REST
from env.nav_pick.robot_state import (
    GRIP,
    HAND,
    HOLDING,
    OBJECT,
    OWN_JOINTS,
    OWN_OBJECT,
    STATE_SIZE,
    is_held,
)
from env.spec import Spec
from teacher.home_options import AT_GOAL, waiting
from teacher.skill_network import load_skill
from utils.tensors import Tensors

BASE = slice(0, 2)
"""Of our actions where an arm is moved joint by joint: forward and turn; then joints and grip."""
STOP = 2
"""Of those of a skill that navigates: above 0 it wants to stop."""
LIMITS = {"navigate": 300, "pick": 200}
"""Steps on end after which a skill gives up, as in habitat-baselines."""


class SkillOption:
    """A checkpoint of habitat-baselines, `navigate` or `pick`, carried out in habitat-lab, with
    actions and observations as `spec` describes them. UserError if it cannot be loaded.

    It remembers what it meant to do as what was done.
    """

    def __init__(self, name: str, path: Path, spec: Spec, device: torch.device) -> None:
        depth = (spec.observation["depth"].shape or ())[0]
        joints = (spec.observation["state"].shape or ())[0] - STATE_SIZE
        known, actions = (2 + joints, 3) if name == "navigate" else (7 + joints, joints + 3)
        self.skill = load_skill(path, depth, known, actions, device)
        self.picks = name == "pick"
        self.size = gym.spaces.flatdim(spec.action)
        self.limit: int | None = LIMITS[name]

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        state = self.skill.initial_state(count, device)
        if not self.picks:
            state[AT_GOAL] = torch.zeros(count, dtype=torch.bool, device=device)
        return state

    def act(self, obs: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        known = known_to_pick(obs) if self.picks else known_to_navigate(obs)
        told, kept = self.skill(obs["depth"], known, state)
        mean, spread = (self._ours(told[part]) for part in ("mean", "spread"))
        held = is_held(obs["state"])
        if self.picks:
            # What is held is not let go of.
            mean[held, GRIP] = 1.0
        else:
            kept[AT_GOAL] = state[AT_GOAL] | (told["mean"][:, STOP] > 0)
            mean[:, GRIP] = waiting(obs)[:, GRIP]
        return {"mean": mean, "spread": spread}, kept

    def _ours(self, theirs: Tensor) -> Tensor:
        """Numbers of a skill's action, which has arm, grip and base, or base and stop, as ours."""
        action = theirs.new_zeros(len(theirs), self.size)
        if self.picks:
            action[:, BASE], action[:, BASE.stop :] = theirs[:, -2:], theirs[:, :-2]
        else:
            action[:, BASE] = theirs[:, :STOP]
        return action


def known_to_navigate(obs: Tensors) -> Tensor:
    """`goal_to_agent_gps_compass`, which counts angles to the right, and `joint`: (N, 2 + J)."""
    state = obs["state"]
    x, y, _ = state[:, OBJECT].unbind(1)
    way = torch.stack([torch.hypot(x, y), -torch.atan2(y, x)], 1)
    return torch.cat([way, state[:, OWN_JOINTS]], 1)


def known_to_pick(obs: Tensors) -> Tensor:
    """`is_holding`, `joint`, `obj_start_sensor` and `relative_resting_position`: (N, 7 + J)."""
    state = obs["state"]
    rest = state.new_tensor(REST) - state[:, HAND]
    holding, joints = state[:, [HOLDING]], state[:, OWN_JOINTS]
    return torch.cat([holding, joints, obs["privileged"][:, OWN_OBJECT], rest], 1)
