"""Convert between the numbers of habitat-lab and Nav & Pick, without importing habitat-lab.

In habitat-lab y is up (`to_home` converts places). Its base has the same axes as ours, its hand has
axes of its own. Its configuration moves the arm in one of two ways:

- by the hand (3 numbers): actions and observations are those of the package
- by joints, like habitat-lab's own skills. Actions (3 + J) are forward, turn, J joints and grip, in
  habitat-lab's units. `state` (12 + J) ends with the joints (rad). `privileged` (9) ends with the
  object's initial place relative to the hand, along the hand's axes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from env.nav_pick.robot_state import (
    DRIVEN,
    FORWARD,
    GRIP,
    HAND_MOVE,
    PRIVILEGED_SIZE,
    REACHED,
    STATE_SIZE,
    TURN,
    TURNED,
)
from env.nav_pick.stage import to_home
from env.nav_pick.tensor_homes import NavPickHomes
from env.spec import Spec

DAMPING = 0.05
"""Metres per radian: damps joints that hardly move the hand in the wanted direction."""
CLOSE = 0.05
"""Metres: a corner of a path within this distance has been reached."""


@dataclass(frozen=True)
class Controls:
    """The size of one step of habitat-lab at full command.

    `forward` is in metres, `turn` in radians, `hand` in metres along each axis. If the actions move
    joints, `joints` is their number, otherwise 0.
    """

    forward: float
    turn: float
    hand: float
    joints: int = 0

    def commands(self, action: np.ndarray) -> dict[str, np.ndarray]:
        """An action in [-1, 1] -> habitat-lab's `base_vel` (2,), `arm_action` (3,) or (J,), and
        `grip_action` (1,), float32 in [-1, 1].

        The metres and radians stay the same, up to habitat-lab's full command. Actions that move
        joints are passed on unchanged.
        """
        base, arm = action[[FORWARD, TURN]], action[HAND_MOVE]
        if self.joints:
            arm = action[2:GRIP]
        else:
            base = base * (DRIVEN / self.forward, TURNED / self.turn)
            arm = arm * (REACHED / self.hand)
        grip = np.where(action[[GRIP]] > 0, 1.0, -1.0)
        told = {"base_vel": base, "arm_action": arm, "grip_action": grip}
        return {name: np.clip(part, -1, 1).astype(np.float32) for name, part in told.items()}

    def metres(self, action: np.ndarray) -> float:
        """Metres that an action moves the base, up to habitat-lab's full command."""
        return abs(float(self.commands(action)["base_vel"][0])) * self.forward

    def describe(self, depth_size: int, max_steps: int) -> Spec:
        """The spaces of observations and actions."""
        if not self.joints:
            return NavPickHomes.describe(depth_size, max_steps)
        sizes = STATE_SIZE + self.joints, PRIVILEGED_SIZE + 3, 3 + self.joints
        return NavPickHomes.describe(depth_size, max_steps, *sizes)


@dataclass(frozen=True)
class Pose:
    """The transformations of `base` and `hand`, (4, 4) in the scene."""

    base: np.ndarray
    hand: np.ndarray

    @property
    def place(self) -> np.ndarray:
        """The base (2,) in the home."""
        place: np.ndarray = to_home(self.base[:3, 3])[:2]
        return place

    @property
    def heading(self) -> float:
        """Radians in the home."""
        x, y, _ = to_home(self.base[:3, 0])
        return math.atan2(y, x)

    def along_base(self, vector: np.ndarray) -> np.ndarray:
        """Turn a vector (3,) from the hand's axes to the base's."""
        turned: np.ndarray = self.base[:3, :3].T @ self.hand[:3, :3] @ vector
        return turned

    def seen(self, place: np.ndarray) -> np.ndarray:
        """Where a place (3,) of the scene is in the base frame, seen from above, (2,)."""
        ahead: np.ndarray = self.base[:3, :2].T @ (place - self.base[:3, 3])
        return ahead


def to_state(
    pose: Pose,
    hand: np.ndarray,
    start: np.ndarray,
    flags: tuple[float, float, float],
    joints: np.ndarray,
) -> np.ndarray:
    """`state` (12 + J) float32, from habitat-lab's sensors.

    `hand` (3,) is in the base frame, `start` (3,) is the object's initial place relative to the
    hand, along the hand's axes. `flags` are holding, contact and the fraction of steps that is
    left. `joints` (J,) is empty if actions move the hand.
    """
    way = pose.along_base(start)
    return np.concatenate([hand, hand + way, way, flags, joints]).astype(np.float32)


def to_privileged(
    pose: Pose, path: Sequence[np.ndarray], length: float, start: np.ndarray
) -> np.ndarray:
    """`privileged` (6 + S) float32, from the corners (3,) of the shortest path in the scene, its
    `length` in metres, and `start` (S,), the object's initial place as in `to_state`, or empty."""
    corners = [pose.seen(corner) for corner in path]
    ahead = [corner for corner in corners if np.linalg.norm(corner) > CLOSE] or corners[-1:]
    known = (pose.place, [pose.heading], ahead[0], [length], start)
    return np.concatenate(known, dtype=np.float32, casting="same_kind")


def joint_moves(
    jacobian: np.ndarray, move: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Turns (J,) of the joints, in radians between `low` and `high`, for a `move` (3,) of the hand.

    A column of the `jacobian` (3, J) is the move per radian of a joint. The turns solve damped
    least squares. When joints reach their limits, the other joints make the rest of the move.
    """
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
