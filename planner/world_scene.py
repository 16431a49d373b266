"""Scenes in MiniGrid and BabyAI tasks: a map and a mission in words, for a whole batch at once."""

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from env.missions import KINDS, OPEN, PICK_UP, PUT_NEXT
from env.packed_maps import pack_cell
from env.symbols import BOX, DOOR, EMPTY, KEY
from planner import world_words as words
from planner.room_scene import NOWHERE
from planner.scene import Scenes
from planner.world_mission import (
    MATCHING,
    VERBS,
    Clauses,
    current_clauses,
    fits,
    held_fits,
    lies_ahead,
)
from planner.world_things import BLOCKED, FAR, FREE, LOCKED_AWAY, NOT_SEEN, UNSURE, Ground, Things
from planner.world_words import ANOTHER, VOCABULARY, SceneWords
from utils.tensors import Tensors

IT, OTHER, LOCKED_DOOR, FITTING_KEY, OPENABLE_BOX, OBSTACLE, HAND, NOTHING = range(8)
"""Roles in a scene: the mission's thing, what it is put next to, the locked door that matters, its
key, a box that may hold the key, what blocks a way, what is in hand, none."""
HOLDS_NOTHING, HOLDS_IT, HOLDS_KEY, HOLDS_THING = range(4)
_COLORS, _WAYS = 8, 8
"""More than there are colours, and more than there are kinds of ways."""


class WorldReader:
    """Turns maps and missions into scenes (planner/world_words.py).

    It uses no memory of earlier steps. Scenes come with `cells` (S, V) int64: where each name of
    the vocabulary is, as x * H + y, or `NOWHERE` if the scene does not name it. What is in hand is
    at the agent's own cell, unless the scene names another one that lies somewhere.
    """

    vocabulary = VOCABULARY

    def __init__(self) -> None:
        self.number = {name: number for number, name in enumerate(VOCABULARY)}

    def nouns(self) -> tuple[str, ...]:
        """The names that a plan may use. They have no colours.

        Doors come first, and "another locked door" before "door", which is a part of it.
        """
        return tuple(sorted(VOCABULARY, key=lambda name: (words.DOOR not in name, -len(name))))

    def forget(self, count: int, device: torch.device) -> Tensors:
        return {"cells": torch.full((count, len(VOCABULARY)), NOWHERE, device=device)}

    def read(self, obs: Tensors, memory: Tensors) -> Scenes:
        """S steps, `image` (S, W, H, 4), `mission`, `done` and `start`, all uint8 -> scenes."""
        clauses = current_clauses(obs["mission"], obs["done"])
        states, cell_of_role = _look(obs["image"], obs["start"], clauses)
        states, index = _distinct(states)
        number = dict[str, int]()
        texts = []
        roles = torch.full((len(states), len(VOCABULARY)), NOTHING)
        for i, state in enumerate(states.tolist()):
            scene, role_of = _in_words(*state)
            # Different states may have the same words.
            texts.append(number.setdefault(str(scene), len(number)))
            for name, role in role_of.items():
                roles[i, self.number[name]] = role
        cells = cell_of_role.gather(1, roles.to(index.device)[index])
        return Scenes(list(number), index.new_tensor(texts)[index], {"cells": cells})

    def remember(self, obs: Tensors, memory: Tensors) -> Tensors:
        return self.read(obs, memory).memory

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        """Like `read`: episodes do not matter, because the reader has no memory."""
        return self.read(obs, {})


class _Look(NamedTuple):
    """What the maps and missions of S steps tell.

    `states` (S, 6) int64, each below 64: the verb that must be done now, the thing and the other
    thing as numbers in `KINDS`, whether the thing is a locked door, what the agent holds, and a bit
    for each role that the scene names. `cells` (S, 8) int64: where each role is, x * H + y, or
    NOWHERE.
    """

    states: Tensor
    cells: Tensor


def _look(image: Tensor, start: Tensor, clauses: Clauses) -> _Look:
    """From maps (S, W, H, 4) and starts (S, 3), both uint8."""
    ground = Ground(image)
    things = Things.on(ground)
    numbers = _nearest_of_roles(things, start, clauses)
    it, other, door, key, box = things.way[numbers].unbind(1)
    opens, puts = clauses.verb == VERBS.index(OPEN), clauses.verb == VERBS.index(PUT_NEXT)

    # What the mission needs a way to. To go to what it holds, the agent drops it.
    holds_it = held_fits(ground, clauses.thing) & ~opens
    needs_it = ~(holds_it & (puts | (it == NOT_SEEN)))
    holds_other = held_fits(ground, clauses.other) & ~holds_it
    needs_other = puts & ~(holds_other & (other == NOT_SEEN))
    # If nothing can be put next to the other thing, that thing itself must be moved.
    cell_of_other = _packed(things, numbers[:, OTHER : OTHER + 1], needs_other[:, None])
    crowded = needs_other & (other < BLOCKED) & (things.kind[numbers[:, OTHER]] != DOOR)
    crowded &= ~ground.has_room_beside(cell_of_other)
    other = torch.where(crowded, BLOCKED, other)
    worst = torch.maximum(torch.where(needs_it, it, FREE), torch.where(needs_other, other, FREE))

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

    needs = torch.stack([needs_it, needs_other, unlocks & ~opens_locked, needs_key, needs_box], 1)
    ways = torch.stack([it, other, door, key, box], 1)
    hidden = _packed(things, numbers, needs & (ways == BLOCKED))
    can_unlock = unlocks & (door <= UNSURE) & (holds_key | (key <= UNSURE))
    can_open_box = needs_box & (box <= UNSURE)
    stuck = (unlocks | (worst >= BLOCKED)) & explored & ~can_unlock & ~can_open_box
    stuck &= ~hidden.any(1)
    hidden |= ground.unseen * stuck[:, None]
    obstacle = things.nearest(things.is_in(ground.blockers(hidden)))
    obstacle = torch.where(crowded, numbers[:, OTHER], obstacle)
    blocked = things.way[obstacle] != NOT_SEEN

    # A thing that is put somewhere is picked up when the way to its place is free.
    needs[:, IT] = ~puts | ~(holds_it | unlocks | blocked)
    needs[:, OTHER] = puts & holds_it
    named = torch.cat([needs & (ways < BLOCKED), blocked[:, None]], 1)
    verb = torch.where(puts & ~holds_it, VERBS.index(PICK_UP), clauses.verb)
    holds = torch.where(ground.held_kind == EMPTY, HOLDS_NOTHING, HOLDS_THING)
    holds[holds_it] = HOLDS_IT
    holds[holds_key] = HOLDS_KEY
    kinds = clauses.thing.kind, clauses.other.kind.clamp(min=0)
    states = torch.stack([verb, *kinds, opens_locked.long(), holds, _bits(named)], 1)
    cells = things.cell[torch.cat([numbers, obstacle[:, None]], 1)]
    own = ground.agent[:, None]
    nowhere = torch.full_like(own, NOWHERE)
    return _Look(states, torch.cat([torch.where(named, cells, nowhere), own, nowhere], 1))


def _nearest_of_roles(things: Things, start: Tensor, clauses: Clauses) -> Tensor:
    """(S, 5) int64: the numbers of the things that have the roles IT to OPENABLE_BOX."""
    opens = clauses.verb == VERBS.index(OPEN)
    door_rank = _door_rank(things)
    rank = torch.where(opens[things.step] & things.locked, NOT_SEEN + door_rank, things.way)
    matching = clauses.thing.kind == MATCHING
    if matching.any():
        # It lies at the end of the hallway: the farther ahead of the start, the sooner it counts.
        farthest = sum(things.ground.shape[1:])
        rank = torch.where(matching[things.step], farthest - lies_ahead(things, start), rank)
    it = things.nearest(fits(things, start, clauses.thing), rank)
    other = things.nearest(fits(things, start, clauses.other))
    # If the mission is to open a locked door, that door matters.
    nearest_door = things.nearest(things.locked, door_rank)
    door = torch.where(opens & things.locked[it], it, nearest_door)
    key = things.nearest((things.kind == KEY) & (things.color == things.color[door][things.step]))
    kept = (clauses.kept[things.step] >> things.color & 1).bool()
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
    """The packed cells of the things with these numbers (S, R), where `which` (S, R) is set."""
    ground = things.ground
    cells = torch.where(which, things.cell[numbers], NOWHERE)
    packed = [pack_cell(cell, ground.shape[2], ground.unseen) for cell in cells.unbind(1)]
    return functools.reduce(torch.bitwise_or, packed)


def _bits(columns: Tensor) -> Tensor:
    """(S, R) bool -> (S,) int64 with a bit for each column."""
    return (columns.long() << torch.arange(columns.shape[1], device=columns.device)).sum(1)


def _distinct(states: Tensor) -> tuple[Tensor, Tensor]:
    """(S, 6) numbers below 64 -> the different rows, and the index (S,) of each row among them."""
    shifts = 6 * torch.arange(states.shape[1], device=states.device)
    codes, index = (states << shifts).sum(1).unique(return_inverse=True)
    rows = states.new_zeros(len(codes), states.shape[1])
    rows[index] = states
    return rows, index


def _in_words(
    verb: int, thing: int, other: int, opens_locked: int, holds: int, named: int
) -> tuple[SceneWords, dict[str, int]]:
    """A row of `_Look.states` in words, and the role of each name."""
    first, second = _name(thing), None
    if VERBS[verb] == PUT_NEXT:
        second = ANOTHER + words.OBJECT if _name(other) == words.OBJECT else _name(other)
    names = {
        IT: words.LOCKED_DOOR if opens_locked else first,
        OTHER: second,
        LOCKED_DOOR: (ANOTHER if VERBS[verb] == OPEN else "") + words.LOCKED_DOOR,
        **{FITTING_KEY: words.KEY, OPENABLE_BOX: words.BOX, OBSTACLE: words.OBSTACLE},
    }
    role_of = {name: role for role, name in names.items() if name and named >> role & 1}
    held = {HOLDS_IT: first, HOLDS_KEY: words.KEY, HOLDS_THING: words.THING}.get(holds)
    verb_word = words.PUT if second else VERBS[verb]
    scene = SceneWords(verb_word, first, second, tuple(role_of), held)
    if held:
        role_of.setdefault(held, HAND)
    return scene, role_of


def _name(kind: int) -> str:
    return KINDS[kind] if KINDS[kind] in (words.DOOR, words.GOAL) else words.OBJECT
