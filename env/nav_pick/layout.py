"""Layouts of many homes at once: one or two rooms, furniture, and a table with an object.

All lengths are drawn as integers, in centimetres. So a home is the same on any device and at any
place in any batch. The order of a home's boxes says what they are: four outer walls, the two parts
of the wall with the doorway, tall furniture, low furniture, the table. A box that a home lacks is
empty and far outside. Tall boxes reach the ceiling, low ones end below the camera.

Every home can be solved by construction:

- a box touches a wall of its room or is at least `GAP` away from it, is at least `GAP` away from
  other boxes, and leaves the doorway free, so no way is blocked
- in front of a free side of the table is a goal from which the hand can reach the object
- one corner of the home stays free for the start
"""

import torch
from torch import Tensor

from env.layouts import Draws

CEILING = 250
"""cm, like all lengths here."""
THICKNESS, DOORWAY = 10, 100
GAP = 80
STAND, REACH = 40, 80
"""From the table to a goal; at most from a goal to the object, seen from above."""
FREE = 45
"""From a start to the nearest box, at least."""
AWAY = 150
"""From a start to the object, at least."""
HALF_OBJECT = 4
MOST_STARTS = 24
NOWHERE = -1000

OUTER, DIVIDER, TALL, LOW, TABLE = slice(0, 4), slice(4, 6), slice(6, 8), slice(8, 11), 11
"""Indices into the boxes of a home."""
INNER = slice(4, 12)
"""All boxes but the outer walls. Those are left, right, bottom and top."""
TRIES = 3, 6
"""Number of attempts to place tall and low furniture. The first ones that fit are kept."""


class HomeDraws(Draws):
    MOST = 80


class Layout:
    """The layouts of M homes; lengths are int64, in cm.

    The origin is a corner of the first room, and x runs through both rooms. A footprint is (M, 4):
    lowest x, lowest y, highest x, highest y.
    """

    def __init__(self, numbers: Tensor) -> None:
        draw = self.draw = HomeDraws(numbers)
        self.two = draw(2) == 1
        self.width = torch.where(self.two, 650 + draw(251), 400 + draw(201))
        self.depth = 380 + draw(171)
        split = self.width * 2 // 5 + draw(self.width // 5)
        # In a home with one room, both rooms are the whole home.
        self.left_end = torch.where(self.two, split, self.width)
        self.right_start = torch.where(self.two, split + THICKNESS, 0)
        door = DOORWAY + draw(21)
        low = 50 + draw(self.depth - 100 - door)
        zero = torch.zeros_like(split)
        far = split + THICKNESS
        self.divider = [
            self._or_nowhere(self.two, (split, zero, far, low)),
            self._or_nowhere(self.two, (split, low + door, far, self.depth)),
        ]
        passage = (split - STAND, low, far + STAND, low + door)
        self.passage = self._or_nowhere(self.two, passage)

        self._place_table()
        x, y = (self.table[:, :2] + self.table[:, 2:]).unbind(1)
        self.corner = _pair(
            torch.where(x > self.width, 50, self.width - 50),
            torch.where(y > self.depth, 50, self.depth - 50),
        )
        self.furniture: list[Tensor] = []
        kept = []
        for tries, most, part in zip(TRIES, (100, 120), (TALL, LOW), strict=True):
            tried = torch.stack([self._place_furniture(40, most) for _ in range(tries)], 1)
            kept.append(_first(tried, part.stop - part.start))
        self.furniture = list(torch.cat(kept, 1).unbind(1))
        self.heights = [40 + draw(56) for _ in range(LOW.stop - LOW.start)]
        self.table_height = 55 + draw(31)

    def boxes(self) -> Tensor:
        """All boxes (M, 12, 6), lowest and highest corner."""
        zero = torch.zeros_like(self.width)
        x, y = self.width + THICKNESS, self.depth + THICKNESS
        outer = [
            (zero - THICKNESS, zero - THICKNESS, zero, y),
            (self.width, zero - THICKNESS, x, y),
            (zero - THICKNESS, zero - THICKNESS, x, zero),
            (zero - THICKNESS, self.depth, x, y),
        ]
        ceiling = zero + CEILING
        heights = [ceiling] * LOW.start + [*self.heights, self.table_height]
        footprints = [torch.stack(part, 1) for part in outer]
        footprints += [*self.divider, *self.furniture, self.table]
        rows = [
            torch.stack([*flat[:, :2].unbind(1), zero, *flat[:, 2:].unbind(1), top], 1)
            for flat, top in zip(footprints, heights, strict=True)
        ]
        boxes = torch.stack(rows, 1)
        # A missing box has no height either.
        boxes[..., 5] *= boxes[..., 0] > NOWHERE
        return boxes

    def place_object(self, draw: Draws) -> tuple[Tensor, Tensor]:
        """Place the object on the table near a free side.

        Returns the object's middle (M, 3) and a goal in front of each side (M, 4, 2), which is
        `NOWHERE` if the hand cannot reach the object from there.
        """
        low, high = self.table[:, :2], self.table[:, 2:]
        size = high - low
        wall_low, wall_high = self.table_walls
        free = torch.cat([low > wall_low, high < wall_high], 1)
        # The rank of the side among the free ones, in the order left, bottom, right, top.
        rank = 1 + draw(free.sum(1))
        side = (free & (free.cumsum(1) == rank[:, None])).byte().argmax(1)
        axis, upper = side % 2, side > 1
        inset = 2 * HALF_OBJECT + draw(23)
        across = torch.where(axis == 0, size[:, 1], size[:, 0])
        along = 2 * HALF_OBJECT + draw(across - 4 * HALF_OBJECT + 1)
        inset = torch.where(upper, size.gather(1, axis[:, None])[:, 0] - inset, inset)
        inside = torch.where((axis == 0)[:, None], _pair(inset, along), _pair(along, inset))
        place = low + inside
        thing = torch.cat([place, (self.table_height + HALF_OBJECT)[:, None]], 1)

        beside = torch.maximum(place, wall_low + STAND).minimum(wall_high - STAND)
        goals = torch.stack(
            [
                _pair(low[:, 0] - STAND, beside[:, 1]),
                _pair(beside[:, 0], low[:, 1] - STAND),
                _pair(high[:, 0] + STAND, beside[:, 1]),
                _pair(beside[:, 0], high[:, 1] + STAND),
            ],
            1,
        )
        reached = free & ((goals - place[:, None]).square().sum(2) <= REACH**2)
        return thing, goals.where(reached[..., None], NOWHERE)

    def place_start(self, draw: Draws, thing: Tensor) -> Tensor:
        """Starts (M, 3): x, y, and the heading in tenths of a degree.

        A start is the first of some random places that is free and far from the object, else the
        free corner.
        """
        inside = self.width - 2 * FREE + 1, self.depth - 2 * FREE + 1
        drawn = [_pair(*(FREE + draw(span) for span in inside)) for _ in range(MOST_STARTS)]
        places = torch.stack([*drawn, self.corner], 1)
        boxes = torch.stack([*self.divider, *self.furniture, self.table], 1)
        free = gaps(places.repeat(1, 1, 2)[:, :, None], boxes[:, None]).amin(2) >= FREE
        far = (places - thing[:, None, :2]).square().sum(2) >= AWAY**2
        good = free & far
        good[:, -1] = True
        first = good.byte().argmax(1)
        place = places.gather(1, first[:, None, None].expand(-1, 1, 2))[:, 0]
        return torch.cat([place, draw(3600)[:, None]], 1)

    def _place_table(self) -> None:
        draw = self.draw
        long, short, turned = 90 + draw(51), 60 + draw(21), draw(2) == 1
        size = _pair(torch.where(turned, short, long), torch.where(turned, long, short))
        (start, end), low = self._place(size)
        # A table at the outer wall blocks no doorway, and no hand reaches it through the wall
        # between the rooms.
        wall = torch.where(start == 0, start, self.width - size[:, 0])
        flat = torch.cat([low, low + size], 1)
        blocks = gaps(flat, self.passage) < STAND
        for part in self.divider:
            blocks |= gaps(flat, part) < GAP
        low = _pair(torch.where(blocks, wall, low[:, 0]), low[:, 1])
        self.table = torch.cat([low, low + size], 1)
        zero = torch.zeros_like(start)
        self.table_walls = _pair(start, zero), _pair(end, self.depth)

    def _place_furniture(self, least: int, most: int) -> Tensor:
        """The footprint of one piece of furniture, `NOWHERE` if it would block a way."""
        span = most - least + 1
        size = _pair(least + self.draw(span), least + self.draw(span))
        _, low = self._place(size)
        flat = torch.cat([low, low + size], 1)
        fits = gaps(flat, self.passage) >= STAND
        fits &= gaps(flat, self.corner.repeat(1, 2)) >= 50
        for other in (self.table, *self.furniture):
            fits &= gaps(flat, other) >= GAP
        flat = flat.where(fits[:, None], NOWHERE)
        self.furniture.append(flat)
        return flat

    def _place(self, size: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """A random place in a random room: the room's range of x, and the lowest corner (M, 2)."""
        right = self.draw(2) == 1
        start = torch.where(right, self.right_start, 0)
        end = torch.where(right, self.width, self.left_end)
        x = self._flush(start, end, size[:, 0])
        y = self._flush(torch.zeros_like(start), self.depth, size[:, 1])
        return (start, end), _pair(x, y)

    def _flush(self, start: Tensor, end: Tensor, size: Tensor) -> Tensor:
        """A random place between walls, moved to a wall that would leave too narrow a way."""
        place = start + self.draw(end - start - size + 1)
        place = torch.where(place - start < GAP, start, place)
        return torch.where(end - place - size < GAP, end - size, place)

    def _or_nowhere(self, there: Tensor, footprint: tuple[Tensor, ...]) -> Tensor:
        return torch.stack(footprint, 1).where(there[:, None], NOWHERE)


def gaps(one: Tensor, other: Tensor) -> Tensor:
    """The larger gap along x or y between footprints (..., 4); negative where they overlap."""
    apart = torch.maximum(one[..., :2], other[..., :2])
    return (apart - torch.minimum(one[..., 2:], other[..., 2:])).amax(-1)


def _first(footprints: Tensor, count: int) -> Tensor:
    """The first `count` footprints that exist, (M, count, 4)."""
    order = (footprints[..., 0] == NOWHERE).byte().argsort(dim=1, stable=True)[:, :count]
    return footprints.gather(1, order[..., None].expand(-1, -1, 4))


def _pair(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y], 1)
