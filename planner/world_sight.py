"""What matters on the maps of MiniGrid and BabyAI tasks: the mission's things, and what helps."""

from typing import NamedTuple

import torch
from torch import Tensor

from env.missions import OPEN, PUT_NEXT
from env.packed_maps import pack_one
from env.symbols import BOX, EMPTY, KEY
from planner.room_scene import NOWHERE
from planner.world_asks import VERBS, Ask
from planner.world_fits import fits, held_fits, lies_farther_ahead
from planner.world_things import BLOCKED, FREE, LOCKED_AWAY, NOT_SEEN, UNSURE, Ground, Things

IT, OTHER, LOCKED_DOOR, FITTING_KEY, OPENABLE_BOX, OBSTACLE, HAND, NOTHING = range(8)
"""Places of a scene: the mission's thing, what it is put next to, the locked door that matters, its
key, a box that may hold the key, what blocks a way, the agent's own cell, none."""
HOLDS_NOTHING, HOLDS_IT, HOLDS_KEY, HOLDS_THING = range(4)
_COLORS, _RANKS = 8, 8
"""More than there are colours, and more than there are kinds of ways."""


class Sight(NamedTuple):
    """What S scenes tell.

    `states` (S, 7) int64: the verb and the thing of the ask, its other thing plus 1 or 0; whether
    the mission is to open a locked door; what the agent holds; a bit for each place that is told;
    and a bit for each of these to which there is no way. `cells` (S, 8) int64: where each place is,
    or NOWHERE.
    """

    states: Tensor
    cells: Tensor


def look(image: Tensor, start: Tensor, asks: Tensor) -> Sight:
    """From maps (S, W, H, 4) and starts (S, 3), both uint8, and asks (S, 8) int64."""
    ground, ask = Ground(image), Ask(*asks.unbind(1))
    things = Things.on(ground)
    opens, puts = ask.verb == VERBS.index(OPEN), ask.verb == VERBS.index(PUT_NEXT)
    holds_it = held_fits(ground, ask) & ~opens

    door_rank = _door_rank(things)
    rank = torch.where(opens[things.step] & things.locked, NOT_SEEN + door_rank, things.way)
    rank = lies_farther_ahead(things, start, ask, rank)
    it = things.nearest(fits(things, start, ask.thing, ask.color, ask.place), rank)
    other = things.nearest(fits(things, start, ask.other, ask.other_color, ask.other_place))
    opens_locked = opens & things.locked[it]
    door = torch.where(opens_locked, it, things.nearest(things.locked, door_rank))
    key = things.nearest((things.kind == KEY) & (things.color == things.color[door][things.step]))
    kept = (ask.kept[things.step] >> things.color & 1).bool()
    box = things.nearest((things.kind == BOX) & ~kept)

    # The worst of the ways to the things that the mission needs now.
    way, other_way = things.way[it], things.way[other]
    has_it = holds_it & (puts | (way == NOT_SEEN))
    worst = torch.maximum(torch.where(has_it, FREE, way), torch.where(puts, other_way, FREE))
    door_way, key_way, box_way = (things.way[number] for number in (door, key, box))
    explored = ~ground.explorable()
    holds_key = (ground.held_kind == KEY) & (ground.held_color == things.color[door])
    holds_key &= door_way != NOT_SEEN
    unlocks = worst >= LOCKED_AWAY
    unlocks &= (door_way != NOT_SEEN) & (explored | holds_key | (key_way <= BLOCKED))
    unlocks |= opens_locked
    holds_key &= unlocks
    needs_key = unlocks & ~holds_key
    needs_box = needs_key & (key_way > BLOCKED) & explored

    told = torch.stack([~(holds_it & puts), puts, unlocks & ~opens_locked, needs_key, needs_box], 1)
    numbers = torch.stack([it, other, door, key, box], 1)
    ways = things.way[numbers]
    matters = told.clone()
    matters[:, IT] &= ~has_it
    blocked = _cells_of(things, numbers, matters & (ways == BLOCKED))
    can_unlock = unlocks & (door_way <= UNSURE) & (holds_key | (key_way <= UNSURE))
    can_open_box = needs_box & (box_way <= UNSURE)
    stuck = (worst >= BLOCKED) & explored & ~can_unlock & ~can_open_box & ~blocked.any(1)
    hidden = blocked | ground.unseen * stuck[:, None]
    obstacle = things.nearest(things.is_in(ground.blockers(hidden)))[:, None]

    numbers = torch.cat([numbers, obstacle], 1)
    told = torch.cat([told, things.way[obstacle] != NOT_SEEN], 1)
    ways = things.way[numbers]
    told &= ways != NOT_SEEN
    holds = torch.where(ground.held_kind == EMPTY, HOLDS_NOTHING, HOLDS_THING)
    holds[holds_key] = HOLDS_KEY
    holds[holds_it] = HOLDS_IT
    state = [ask.verb, ask.thing, ask.other + 1, opens_locked.long(), holds]
    state += [_bits(told), _bits(told & (ways >= BLOCKED))]
    own = ground.agent[:, None]
    nowhere = torch.full_like(own, NOWHERE)
    cells = torch.where(told, things.cell[numbers], NOWHERE)
    return Sight(torch.stack(state, 1), torch.cat([cells, own, nowhere], 1))


def _door_rank(things: Things) -> Tensor:
    """(K,) the smaller, the more a locked door matters: its key is in hand, or was seen."""
    ground = things.ground
    is_key = things.kind == KEY
    slot = things.step * _COLORS + things.color
    key_way = torch.full((ground.shape[0] * _COLORS,), NOT_SEEN, device=slot.device)
    key_way.scatter_reduce_(0, slot[is_key], things.way[is_key], "amin")
    held = (ground.held_kind == KEY)[things.step] & (ground.held_color[things.step] == things.color)
    rank = torch.where(held, 0, 1 + key_way[slot])
    away = (things.way == LOCKED_AWAY).long()
    return (away * _RANKS + rank) * _RANKS + things.way


def _cells_of(things: Things, numbers: Tensor, which: Tensor) -> Tensor:
    """The packed cells of the things with these numbers (S, P), where (S, P) bool is set."""
    height = things.ground.shape[2]
    packed = torch.zeros_like(things.ground.unseen)
    for number, chosen in zip(numbers.unbind(1), which.unbind(1), strict=True):
        cell = things.cell[number].clamp(min=0)
        packed |= pack_one(cell // height, cell % height, packed) * chosen[:, None]
    return packed


def _bits(columns: Tensor) -> Tensor:
    """(S, P) bool -> (S,) int64 with a bit for each column."""
    return (columns.long() << torch.arange(columns.shape[1], device=columns.device)).sum(1)
