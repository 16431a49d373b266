"""Remembered maps of MiniGrid and BabyAI tasks, in packed cells."""

import functools
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from env import missions
from env.packed_maps import (
    beside,
    bits_of,
    flood,
    pack,
    pack_cell,
    pack_each,
    pack_one,
    touched,
    unpack,
)
from env.symbols import (
    BALL,
    BOX,
    CARRIED,
    CLOSED,
    COLORS,
    DOOR,
    EMPTY,
    FLOOR,
    GOAL,
    KEY,
    LOCKED,
    OPEN,
    UNSEEN,
    WALL,
)
from teacher.surroundings import cell_ahead, is_any, poses
from utils.tensors import Tensors, changes


@dataclass
class WorldMaps:
    """S maps. Masks of cells are packed, (S, W).

    `empty` cells hold nothing. `free` ones can be walked on: these, floor tiles, goals and open
    doors. `doors` are closed but not locked; `mission_doors` are those whose colour the mission
    names. `things` can be picked up. The agent's `own` cell counts as empty, unless it is a
    doorway. `named` are the things that the scene names and the agent does not hold.
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
    named: Tensor

    @classmethod
    def of(cls, obs: Tensors, cells: Tensor) -> "WorldMaps":
        """From the observations `image` (S, W, H, 4) uint8 and `mission` (S, words) uint8, and the
        `cells` (S, V) int64 of what scenes name, x * H + y or negative."""
        image, agent = obs["image"], poses(obs["image"])
        each, (x, y, _) = torch.arange(len(image), device=image.device), agent
        full = is_any(image[each, x, y, 0], *CARRIED)
        kinds = (EMPTY, FLOOR, WALL, DOOR, KEY, BALL, BOX, GOAL, UNSEEN)
        empty, floor, wall, door, key, ball, box, goals, unseen = pack_each(image[..., 0], *kinds)
        is_open, closed, locked = pack_each(image[..., 2], OPEN, CLOSED, LOCKED)
        colored = pack_each(_door_colors(obs["mission"])[:, None, None] >> image[..., 1] & 1, 1)[0]
        # The agent's own cell shows what it carries, and not the door of a doorway.
        own = pack_one(x, y, empty)
        east, south, west, north = beside(wall)
        empty = (empty & ~own) | (own & ~(east & west | south & north))
        things = [pack_cell(cell, image.shape[2], own) for cell in cells.unbind(1)]
        return cls(
            pose=agent.T,
            full=full,
            own=own,
            ahead=pack_cell(cell_ahead(agent, *image.shape[1:3]), image.shape[2], empty),
            empty=empty,
            free=empty | floor | own | goals | (door & is_open),
            goals=goals,
            doors=door & closed & ~colored,
            mission_doors=door & closed & colored,
            locked=door & locked,
            things=(key | ball | box) & ~own,
            unseen=unseen,
            named=functools.reduce(torch.bitwise_or, things) & ~own,
        )

    def __getitem__(self, steps: Tensor) -> "WorldMaps":
        """The maps of these steps."""
        return WorldMaps(*(getattr(self, field.name)[steps] for field in fields(self)))

    def harmless(self) -> Tensor:
        """The empty cells that can be filled without harm, as far as the cells around them tell.

        The ways next to such a cell are connected by the cells around it. Each thing and locked
        door next to it can also be reached from there.
        """
        ways = beside(self.free | self.doors | self.mission_doors | self.unseen)
        things = beside(self.things | self.locked)
        corners = [beside(beside(self.free)[side])[(side + 1) % 4] for side in range(4)]
        cuts = torch.zeros_like(self.free)
        for side in range(4):
            here, right, across, left = (ways[(side + turn) % 4] for turn in range(4))
            first, second, third, last = (corners[(side + turn) % 4] for turn in range(4))
            round_right, round_left = first & right, last & left
            cuts |= here & across & ~((round_right & second) | (round_left & third))
            cuts |= here & right & ~(first | (round_left & third & across & second))
            cuts |= things[side] & ~(round_right | round_left)
        return self.empty & ~cuts

    def harmless_by_trial(self) -> list[Tensor]:
        """The empty cells that can be filled without harm, in three masks. It takes a search for
        each cell.

        What can be reached now must still be reached if a cell is filled. The first mask demands
        this of everything, the second of cells and of what the scene names, the third of what the
        scene names.
        """
        ways = self.free | self.doors | self.mission_doors | self.unseen
        reach = flood(ways, self.own)
        step, x, y = unpack(reach & self.empty & ~self.own)
        # The agent fills its own cell from a cell next to it.
        fills_own = meet(self.own, self.empty)[:, None]
        near, near_x, near_y = unpack(touched(self.own) & reach & -fills_own.to(reach))
        start = torch.cat([self.own[step], pack_one(near_x, near_y, self.own[near])])
        step, own = torch.cat([step, near]), self.pose[near]
        x, y = torch.cat([x, own[:, 0]]), torch.cat([y, own[:, 1]])

        filled = pack_one(x, y, self.own[step])
        left = flood(ways[step] & ~filled, start)
        cut = touched(reach)[step] & ~touched(left)
        cuts_named = meet(cut, self.named[step])
        cuts_ways = cuts_named | meet(reach[step], ~(left | filled))
        cuts_things = cuts_ways | meet(cut, (self.things | self.locked)[step])
        found = []
        for cuts in (cuts_things, cuts_ways, cuts_named):
            cells = torch.zeros(*reach.shape, bits_of(reach), dtype=torch.bool, device=reach.device)
            cells[step[~cuts], x[~cuts], y[~cuts]] = True
            found.append(pack(cells))
        return found


def meet(cells: Tensor, others: Tensor) -> Tensor:
    """(S,) bool: whether two masks have a cell in common."""
    return (cells & others).any(1)


def _door_colors(mission: Tensor) -> Tensor:
    """(S,) uint8 with a bit for each colour: whether the mission (S, words) uint8 names doors of
    it."""
    new, index = changes(mission)
    named = [_named_colors(missions.to_words(words)) for words in mission[new].cpu().numpy()]
    return torch.tensor(named, dtype=torch.uint8, device=mission.device)[index]


@functools.cache
def _named_colors(mission: str) -> int:
    clauses = missions.parse(mission)
    things = [thing for clause in clauses for thing in (clause.thing, clause.other) if thing]
    named = {thing.color for thing in things if thing.kind == "door"}
    return sum(1 << number for color, number in COLORS.items() if color in named)
