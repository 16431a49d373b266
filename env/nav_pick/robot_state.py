"""What the numbers of Nav & Pick stand for; the package says what they mean."""

import math

import torch
from torch import Tensor

ACTIONS = "forward", "turn", "hand x", "hand y", "hand z", "grip"
FORWARD, TURN, HAND_MOVE, GRIP = 0, 1, slice(2, 5), -1


def action_names(size: int) -> tuple[str, ...]:
    """Of actions of so many numbers: `ACTIONS`, or those of an arm that is moved joint by joint."""
    if size == len(ACTIONS):
        return ACTIONS
    return (*ACTIONS[:2], *(f"joint {number}" for number in range(1, size - 2)), ACTIONS[GRIP])


STATE_SIZE = 12
HAND, OBJECT, OBJECT_FROM_HAND = slice(0, 3), slice(3, 6), slice(6, 9)
HOLDING, CONTACT, TIME_LEFT = 9, 10, 11
REST = 0.5, 0.0, 1.0
"""The hand at the start of an episode, in the base frame."""

PRIVILEGED_SIZE = 6
"""What an observation has under `privileged`, which is for scripted options alone."""
WAYPOINT, PATH = slice(3, 5), 5

OWN_JOINTS, OWN_OBJECT = slice(12, None), slice(6, 9)
"""Where an arm is moved joint by joint: the joints, behind the rest of `state`; and, behind that of
`privileged`, where the object lay, from the hand and along the axes of the hand."""

SECONDS = 0.1
"""A control step."""
SPEED, TURN_SPEED, HAND_SPEED = 0.5, math.pi / 2, 0.5
"""m/s, rad/s, and m/s along each axis, at full command."""

NEAR, FACING = 0.95, 0.2
"""An object is within reach where the middle of the base is so near to it, as seen from above, in
metres, and faced where it is at most so far to the side, in radians."""


def is_near(state: Tensor) -> Tensor:
    """(S,) bool: whether the place where the object lay is within reach, of states (S, 12)."""
    x, y, _ = state[:, OBJECT].unbind(1)
    near: Tensor = x.square() + y.square() <= NEAR**2
    return near


def is_faced(state: Tensor) -> Tensor:
    """(S,) bool: whether it lies ahead."""
    x, y, _ = state[:, OBJECT].unbind(1)
    return torch.atan2(y, x).abs() <= FACING


def is_held(state: Tensor) -> Tensor:
    """(S,) bool."""
    return state[:, HOLDING] > 0
