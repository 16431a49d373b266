"""The robot: a disc that slides along what it touches, and an arm reduced to its reach."""

import torch
from torch import Tensor

RADIUS = 0.3
SHOULDER = 0.1, 0.0, 0.8
SHORTEST, LONGEST = 0.3, 0.9
"""The hand's distance from the shoulder; it is never behind it."""
GRASP = 0.15
"""An object within this distance of the hand is held when the grip closes."""
CAMERA_HEIGHT = 1.1

# The base keeps this far from boxes, so that rounding does not let it in.
SKIN = 1e-3
TOUCH = 1e-4
ROUNDS = 3


def slide(position: Tensor, move: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """How far the base comes among boxes when it is told to move.

    `position` and `move` (N, 2), the boxes' footprints from `low` to `high` (N, B, 2), metres.
    Returns the move that is made (N, 2), and where something was in the way (N,) bool.

    What lies behind the tangent at a box's nearest point is closed: so boxes, grown by the radius,
    are never entered. The moves that are left are a convex set with 0 in it, and the command is
    projected onto one half-plane of it after the other: so a move is never longer than its command.
    What the rounds leave of a violation, by walls that meet at odd angles, shortens the move.
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
    """The place the arm can reach, (N, 3) in the base frame, along the line from the shoulder."""
    arm = hand - shoulder
    arm = torch.cat([arm[:, :1].clamp(min=0), arm[:, 1:]], 1)
    length = arm.square().sum(1, keepdim=True).sqrt().clamp(min=1e-6)
    return shoulder + arm * (length.clamp(SHORTEST, LONGEST) / length)


def ground(thing: Tensor, boxes: Tensor) -> Tensor:
    """How high (N,) what is under a thing (N, 3) ends: the highest of the boxes (N, B, 6) below, or
    the floor."""
    low, high = boxes.split(3, 2)
    middle = thing[:, None, :2]
    under = ((middle >= low[..., :2]) & (middle <= high[..., :2])).all(2)
    under &= high[..., 2] <= thing[:, 2:]
    height: Tensor = (under * high[..., 2]).amax(1)
    return height


def to_world(vector: Tensor, heading: Tensor) -> Tensor:
    """(N, 2 or 3) from the axes of the base to those of the home; `heading` (N,)."""
    cos, sin = heading.cos(), heading.sin()
    x, y, *rest = vector.unbind(1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, *rest], 1)


def to_base(vector: Tensor, heading: Tensor) -> Tensor:
    """The other way."""
    return to_world(vector, -heading)
