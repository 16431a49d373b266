"""Scenes in MiniGrid and BabyAI tasks: a map and a mission in words, for a whole batch at once."""

import torch
from torch import Tensor

from env.missions import KINDS, OPEN, PUT_NEXT
from planner.room_scene import NOWHERE
from planner.scene import Scenes
from planner.world_asks import VERBS, current_asks
from planner.world_sight import HAND, HOLDS_IT, HOLDS_KEY, HOLDS_THING, NOTHING, look
from planner.world_words import (
    ANOTHER,
    BOX,
    DOOR,
    GOAL,
    KEY,
    LOCKED_DOOR,
    OBJECT,
    OBSTACLE,
    PUT,
    THING,
    VOCABULARY,
    Deed,
    SceneWords,
)
from utils.tensors import Tensors


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
        return tuple(sorted(VOCABULARY, key=lambda name: (DOOR not in name, -len(name))))

    def forget(self, count: int, device: torch.device) -> Tensors:
        return {"cells": torch.full((count, len(VOCABULARY)), NOWHERE, device=device)}

    def read(self, obs: Tensors, memory: Tensors) -> Scenes:
        """S steps, `image` (S, W, H, 4), `mission`, `done` and `start`, all uint8 -> scenes."""
        asks, which = current_asks(obs["mission"], obs["done"])
        sight = look(obs["image"], obs["start"], asks[which])
        states, index = _distinct(sight.states)
        number = dict[str, int]()
        texts = []
        places = torch.full((len(states), len(VOCABULARY)), NOTHING)
        for i, state in enumerate(states.tolist()):
            words, place_of = _in_words(*state)
            # Different states may have the same words.
            texts.append(number.setdefault(str(words), len(number)))
            for name, place in place_of.items():
                places[i, self.number[name]] = place
        cells = sight.cells.gather(1, places.to(index.device)[index])
        return Scenes(list(number), index.new_tensor(texts)[index], {"cells": cells})

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        """Like `read`: episodes do not matter, because the reader has no memory."""
        return self.read(obs, {})


def _distinct(states: Tensor) -> tuple[Tensor, Tensor]:
    """(S, 7) numbers below 64 -> the different rows, and the index (S,) of each row among them."""
    shifts = 6 * torch.arange(states.shape[1], device=states.device)
    codes, index = (states << shifts).sum(1).unique(return_inverse=True)
    rows = states.new_zeros(len(codes), states.shape[1])
    rows[index] = states
    return rows, index


def _in_words(
    verb: int, thing: int, other: int, opens_locked: int, holds: int, told: int, no_way: int
) -> tuple[SceneWords, dict[str, int]]:
    """A row of `Sight.states` in words, and the place of each name (planner/world_sight.py)."""
    deed_verb = PUT if VERBS[verb] == PUT_NEXT else VERBS[verb]
    first, second = _name(thing), None
    if deed_verb == PUT:
        second = ANOTHER + OBJECT if _name(other) == OBJECT else _name(other)
    names = (
        LOCKED_DOOR if opens_locked else first,
        second,
        ANOTHER + LOCKED_DOOR if deed_verb == OPEN else LOCKED_DOOR,
        *(KEY, BOX, OBSTACLE),
    )
    told_ones = [(name, place) for place, name in enumerate(names) if told >> place & 1]
    place_of = {name: place for name, place in told_ones if name}
    without_way = tuple(name for name, place in place_of.items() if no_way >> place & 1)
    held = {HOLDS_IT: first, HOLDS_KEY: KEY, HOLDS_THING: THING}.get(holds)
    scene = SceneWords(Deed(deed_verb, first, second), tuple(place_of), held, without_way)
    if held:
        place_of.setdefault(held, HAND)
    return scene, place_of


def _name(kind: int) -> str:
    return KINDS[kind] if KINDS[kind] in (DOOR, GOAL) else OBJECT
