"""Indices into the actions and observations of Nav & Pick; the package explains them."""

import math

import torch
from torch import Tensor

ACTIONS = "forward", "turn", "hand x", "hand y", "hand z", "grip"
FORWARD, TURN, HAND_MOVE, GRIP = 0, 1, slice(2, 5), -1


def action_names(size: int) -> tuple[str, ...]:
    """Names of `size` actions: `ACTIONS`, or those of an arm that is moved joint by joint."""
    if size == len(ACTIONS):
        return ACTIONS
    return (*ACTIONS[:2], *(f"joint {number}" for number in range(1, size - 2)), ACTIONS[GRIP])


STATE_SIZE = 12
HAND, OBJECT, OBJECT_FROM_HAND = slice(0, 3), slice(3, 6), slice(6, 9)
HOLDING, CONTACT, TIME_LEFT = 9, 10, 11
REST = 0.5, 0.0, 1.0
"""The hand at the start of an episode, in the base frame."""

PRIVILEGED_SIZE = 6
"""Length of `privileged`, which only scripted options see."""
WAYPOINT, PATH = slice(3, 5), 5

OWN_JOINTS, OWN_OBJECT = slice(12, None), slice(6, 9)
"""Extra numbers for an arm that is moved joint by joint. At the end of `state`: the joints. At the
end of `privileged`: the object's initial place relative to the hand, along the hand's axes."""

SECONDS = 0.1
"""Duration of a control step."""
DRIVEN, TURNED, REACHED = 0.5 * SECONDS, math.pi / 2 * SECONDS, 0.5 * SECONDS
"""In one step at full command: metres of the base, radians, metres of the hand along each axis."""

NEAR, FACING = 0.95, 0.2
"""Seen from above, an object is near within `NEAR` metres of the middle of the base, and faced
within `FACING` radians of straight ahead."""


def is_near(state: Tensor) -> Tensor:
    """(S,) bool: whether the object's initial place is near, for states (S, 12)."""
    x, y, _ = state[:, OBJECT].unbind(1)
    near: Tensor = x.square() + y.square() <= NEAR**2
    return near


def is_faced(state: Tensor) -> Tensor:
    """(S,) bool: whether the object's initial place is ahead, for states (S, 12)."""
    x, y, _ = state[:, OBJECT].unbind(1)
    return torch.atan2(y, x).abs() <= FACING


def is_held(state: Tensor) -> Tensor:
    """(S,) bool: whether the hand holds the object, for states (S, 12)."""
    return state[:, HOLDING] > 0
