"""Which things are those that a mission names, by kind, colour and place."""

import torch
from torch import Tensor

from env.missions import KINDS
from env.packed_maps import flood, pack, pack_one, touched
from env.symbols import BALL, BOX, DOOR, GOAL, KEY, UNSEEN, WALL
from planner.world_asks import ANY, Ask
from planner.world_things import Ground, Things

OBJECT, MATCHING = KINDS.index("object"), KINDS.index("matching object")
TYPE_OF = {"ball": BALL, "box": BOX, "key": KEY, "door": DOOR, "goal": GOAL}
HEADINGS = (1, 0), (0, 1), (-1, 0), (0, -1)
_SLOTS = 256
"""More than there are pairs of a type and a colour, as type * 16 + colour."""


def fits(things: Things, start: Tensor, kind: Tensor, color: Tensor, place: Tensor) -> Tensor:
    """(K,) bool: the things of the kind, the colour and the place that each map's mission names.

    `start` (S, 3) uint8. `kind`, `color`, `place` (S,) int64 are numbers as in `Ask`. An object is
    a ball, a box or a key. The agent may have moved a thing from its place. So if all is explored
    and no thing is in its place, the place does not count.
    """
    movable = (things.kind == BALL) | (things.kind == BOX) | (things.kind == KEY)
    types = things.kind.new_tensor([TYPE_OF.get(name, -1) for name in KINDS] + [-1])
    asked, ground = kind[things.step], things.ground
    found = (types[asked] == things.kind) | ((asked == OBJECT) & movable)
    found &= (color == ANY)[things.step] | (color[things.step] == things.color)
    if (kind == MATCHING).any():
        found |= (asked == MATCHING) & movable & _lies_twice(things)
    if (place == ANY).all():
        return found
    in_place = found & _in_place(things, start, place)
    missing = torch.ones_like(place, dtype=torch.bool)
    missing[things.step[in_place]] = False
    anywhere = (place == ANY) | (missing & ~ground.explorable)
    return in_place | (found & anywhere[things.step])


def held_fits(ground: Ground, ask: Ask[Tensor]) -> Tensor:
    """(S,) bool: whether the agent holds the thing of the mission, wherever it lay."""
    kind = ground.held_kind
    movable = (kind == BALL) | (kind == BOX) | (kind == KEY)
    types = kind.new_tensor([TYPE_OF.get(name, -1) for name in KINDS])
    found = (types[ask.thing] == kind) | ((ask.thing == OBJECT) & movable)
    return found & ((ask.color == ANY) | (ask.color == ground.held_color))


def lies_farther_ahead(things: Things, start: Tensor, ask: Ask[Tensor], rank: Tensor) -> Tensor:
    """The rank of things, and for the matching object: the farther ahead of the start, the less."""
    if not (ask.thing == MATCHING).any():
        return rank
    ahead, _ = _from_start(things, start)
    farthest = sum(things.ground.shape[1:])
    return torch.where(ask.thing[things.step] == MATCHING, farthest - ahead, rank)


def _from_start(things: Things, start: Tensor) -> tuple[Tensor, Tensor]:
    """How far things lie ahead and to the right of the agent at the start, (K,) int64 each."""
    height = things.ground.shape[2]
    x, y, direction = start.long()[things.step].unbind(1)
    dx, dy = torch.tensor(HEADINGS, device=start.device)[direction].unbind(1)
    x, y = things.cell // height - x, things.cell % height - y
    return x * dx + y * dy, y * dx - x * dy


def _in_place(things: Things, start: Tensor, place: Tensor) -> Tensor:
    """Whether things are in the room of the start, and in front, behind, left or right there."""
    ahead, right = _from_start(things, start)
    sides = torch.stack([ahead > 0, ahead < 0, right < 0, right > 0], 1)
    on_side = sides.gather(1, place.clamp(min=0)[things.step][:, None])[:, 0]
    ground = things.ground
    kind = ground.kind.view(ground.shape)
    inside = pack((kind != WALL) & (kind != DOOR) & (kind != UNSEEN))
    x, y, _ = start.long().unbind(1)
    return on_side & things.is_in(touched(flood(inside, pack_one(x, y, inside))))


def _lies_twice(things: Things) -> Tensor:
    slot = things.step * _SLOTS + things.kind * 16 + things.color
    count = torch.bincount(slot, minlength=things.ground.shape[0] * _SLOTS)
    return count[slot] > 1
