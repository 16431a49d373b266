"""What missions ask for now, and which things on a map they mean, for a whole batch at once."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from env import missions
from env.missions import GO_TO, KINDS, OPEN, PICK_UP, PLACES, PUT_NEXT, Clause, Thing
from env.packed_maps import flood, pack, pack_one, touched
from env.symbols import BALL, BOX, COLORS, DOOR, GOAL, HEADINGS, KEY, UNSEEN, WALL
from planner.world_things import Ground, Things
from utils.tensors import changes

VERBS = (GO_TO, PICK_UP, OPEN, PUT_NEXT)
ANY = -1
"""Stands for a colour or a place that the mission leaves open, and for a missing thing."""
OBJECT, MATCHING = KINDS.index("object"), KINDS.index("matching object")
_TYPE_OF = {"ball": BALL, "box": BOX, "key": KEY, "door": DOOR, "goal": GOAL}
_SLOTS = 256
"""More than there are pairs of a type and a colour, as type * 16 + colour."""


class Named(NamedTuple):
    """The thing that each of S missions names, (S,) int64: its number in `KINDS`, its colour's
    number and its place's number in `PLACES`, or `ANY`."""

    kind: Tensor
    color: Tensor
    place: Tensor


class Clauses(NamedTuple):
    """The clause of S missions that the agent must carry out now.

    `verb` (S,) int64 is a number in `VERBS`. `kept` (S,) int64 has a bit for each colour of boxes
    that the mission still needs.
    """

    verb: Tensor
    thing: Named
    other: Named
    kept: Tensor


def current_clauses(mission: Tensor, done: Tensor) -> Clauses:
    """From (S, MOST_WORDS) and (S, MOST_CLAUSES) uint8: the first clause that is not carried out
    of each mission, or its last clause. Each mission is parsed once."""
    new, which = changes(mission, done)
    rows = torch.cat([mission, done], 1)[new].cpu().numpy()
    known = {row.tobytes(): row for row in rows}
    numbers = {
        text: _numbers(row[: mission.shape[1]], row[mission.shape[1] :].tolist())
        for text, row in known.items()
    }
    clauses = torch.tensor([numbers[row.tobytes()] for row in rows], device=mission.device)
    verb, *named, kept = clauses[which].unbind(1)
    return Clauses(verb, Named(*named[:3]), Named(*named[3:]), kept)


def _numbers(words: np.ndarray, done: list[int]) -> tuple[int, ...]:
    clauses = missions.parse(missions.to_words(words))
    left = [clause for clause, is_done in zip(clauses, done, strict=False) if not is_done]
    now = left[0] if left else clauses[-1]
    return VERBS.index(now.verb), *_named(now.thing), *_named(now.other), _kept(left)


def _named(thing: Thing | None) -> tuple[int, int, int]:
    if not thing:
        return ANY, ANY, ANY
    color = COLORS[thing.color] if thing.color else ANY
    return KINDS.index(thing.kind), color, PLACES.index(thing.place) if thing.place else ANY


def _kept(clauses: list[Clause]) -> int:
    things = [thing for clause in clauses for thing in (clause.thing, clause.other) if thing]
    colors = {thing.color for thing in things if thing.kind in ("box", "object")}
    return sum(1 << number for color, number in COLORS.items() if {color, None} & colors)


def fits(things: Things, start: Tensor, named: Named) -> Tensor:
    """(K,) bool: which things are those that each map's mission names. `start` (S, 3) uint8.

    The agent may have moved a thing from its place. So if all is explored and no thing is in its
    place, the place does not count.
    """
    kind, color, place = (number[things.step] for number in named)
    found = _is_like(things.kind, things.color, kind, color)
    if (named.kind == MATCHING).any():
        found |= (kind == MATCHING) & _is_movable(things.kind) & _lies_twice(things)
    if (named.place == ANY).all():
        return found
    in_place = found & _in_place(things, start, place)
    missing = torch.ones_like(things.ground.explorable)
    missing[things.step[in_place]] = False
    anywhere = missing & ~things.ground.explorable
    return in_place | (found & ((place == ANY) | anywhere[things.step]))


def held_fits(ground: Ground, named: Named) -> Tensor:
    """(S,) bool: whether the agent holds the thing that the mission names, wherever it lay."""
    return _is_like(ground.held_kind, ground.held_color, named.kind, named.color)


def lies_ahead(things: Things, start: Tensor) -> Tensor:
    """How far things lie ahead of the agent at the start, (K,) int64."""
    return _from_start(things, start)[0]


def _is_like(kind: Tensor, color: Tensor, named: Tensor, named_color: Tensor) -> Tensor:
    """Whether things have the kind and the colour that missions name. An object is a ball, a box or
    a key."""
    types = kind.new_tensor([_TYPE_OF.get(name, ANY) for name in KINDS] + [ANY])
    alike = (types[named] == kind) | ((named == OBJECT) & _is_movable(kind))
    return alike & ((named_color == ANY) | (named_color == color))


def _is_movable(kind: Tensor) -> Tensor:
    return (kind == BALL) | (kind == BOX) | (kind == KEY)


def _from_start(things: Things, start: Tensor) -> tuple[Tensor, Tensor]:
    """How far things lie ahead and to the right of the agent at the start, (K,) int64 each."""
    height = things.ground.shape[2]
    x, y, direction = start.long()[things.step].unbind(1)
    dx, dy = torch.tensor(HEADINGS, device=start.device)[direction].unbind(1)
    x, y = things.cell // height - x, things.cell % height - y
    return x * dx + y * dy, y * dx - x * dy


def _in_place(things: Things, start: Tensor, place: Tensor) -> Tensor:
    """(K,) bool: whether things are in the room of the start, and on the side `place` (K,)."""
    ahead, right = _from_start(things, start)
    sides = torch.stack([ahead > 0, ahead < 0, right < 0, right > 0], 1)
    on_side = sides.gather(1, place.clamp(min=0)[:, None])[:, 0]
    ground = things.ground
    kind = ground.kind.view(ground.shape)
    inside = pack((kind != WALL) & (kind != DOOR) & (kind != UNSEEN)) & ~ground.doorway
    x, y, _ = start.long().unbind(1)
    return on_side & things.is_in(touched(flood(inside, pack_one(x, y, inside))))


def _lies_twice(things: Things) -> Tensor:
    """(K,) bool: whether another thing of the same type and colour lies on the map."""
    slot = things.step * _SLOTS + things.kind * 16 + things.color
    count = torch.bincount(slot, minlength=things.ground.shape[0] * _SLOTS)
    return count[slot] > 1
