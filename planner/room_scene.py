"""Scenes in rooms: a remembered map in words, for a whole batch of maps at once."""

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from env.symbols import BALL, BOX, COLOR_OF_INDEX, COLORS, DOOR, KEY, NO_AGENT, TYPES
from planner.plans import NOTHING
from planner.scene import Scenes
from utils.errors import UserError
from utils.tensors import Tensors

NOWHERE = -1
"""The cell of a thing that was not seen yet."""
COLOR = "{color}"
"""The placeholder in the name of a coloured thing."""


def in_words(sees: Sequence[str], holds: str | None) -> str:
    """The scene's text: what the agent sees, and what it holds."""
    seen = ", ".join(f"<{name}>" for name in sees or (NOTHING,))
    return f"Agent sees {seen}, holds <{holds or NOTHING}>."


def read_words(scene: str) -> tuple[tuple[str, ...], str | None]:
    """What a scene's text says that the agent sees, each name once, and what it holds."""
    *sees, holds = re.findall(r"<(.*?)>", scene)
    names = dict.fromkeys(name for name in sees if name != NOTHING)
    return tuple(names), None if holds == NOTHING else holds


class RoomReader:
    """Turns maps into scenes, with a task's names of things.

    `names` maps an object type to its name, in the order of the text. A name is "key",
    "{color} key", or a list such as ["door1", "door2"]: things get its names in the order of their
    (x, y), and further things are left out. UserError if a type is unknown, a name has another
    placeholder, or two things share a name.

    The memory is `cells` (N, V) int64: where each name of the vocabulary was last seen, as
    x * H + y, or `NOWHERE`.
    """

    def __init__(self, names: Mapping[str, str | list[str]]) -> None:
        for kind in names:
            if kind not in TYPES:
                raise UserError(f"names: {kind!r} is not one of the types {', '.join(TYPES)}")
        self.kinds = [(TYPES[kind], name) for kind, name in names.items()]
        self.kind: dict[str, int] = {}
        """Name -> type of every thing that may have a name."""
        for number, name in self.kinds:
            for word in _words(name, COLORS):
                if "{" in word or "}" in word:
                    raise UserError(f"names: {name!r}: {COLOR} is the only placeholder of a name")
                if word in self.kind:
                    raise UserError(
                        f"names: {word!r} is the name of two things; each needs its own"
                    )
                self.kind[word] = number
        self.vocabulary: tuple[str, ...] = tuple(self.kind)
        self.number = {word: number for number, word in enumerate(self.vocabulary)}

    def nouns(self, colors: Iterable[str] = COLORS) -> tuple[str, ...]:
        """The names that a plan may use, doors first. Coloured names take each of `colors`."""
        return tuple(self.named_kinds(colors))

    def named_kinds(self, colors: Iterable[str] = COLORS) -> dict[str, int]:
        """The type of each of these nouns."""
        kinds = sorted(self.kinds, key=lambda kind: kind[0] != DOOR)
        return {word: kind for kind, name in kinds for word in _words(name, colors)}

    def forget(self, count: int, device: torch.device) -> Tensors:
        """The memory of `count` new episodes: nothing was seen."""
        return {"cells": torch.full((count, len(self.vocabulary)), NOWHERE, device=device)}

    def read(self, obs: Tensors, memory: Tensors) -> Scenes:
        """One step of N episodes, `image` (N, W, H, 4) uint8 -> scenes with the new memory."""
        scenes = self._now(obs["image"])
        now = scenes.memory["cells"]
        scenes.memory["cells"] = torch.where(now == NOWHERE, memory["cells"], now)
        return scenes

    def remember(self, obs: Tensors, memory: Tensors) -> Tensors:
        """The memory that `read` gives, from a mask of the map for each name."""
        kind, color, _, direction = obs["image"].flatten(1, 2).unbind(-1)
        now = list[Tensor]()
        for number, name in self.kinds:
            # The agent's own cell shows what it carries.
            things = (kind == number) & (direction == NO_AGENT)
            if isinstance(name, list):
                place = things.cumsum(1)
                masks = [things & (place == nth) for nth in range(1, len(name) + 1)]
            elif COLOR in name:
                masks = [things & (color == COLORS[word]) for word in COLORS]
            else:
                masks = [things]
            # The first cell of several.
            now += [torch.where(mask.any(1), mask.byte().argmax(1), NOWHERE) for mask in masks]
        cells = torch.stack(now, 1)
        return {"cells": torch.where(cells == NOWHERE, memory["cells"], cells)}

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        """Whole episodes in a row, `image` (S, W, H, 4) uint8 and `starts` (S,) bool -> scenes."""
        scenes = self._now(obs["image"])
        now, step = scenes.memory["cells"], torch.arange(len(starts), device=starts.device)
        seen_at = torch.where(now == NOWHERE, -1, step[:, None]).cummax(0).values
        begun_at = torch.where(starts, step, 0).cummax(0).values
        last = now.gather(0, seen_at.clamp(min=0))
        scenes.memory["cells"] = torch.where(seen_at >= begun_at[:, None], last, NOWHERE)
        return scenes

    def _now(self, obs: Tensor) -> Scenes:
        """The scenes of S maps; their `cells` hold only what is on the map now."""
        count = len(obs)
        kind, color, _, direction = obs.flatten(1, 2).unbind(-1)
        agent = (direction != NO_AGENT).to(torch.uint8).argmax(1, keepdim=True)
        ground = kind.scatter(1, agent, 0)
        slots: list[tuple[str | list[str], int]] = []
        cells, codes = [], []
        for number, name in self.kinds:
            step, cell = (ground == number).nonzero(as_tuple=True)
            seen = torch.bincount(step, minlength=count)
            limit = int(seen.max()) if len(step) else 0
            place = torch.arange(len(step), device=obs.device) - (seen.cumsum(0) - seen)[step]
            if isinstance(name, list):
                limit = min(limit, len(name))
                step, cell, place = (each[place < limit] for each in (step, cell, place))
            where = torch.full((count, limit), NOWHERE, device=obs.device)
            where[step, place] = cell
            cells.append(where)
            codes.append(_code(name, color.gather(1, where.clamp(min=0)), where != NOWHERE))
            slots += [(name, place) for place in range(limit)]
        held_kind, held_color = kind.gather(1, agent), color.gather(1, agent)
        for number, name in self.kinds:
            if number in (KEY, BALL, BOX):
                codes.append(_code(name, held_color, held_kind == number))
                slots.append((name, 0))
        seen_slots = sum(where.shape[1] for where in cells)
        rows, index = _distinct_rows(torch.cat(codes, 1))
        distinct = []
        named = torch.full((len(rows), seen_slots), len(self.vocabulary))
        for i, row in enumerate(rows.tolist()):
            words = [
                _word(name, place, code) for (name, place), code in zip(slots, row, strict=True)
            ]
            sees = tuple(word for word in words[:seen_slots] if word)
            holds = next((word for word in words[seen_slots:] if word), None)
            distinct.append(in_words(sees, holds))
            for slot, word in enumerate(words[:seen_slots]):
                if word:
                    named[i, slot] = self.number[word]
        # The last column takes the empty slots and is dropped.
        now = torch.full((count, len(self.vocabulary) + 1), NOWHERE, device=obs.device)
        # If things share a name, the first by place counts.
        where = torch.cat(cells, 1)
        now.scatter_reduce_(1, named.to(obs.device)[index], where, "amin", include_self=False)
        return Scenes(distinct, index, {"cells": now[:, :-1]})


def _words(name: str | list[str], colors: Iterable[str]) -> list[str]:
    """All words that a name stands for."""
    if isinstance(name, list):
        return name
    return [name.replace(COLOR, color) for color in colors] if COLOR in name else [name]


def _code(name: str | list[str], color: Tensor, present: Tensor) -> Tensor:
    """A slot's content as a number: 0 if it is empty, else 1, or the colour's number plus 1."""
    code = color.long() + 1 if COLOR in name else torch.ones_like(color, dtype=torch.long)
    return code * present


def _distinct_rows(codes: Tensor) -> tuple[Tensor, Tensor]:
    """(S, slots) -> the distinct rows, and the index (S,) of each row among them.

    Works column by column on integers, which is several times faster than `unique(dim=0)`.
    """
    index = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
    for column in codes.T:
        index = (index * (len(COLORS) + 1) + column).unique(return_inverse=True)[1]
    rows = torch.zeros(int(index.max()) + 1, codes.shape[1], dtype=codes.dtype, device=codes.device)
    rows[index] = codes
    return rows, index


def _word(name: str | list[str], place: int, code: int) -> str:
    if not code:
        return ""
    if isinstance(name, list):
        return name[place]
    return name.replace(COLOR, COLOR_OF_INDEX[code - 1])
