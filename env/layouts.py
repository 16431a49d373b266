"""Layouts of many rooms at once: random numbers, and rooms built from them.

A cell is one int32 word. Its four bytes are those of an observation: type, colour, state and
direction. The order is little-endian, as on all machines that PyTorch supports. Cells have the
numbers x * height + y + 1. Cell 0 stands for all places outside the grid.
"""

import torch
from torch import Tensor

from env.symbols import COLORS, DOOR, EMPTY, LAVA, LOCKED, NO_AGENT, UNSEEN, WALL

Place = tuple[Tensor, Tensor]
"""The x and y of one cell in each of M rooms, (M,) int64."""

COLOR, STATE, DIRECTION = 8, 16, 24
"""The lowest bits of colour, state and direction in a word. The type is the lowest byte."""


def word(kind: int, color: int = 0, state: int = 0) -> int:
    """A cell without the agent."""
    return kind | color << COLOR | state << STATE | NO_AGENT << DIRECTION


FLOOR, STONE, FIRE, DARK = (
    word(EMPTY),
    word(WALL, COLORS["grey"]),
    word(LAVA, COLORS["red"]),
    word(UNSEEN),
)


class Draws:
    """The random numbers of M rooms, from their seeds.

    A number depends only on the room's seed and on the count of draws before it. So a room is the
    same on any device and at any place in a batch.

    The hash is splitmix64. The scrambled seed is the first state. Each draw adds an odd constant to
    the state and scrambles it. Scrambling is two rounds of xor with the upper bits and
    multiplication modulo 2**64, which int64 does, and then one more xor.
    """

    MOST = 16
    STEP = 0x9E3779B97F4A7C15 - 2**64

    def __init__(self, seeds: Tensor) -> None:
        number = torch.arange(1, self.MOST + 1, device=seeds.device)
        states = self._scramble(seeds) + number[:, None] * self.STEP
        self.bits = iter((self._scramble(states) >> 32 & 2**32 - 1).unbind())

    def __call__(self, count: int | Tensor) -> Tensor:
        """The next draw, (M,) int64, uniform in [0, count) to within 2**-32.

        ValueError after `MOST` draws. A layout that needs more of them must set `MOST` higher.
        """
        bits = next(self.bits, None)
        if bits is None:
            raise ValueError(f"a layout draws at most {self.MOST} numbers; set Draws.MOST higher")
        return bits * count >> 32

    @staticmethod
    def _scramble(bits: Tensor) -> Tensor:
        # int64 shifts in copies of its sign, which are masked off.
        bits = (bits ^ (bits >> 30 & 2**34 - 1)) * (0xBF58476D1CE4E5B9 - 2**64)
        bits = (bits ^ (bits >> 27 & 2**37 - 1)) * (0x94D049BB133111EB - 2**64)
        return bits ^ (bits >> 31 & 2**33 - 1)


class Layouts:
    """M rooms under construction. They begin with their walls.

    MiniGrid draws a place again until it is free. Here the rank of a place among the free cells is
    drawn once, which gives the same distribution. `truth` (M, cells + 1) int32 holds the cells, and
    `pose` (M,) int64 the agents.
    """

    def __init__(self, seeds: Tensor, grid_size: int, min_size: int, max_size: int) -> None:
        self.draw = Draws(seeds)
        self.grid_size = grid_size
        self.size_x = min_size + self.draw(max_size - min_size + 1)
        self.size_y = min_size + self.draw(max_size - min_size + 1)
        inside_x, edge_x = self._sides(self.size_x)
        inside_y, edge_y = self._sides(self.size_y)
        inside = inside_x[:, :, None] & inside_y[:, None]
        wall = inside & (edge_x[:, :, None] | edge_y[:, None])
        cells = FLOOR + wall.flatten(1).int() * (STONE - FLOOR)
        self.truth = torch.nn.functional.pad(cells, (1, 0), value=STONE)
        self.taken = seeds.new_empty(len(seeds), 0)
        self.inside_doors = self.taken

    def _sides(self, size: Tensor) -> tuple[Tensor, Tensor]:
        """Whether coordinates lie in the room, and whether on a wall, (M, grid_size) bool each."""
        place, last = torch.arange(self.grid_size, device=size.device), size[:, None] - 1
        return place <= last, (place == 0) | (place == last)

    def place_on_wall(self, side: Tensor) -> Place:
        """A random door place on the right (0), bottom (1), left (2) or top (3) wall."""
        upright, far = side % 2 == 0, (side < 2).long()
        along = 1 + self.draw(torch.where(upright, self.size_y, self.size_x) - 2)
        x = torch.where(upright, (self.size_x - 1) * far, along)
        y = torch.where(upright, along, (self.size_y - 1) * far)
        return x, y

    def hang_door(self, color: Tensor, place: Place) -> None:
        self._put(word(DOOR, 0, LOCKED) + (color << COLOR), place)
        x, y = place
        inside = x.clamp(min=1).minimum(self.size_x - 2), y.clamp(min=1).minimum(self.size_y - 2)
        self.inside_doors = torch.cat([self.inside_doors, self._rank(inside)], 1)

    def place_agent(self) -> None:
        place = self._free_place(self.taken)
        self.pose = 4 * self._cell(place) + self.draw(4)

    def place_thing(self, thing: int | Tensor, free_doors: bool = False) -> None:
        """Put a thing on a random free cell; with `free_doors`, not where it blocks a door."""
        avoid = torch.cat([self.taken, self.inside_doors], 1) if free_doors else self.taken
        self._put(thing, self._free_place(avoid))

    def place_in_middle(self, thing: int | Tensor) -> None:
        """Put a thing in one of the four cells in the middle of an empty room."""
        place = self.size_x // 2 - 1 + self.draw(2), self.size_y // 2 - 1 + self.draw(2)
        self._put(thing, place)
        self.taken = torch.cat([self.taken, self._rank(place)], 1)

    def _free_place(self, avoid: Tensor) -> Place:
        """Take a random floor cell that has none of the ranks `avoid` (M, n)."""
        area = (self.size_x - 2) * (self.size_y - 2)
        avoid = avoid.sort(1).values
        twice = avoid[:, 1:] == avoid[:, :-1]
        rank = self.draw(area - avoid.shape[1] + twice.sum(1))
        # A repeated rank counts once: its repetition moves beyond all cells.
        avoid[:, 1:] += twice * self.grid_size**2
        # From a rank among the free cells to one among all: skip the cells to avoid.
        for cell in avoid.unbind(1):
            rank = rank + (rank >= cell)
        self.taken = torch.cat([self.taken, rank[:, None]], 1)
        depth = self.size_y - 2
        return rank // depth + 1, rank % depth + 1

    def _rank(self, place: Place) -> Tensor:
        """(M, 1) int64: the number of floor cells before a place."""
        return ((place[0] - 1) * (self.size_y - 2) + place[1] - 1)[:, None]

    def _cell(self, place: Place) -> Tensor:
        return place[0] * self.grid_size + place[1] + 1

    def _put(self, thing: int | Tensor, place: Place) -> None:
        words = (torch.zeros_like(place[0]) + thing).int()
        self.truth.scatter_(1, self._cell(place)[:, None], words[:, None])
