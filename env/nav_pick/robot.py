"""The robot: a disc that slides along boxes, and an arm that is only a range of reach."""

import torch
from torch import Tensor

RADIUS = 0.3
SHOULDER = 0.1, 0.0, 0.8
SHORTEST, LONGEST = 0.3, 0.9
"""Metres: the range of the hand's distance from the shoulder."""
GRASP = 0.15
"""Metres: a closing hand holds an object within this distance."""
CAMERA_HEIGHT = 1.1

# The base stays this far away from boxes, so that rounding never lets it in.
SKIN = 1e-3
TOUCH = 1e-4
ROUNDS = 3


def slide(position: Tensor, move: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Move the base among boxes.

    `position` and `move` are (N, 2), the footprints from `low` to `high` (N, B, 2), in metres.
    Returns the move that is made (N, 2), and whether something was in the way (N,) bool.

    The tangent at each box's nearest point bounds the move, so the disc never enters a box. The
    allowed moves are a convex set that contains 0. The command is projected onto one half-plane
    after the other, so no move is longer than its command. The last line shortens a move that still
    violates a bound after all rounds, where walls meet at odd angles.
    """
    away = position[:, None] - position[:, None].clamp(low, high)
    distance = away.square().sum(2).sqrt()
    normal = away / distance.clamp(min=1e-6)[..., None]
    room = (distance - RADIUS - SKIN).clamp(min=0)
    x, y = normal.unbind(2)
    made, touches = move, torch.zeros_like(distance[:, 0], dtype=torch.bool)
    for _ in range(ROUNDS):
        excess, nearest = (-(x * made[:, :1] + y * made[:, 1:]) - room).max(1, keepdim=True)
        touches = touches | (excess[:, 0] > TOUCH)
        push = torch.cat([x.gather(1, nearest), y.gather(1, nearest)], 1)
        made = made + excess.clamp(min=0) * push
    into = -(x * made[:, :1] + y * made[:, 1:])
    left = (distance - RADIUS).clamp(min=1e-9)
    share = (left / torch.maximum(into, left)).amin(1, keepdim=True)
    return made * share, touches


def within_reach(hand: Tensor, shoulder: Tensor) -> Tensor:
    """The reachable place (N, 3) on the line from the shoulder to `hand`, in the base frame."""
    arm = hand - shoulder
    arm = torch.cat([arm[:, :1].clamp(min=0), arm[:, 1:]], 1)
    length = arm.square().sum(1, keepdim=True).sqrt().clamp(min=1e-6)
    return shoulder + arm * (length.clamp(SHORTEST, LONGEST) / length)


def ground(thing: Tensor, boxes: Tensor) -> Tensor:
    """The height (N,) of the highest box (N, B, 6) under a thing (N, 3), or 0 for the floor."""
    low, high = boxes.split(3, 2)
    middle = thing[:, None, :2]
    under = ((middle >= low[..., :2]) & (middle <= high[..., :2])).all(2)
    under &= high[..., 2] <= thing[:, 2:]
    height: Tensor = (under * high[..., 2]).amax(1)
    return height


def to_world(vector: Tensor, heading: Tensor) -> Tensor:
    """Turn vectors (N, 2 or 3) from the base's axes to the home's; `heading` (N,)."""
    cos, sin = heading.cos(), heading.sin()
    x, y, *rest = vector.unbind(1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, *rest], 1)


def to_base(vector: Tensor, heading: Tensor) -> Tensor:
    """Turn vectors from the home's axes to the base's."""
    return to_world(vector, -heading)
