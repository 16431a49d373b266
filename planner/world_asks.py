"""What missions ask for now, as numbers, for a whole batch at once."""

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from env import missions
from env.missions import GO_TO, KINDS, OPEN, PICK_UP, PLACES, PUT_NEXT, Clause, Thing
from env.symbols import COLORS

VERBS = (GO_TO, PICK_UP, OPEN, PUT_NEXT)
ANY = -1
"""Stands for a colour or a place that the mission leaves open, and for a missing thing."""


Number = TypeVar("Number", int, Tensor)


class Ask(NamedTuple, Generic[Number]):
    """What a mission asks for now: numbers of one mission, or tensors (S,) for a batch.

    `verb` is its number in `VERBS`. A thing is its number in `KINDS`, its colour's number and its
    place's number in `PLACES`, or `ANY`. `kept` has a bit for each colour of boxes that the mission
    still needs.
    """

    verb: Number
    thing: Number
    color: Number
    place: Number
    other: Number
    other_color: Number
    other_place: Number
    kept: Number


def current_asks(mission: Tensor, done: Tensor) -> tuple[Tensor, Tensor]:
    """From (S, MOST_WORDS) and (S, MOST_CLAUSES) uint8: the different asks (U, 8) int64, and which
    of them each step has (S,)."""
    rows = torch.cat([mission, done], 1)
    new = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    # Only a few rows of an episode differ from the row before.
    new[1:] = (rows[1:] != rows[:-1]).any(1)
    numbers, of_row = dict[Ask[int], int](), dict[bytes, int]()
    changed = []
    for row in rows[new].cpu().numpy():
        text = row.tobytes()
        if text not in of_row:
            words, is_done = row[: mission.shape[1]], row[mission.shape[1] :]
            ask = _ask(missions.parse(missions.to_words(words)), is_done.tolist())
            of_row[text] = numbers.setdefault(ask, len(numbers))
        changed.append(of_row[text])
    which = torch.tensor(changed, device=rows.device)[new.cumsum(0) - 1]
    return torch.tensor(list(numbers), device=rows.device), which


def _ask(mission: missions.Mission, done: list[int]) -> Ask[int]:
    """The first clause of the earliest group that is not carried out; at the end the last one."""
    left = [clause for clause, is_done in zip(mission, done, strict=False) if not is_done]
    now = left[0] if left else mission[-1]
    return Ask(VERBS.index(now.verb), *_numbers(now.thing), *_numbers(now.other), _kept(left))


def _numbers(thing: Thing | None) -> tuple[int, int, int]:
    if not thing:
        return ANY, ANY, ANY
    color = COLORS[thing.color] if thing.color else ANY
    return KINDS.index(thing.kind), color, PLACES.index(thing.place) if thing.place else ANY


def _kept(clauses: list[Clause]) -> int:
    things = [thing for clause in clauses for thing in (clause.thing, clause.other) if thing]
    colors = {thing.color for thing in things if thing.kind in ("box", "object")}
    return sum(1 << number for color, number in COLORS.items() if {color, None} & colors)
