"""What matters on the maps of MiniGrid and BabyAI tasks: the mission's things, and what helps."""

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from env.missions import OPEN, PUT_NEXT
from env.packed_maps import pack_cell
from env.symbols import BOX, EMPTY, KEY
from planner.room_scene import NOWHERE
from planner.world_asks import VERBS, Ask
from planner.world_fits import fits, held_fits, lies_farther_ahead
from planner.world_things import BLOCKED, FAR, FREE, LOCKED_AWAY, NOT_SEEN, UNSURE, Ground, Things

IT, OTHER, LOCKED_DOOR, FITTING_KEY, OPENABLE_BOX, OBSTACLE, HAND, NOTHING = range(8)
"""Places of a scene: the mission's thing, what it is put next to, the locked door that matters, its
key, a box that may hold the key, what blocks a way, the agent's own cell, none."""
HOLDS_NOTHING, HOLDS_IT, HOLDS_KEY, HOLDS_THING = range(4)
_COLORS, _WAYS = 8, 8
"""More than there are colours, and more than there are kinds of ways."""


class Sight(NamedTuple):
    """What S scenes tell.

    `states` (S, 7) int64: the verb, the thing and the other thing of the ask; whether the mission
    is to open a locked door; what the agent holds; a bit for each place that is told;
    and a bit for each of these to which there is no way. `cells` (S, 8) int64: where each place is,
    or NOWHERE.
    """

    states: Tensor
    cells: Tensor


def look(image: Tensor, start: Tensor, asks: Tensor) -> Sight:
    """From maps (S, W, H, 4) and starts (S, 3), both uint8, and asks (S, 8) int64."""
    ground, ask = Ground(image), Ask(*asks.unbind(1))
    things = Things.on(ground)
    numbers = _nearest_of_all(things, start, ask)
    ways = things.way[numbers]
    it, other, door, key, box = ways.unbind(1)
    opens, puts = ask.verb == VERBS.index(OPEN), ask.verb == VERBS.index(PUT_NEXT)

    # What the mission needs a way to. To go to what it holds, the agent drops it.
    holds_it = held_fits(ground, ask) & ~opens
    needs_it = ~(holds_it & (puts | (it == NOT_SEEN)))
    worst = torch.maximum(torch.where(needs_it, it, FREE), torch.where(puts, other, FREE))

    # Doors are unlocked if there is no other way, or their key is known.
    explored = ~ground.explorable
    opens_locked = opens & things.locked[numbers[:, IT]]
    holds_key = ground.held_kind == KEY
    holds_key &= ground.held_color == things.color[numbers[:, LOCKED_DOOR]]
    unlocks = (explored | holds_key | (key <= BLOCKED)) & (door != NOT_SEEN)
    unlocks = opens_locked | (unlocks & (worst >= LOCKED_AWAY))
    holds_key &= unlocks
    needs_key = unlocks & ~holds_key
    needs_box = needs_key & (key > BLOCKED) & explored

    told = [~(puts & holds_it), puts & holds_it, unlocks & ~opens_locked, needs_key, needs_box]
    matters = torch.stack([needs_it, puts, *told[2:]], 1)
    hidden = _packed(things, numbers, matters & (ways == BLOCKED))
    can_unlock = unlocks & (door <= UNSURE) & (holds_key | (key <= UNSURE))
    can_open_box = needs_box & (box <= UNSURE)
    stuck = (unlocks | (worst >= BLOCKED)) & explored & ~can_unlock & ~can_open_box
    stuck &= ~hidden.any(1)
    hidden |= ground.unseen * stuck[:, None]
    obstacle = things.nearest(things.is_in(ground.blockers(hidden)))[:, None]

    numbers, ways = torch.cat([numbers, obstacle], 1), torch.cat([ways, things.way[obstacle]], 1)
    named = torch.stack([*told, torch.ones_like(puts)], 1) & (ways != NOT_SEEN)
    holds = torch.where(ground.held_kind == EMPTY, HOLDS_NOTHING, HOLDS_THING)
    holds[holds_it] = HOLDS_IT
    holds[holds_key] = HOLDS_KEY
    state = [ask.verb, ask.thing, ask.other.clamp(min=0), opens_locked.long(), holds]
    state += [_bits(named), _bits(named & (ways >= BLOCKED))]
    cells = torch.where(named, things.cell[numbers], NOWHERE)
    own = ground.agent[:, None]
    return Sight(torch.stack(state, 1), torch.cat([cells, own, torch.full_like(own, NOWHERE)], 1))


def _nearest_of_all(things: Things, start: Tensor, ask: Ask[Tensor]) -> Tensor:
    """(S, 5) int64: the numbers of the things that the places IT to OPENABLE_BOX stand for."""
    door_rank = _door_rank(things)
    opens_locked = (ask.verb == VERBS.index(OPEN))[things.step] & things.locked
    rank = torch.where(opens_locked, NOT_SEEN + door_rank, things.way)
    rank = lies_farther_ahead(things, start, ask, rank)
    it = things.nearest(fits(things, start, ask.thing, ask.color, ask.place), rank)
    other = things.nearest(fits(things, start, ask.other, ask.other_color, ask.other_place))
    # If the mission is to open a locked door, that door matters.
    door = torch.where(
        (ask.verb == VERBS.index(OPEN)) & things.locked[it],
        it,
        things.nearest(things.locked, door_rank),
    )
    key = things.nearest((things.kind == KEY) & (things.color == things.color[door][things.step]))
    kept = (ask.kept[things.step] >> things.color & 1).bool()
    box = things.nearest((things.kind == BOX) & ~kept)
    return torch.stack([it, other, door, key, box], 1)


def _door_rank(things: Things) -> Tensor:
    """(K,) the smaller, the more a locked door matters: its key is in hand, or is the nearest.

    The nearest door does not matter: it may become another one while the agent walks to the key.
    """
    ground = things.ground
    is_key = things.kind == KEY
    slot = things.step * _COLORS + things.color
    to_key = torch.full((ground.shape[0] * _COLORS,), NOT_SEEN * FAR, device=slot.device)
    to_key.scatter_reduce_(0, slot[is_key], (things.way * FAR + things.distance)[is_key], "amin")
    held = (ground.held_kind == KEY)[things.step] & (ground.held_color[things.step] == things.color)
    away = (things.way == LOCKED_AWAY).long()
    rank = away * _WAYS * FAR + torch.where(held, 0, 1 + to_key[slot])
    return rank * _WAYS + things.way


def _packed(things: Things, numbers: Tensor, which: Tensor) -> Tensor:
    """The packed cells of the things with these numbers (S, P), where `which` (S, P) is set."""
    ground = things.ground
    cells = torch.where(which, things.cell[numbers], NOWHERE)
    packed = [pack_cell(cell, ground.shape[2], ground.unseen) for cell in cells.unbind(1)]
    return functools.reduce(torch.bitwise_or, packed)


def _bits(columns: Tensor) -> Tensor:
    """(S, P) bool -> (S,) int64 with a bit for each column."""
    return (columns.long() << torch.arange(columns.shape[1], device=columns.device)).sum(1)
