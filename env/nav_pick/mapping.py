"""What habitat-lab observes and does, in the numbers of Nav & Pick: arithmetic alone, without it.

habitat-lab has y up (`to_home` turns its places), a base whose x, y and z are ours, and a hand with
axes of its own. Its arm is moved in one of two ways, which its configuration says:

- by its hand (3 numbers): actions and observations are those of the package
- joint by joint, as its own skills move it: 3 + J numbers, forward, turn, J joints, grip, each as
  habitat-lab takes it; `state` (12 + J) ends with the joints (rad), `privileged` (9) with where the
  object lay, from the hand and along the axes of the hand, as those skills are told it
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from env.nav_pick.robot_state import (
    FORWARD,
    GRIP,
    HAND_MOVE,
    HAND_SPEED,
    PRIVILEGED_SIZE,
    SECONDS,
    SPEED,
    STATE_SIZE,
    TURN,
    TURN_SPEED,
)
from env.nav_pick.stage import to_home
from env.nav_pick.tensor_homes import NavPickHomes
from env.spec import Spec

DAMPING = 0.05
"""Metres a radian: a way in which joints hardly move the hand any more is not worth turning far."""
CLOSE = 0.05
"""Metres: a corner of a path that is nearer has been reached."""


@dataclass(frozen=True)
class Controls:
    """How far a step of habitat-lab goes at full command: `forward` (m), `turn` (rad), and its
    `hand` (m along each axis), which has none where its `joints` are moved one by one."""

    forward: float
    turn: float
    hand: float
    joints: int = 0

    def commands(self, action: np.ndarray) -> dict[str, np.ndarray]:
        """An action in [-1, 1] -> habitat-lab's `base_vel` (2,), `arm_action` (3,) or (J,) and
        `grip_action` (1,), float32 in [-1, 1]: as many metres and radians as we mean, where it goes
        so far; its own numbers where it is moved joint by joint."""
        base, arm = action[[FORWARD, TURN]], action[HAND_MOVE]
        if self.joints:
            arm = action[2:GRIP]
        else:
            base = base * (SPEED * SECONDS / self.forward, TURN_SPEED * SECONDS / self.turn)
            arm = arm * (HAND_SPEED * SECONDS / self.hand)
        grip = np.where(action[[GRIP]] > 0, 1.0, -1.0)
        told = {"base_vel": base, "arm_action": arm, "grip_action": grip}
        return {name: np.clip(part, -1, 1).astype(np.float32) for name, part in told.items()}

    def metres(self, action: np.ndarray) -> float:
        """How far the base is told to move, up to habitat-lab's full command."""
        return abs(float(self.commands(action)["base_vel"][0])) * self.forward

    def describe(self, depth_size: int, max_steps: int) -> Spec:
        """What there is to see and to do."""
        spec = NavPickHomes.describe(depth_size, max_steps)
        if not self.joints:
            return spec
        state, known = (
            gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
            for size in (STATE_SIZE + self.joints, PRIVILEGED_SIZE + 3)
        )
        spaces = {**spec.observation.spaces, "state": state, "privileged": known}
        actions = gym.spaces.Box(-1, 1, (3 + self.joints,), np.float32)
        return Spec(gym.spaces.Dict(spaces), actions, max_steps)


@dataclass(frozen=True)
class Pose:
    """Where the robot is: `base` and `hand` (4, 4) in the scene."""

    base: np.ndarray
    hand: np.ndarray

    @property
    def place(self) -> np.ndarray:
        """(2,) the base in the home."""
        place: np.ndarray = to_home(self.base[:3, 3])[:2]
        return place

    @property
    def heading(self) -> float:
        x, y, _ = to_home(self.base[:3, 0])
        return math.atan2(y, x)

    def along_base(self, vector: np.ndarray) -> np.ndarray:
        """(3,) from the axes of the hand to those of the base."""
        turned: np.ndarray = self.base[:3, :3].T @ self.hand[:3, :3] @ vector
        return turned

    def seen(self, place: np.ndarray) -> np.ndarray:
        """(2,) a place (2,) of the home, from the base."""
        x, y = place - self.place
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        return np.array([cos * x + sin * y, cos * y - sin * x])


def to_state(
    pose: Pose,
    hand: np.ndarray,
    start: np.ndarray,
    flags: tuple[float, float, float],
    joints: np.ndarray,
) -> np.ndarray:
    """`state` (12 + J) float32, from habitat-lab's sensors: the `hand` from the base (3,), where
    the object lay at the start, along the axes of the hand (3,), and `joints` (J,), none where the
    hand is moved; `flags` are holding, contact, and the share of the steps that is left."""
    way = pose.along_base(start)
    return np.concatenate([hand, hand + way, way, flags, joints]).astype(np.float32)


def to_privileged(
    pose: Pose, path: Sequence[np.ndarray], length: float, start: np.ndarray
) -> np.ndarray:
    """`privileged` (6, or 9 with where the object lay at the `start`, along the axes of the hand):
    the shortest path leads over places (3,) of the scene, and is so long."""
    corners = [to_home(np.asarray(corner))[:2] for corner in path]
    ahead = [at for at in corners if np.linalg.norm(at - pose.place) > CLOSE] or corners[-1:]
    known = (pose.place, [pose.heading], pose.seen(ahead[0]), [length], start)
    return np.concatenate(known, dtype=np.float32, casting="same_kind")


def joint_moves(
    jacobian: np.ndarray, move: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """How far joints (J,) turn, each between `low` and `high`, for a `move` (3,) of the hand, which
    a radian of each moves by its column of the `jacobian` (3, J): damped least squares, in which
    those that come to a stop leave the rest of the move to the others."""
    turns = np.zeros(len(low))
    free = np.ones(len(low), bool)
    for _ in turns:
        rest = move - jacobian[:, ~free] @ turns[~free]
        part = jacobian * free
        wanted = part.T @ np.linalg.solve(part @ part.T + DAMPING**2 * np.eye(3), rest)
        turns = np.where(free, wanted, turns)
        stopped = free & ((turns < low) | (turns > high))
        turns = np.clip(turns, low, high)
        if not stopped.any():
            break
        free &= ~stopped
    return turns
