"""Remembered maps of MiniGrid and BabyAI tasks, in packed cells."""

from dataclasses import dataclass, fields
from functools import cache

import torch
from torch import Tensor

from env import missions
from env.packed_maps import beside, pack_cell, pack_each, pack_one
from env.symbols import (
    BALL,
    BOX,
    CARRIED,
    CLOSED,
    COLORS,
    DOOR,
    EMPTY,
    GOAL,
    KEY,
    LOCKED,
    OPEN,
    UNSEEN,
)
from teacher.surroundings import cell_ahead, is_any, poses
from utils.tensors import Tensors, changes


@dataclass
class WorldMaps:
    """S maps. Masks of cells are packed, (S, W).

    `empty` cells hold nothing. `free` ones can be walked on: these, goals and open doors. `doors`
    are closed but not locked; `mission_doors` are those whose colour the mission names. `things`
    can be picked up. The agent's `own` cell counts as empty.
    """

    pose: Tensor
    """(S, 3) int64: x, y and direction of the agent."""
    full: Tensor
    """(S,) bool: whether it holds something."""
    own: Tensor
    ahead: Tensor
    empty: Tensor
    free: Tensor
    goals: Tensor
    doors: Tensor
    mission_doors: Tensor
    locked: Tensor
    things: Tensor
    unseen: Tensor

    @classmethod
    def of(cls, obs: Tensors) -> "WorldMaps":
        """From the observations `image` (S, W, H, 4) uint8 and `mission` (S, words) uint8."""
        image, agent = obs["image"], poses(obs["image"])
        each, (x, y, _) = torch.arange(len(image), device=image.device), agent
        full = is_any(image[each, x, y, 0], *CARRIED)
        kinds = (EMPTY, DOOR, KEY, BALL, BOX, GOAL, UNSEEN)
        empty, door, key, ball, box, goals, unseen = pack_each(image[..., 0], *kinds)
        is_open, closed, locked = pack_each(image[..., 2], OPEN, CLOSED, LOCKED)
        named = pack_each(_door_colors(obs["mission"])[:, None, None] >> image[..., 1] & 1, 1)[0]
        # The agent's own cell shows what it carries, which is no obstacle.
        own = pack_one(x, y, empty)
        empty |= own
        return cls(
            pose=agent.T,
            full=full,
            own=own,
            ahead=pack_cell(cell_ahead(agent, *image.shape[1:3]), image.shape[2], empty),
            empty=empty,
            free=empty | goals | (door & is_open),
            goals=goals,
            doors=door & closed & ~named,
            mission_doors=door & closed & named,
            locked=door & locked,
            things=(key | ball | box) & ~own,
            unseen=unseen,
        )

    def __getitem__(self, steps: Tensor) -> "WorldMaps":
        """The maps of these steps."""
        return WorldMaps(*(getattr(self, field.name)[steps] for field in fields(self)))

    def harmless(self) -> tuple[Tensor, Tensor]:
        """The empty cells that can be filled without harm, in two masks.

        Filling a cell of the second mask cuts off no way: the ways next to it are connected by the
        cells around it. For the first mask, each thing and locked door next to it can also be
        reached from there.
        """
        ways = beside(self.free | self.doors | self.mission_doors | self.unseen)
        things = beside(self.things | self.locked)
        corners = [beside(beside(self.free)[side])[(side + 1) % 4] for side in range(4)]
        cuts_ways, cuts_things = torch.zeros_like(self.free), torch.zeros_like(self.free)
        for side in range(4):
            here, right, across, left = (ways[(side + turn) % 4] for turn in range(4))
            first, second, third, last = (corners[(side + turn) % 4] for turn in range(4))
            round_right, round_left = first & right, last & left
            cuts_ways |= here & across & ~((round_right & second) | (round_left & third))
            cuts_ways |= here & right & ~(first | (round_left & third & across & second))
            cuts_things |= things[side] & ~(round_right | round_left)
        keeps_ways = self.empty & ~cuts_ways
        return keeps_ways & ~cuts_things, keeps_ways


def meet(cells: Tensor, others: Tensor) -> Tensor:
    """(S,) bool: whether two masks have a cell in common."""
    return (cells & others).any(1)


def _door_colors(mission: Tensor) -> Tensor:
    """(S,) uint8 with a bit for each colour: whether the mission (S, words) uint8 names doors of
    it."""
    new, index = changes(mission)
    named = [_named_colors(missions.to_words(words)) for words in mission[new].cpu().numpy()]
    return torch.tensor(named, dtype=torch.uint8, device=mission.device)[index]


@cache
def _named_colors(mission: str) -> int:
    clauses = missions.parse(mission)
    things = [thing for clause in clauses for thing in (clause.thing, clause.other) if thing]
    named = {thing.color for thing in things if thing.kind == "door"}
    return sum(1 << number for color, number in COLORS.items() if color in named)
