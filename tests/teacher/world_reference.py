"""The options of MiniGrid and BabyAI tasks once more, for one map, in the plainest Python.

Each returns the set of actions that it may begin with: more than one where shortest paths tie.
"""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from env.remembered_map import Cell
from env.symbols import (
    CARRIED,
    CLOSED,
    DONE,
    DOOR,
    DROP,
    EMPTY,
    FLOOR,
    FORWARD,
    GOAL,
    HEADINGS,
    LEFT,
    OPEN,
    PICK_UP,
    RIGHT,
    TOGGLE,
    UNSEEN,
    WALL,
)

FINISHED = -1
Pose = tuple[int, int, int]
Stage = tuple[set[Cell], set[Cell]]


class Map(NamedTuple):
    """What a map holds. `colors` are those of the doors that the mission names."""

    pose: Pose
    full: bool
    empty: set[Cell]
    free: set[Cell]
    goals: set[Cell]
    doors: set[Cell]
    mission_doors: set[Cell]
    locked: set[Cell]
    things: set[Cell]
    unseen: set[Cell]

    @classmethod
    def of(cls, image: np.ndarray, colors: set[int]) -> "Map":
        ((x, y),) = np.argwhere(image[..., 3] != 4).tolist()
        ground = image[..., :3].copy()
        ground[x, y] = EMPTY, 0, 0
        kinds = {cell: tuple(ground[cell].tolist()) for cell in np.ndindex(*ground.shape[:2])}

        def cells(*wanted: int) -> set[Cell]:
            return {cell for cell, (kind, _, _) in kinds.items() if kind in wanted}

        def doors(state: int) -> set[Cell]:
            return {cell for cell in cells(DOOR) if kinds[cell][2] == state}

        named = {cell for cell in doors(CLOSED) if kinds[cell][1] in colors}
        walls = [(x + dx, y + dy) in cells(WALL) for dx, dy in HEADINGS]
        doorway = {(x, y)} if (walls[0] and walls[2]) or (walls[1] and walls[3]) else set()
        return cls(
            pose=(x, y, int(image[x, y, 3])),
            full=int(image[x, y, 0]) in CARRIED,
            empty=cells(EMPTY) - doorway,
            free=cells(EMPTY, FLOOR, GOAL) | doors(OPEN),
            goals=cells(GOAL),
            doors=doors(CLOSED) - named,
            mission_doors=named,
            locked=cells(DOOR) - doors(OPEN) - doors(CLOSED),
            things=cells(*CARRIED),
            unseen=cells(UNSEEN),
        )

    @property
    def own(self) -> Cell:
        return self.pose[:2]

    @property
    def ahead(self) -> Cell:
        return ahead(self.pose)

    def cost(self, ways: set[Cell], targets: set[Cell], begin: Pose) -> float:
        """The fewest actions to face a target; a door or a thing in the way costs one more."""
        queue, best = [(0, begin)], {begin: 0}
        while queue:
            cost, pose = heappop(queue)
            if ahead(pose) in targets:
                return cost
            x, y, direction = pose
            moves = [(1, (x, y, (direction + turn) % 4)) for turn in (1, 3)]
            if ahead(pose) in ways:
                moves.append((1 + self.is_slow(ahead(pose)), (*ahead(pose), direction)))
            for more, successor in moves:
                if cost + more < best.get(successor, 10**9):
                    best[successor] = cost + more
                    heappush(queue, (cost + more, successor))
        return float("inf")

    def is_slow(self, cell: Cell) -> bool:
        return cell in self.doors | self.mission_doors | self.things

    def walk(self, stages: list[Stage]) -> set[int]:
        """The first actions towards the first targets that can be reached; none without a way."""
        x, y, direction = self.pose
        for ways, targets in stages:
            ways = ways | {self.own}
            if self.cost(ways, targets, self.pose) == float("inf"):
                continue
            if self.ahead in targets:
                return {FINISHED}
            costs = {
                LEFT: self.cost(ways, targets, (x, y, (direction - 1) % 4)),
                RIGHT: self.cost(ways, targets, (x, y, (direction + 1) % 4)),
            }
            straight = FORWARD
            if self.ahead in self.things:
                straight = DONE if self.full else PICK_UP
            elif self.is_slow(self.ahead):
                straight = TOGGLE
            if self.ahead in ways:
                onto = self.cost(ways, targets, (*self.ahead, direction))
                costs[straight] = onto + self.is_slow(self.ahead)
            return {action for action in costs if costs[action] == min(costs.values())}
        return set()

    def harmless(self) -> set[Cell]:
        """The empty cells around which all stays connected: going round such a cell, no way and no
        thing is cut off from the ways."""
        return {cell for cell in self.empty if self._is_harmless(cell)}

    @property
    def ways(self) -> set[Cell]:
        return self.free | self.doors | self.mission_doors | self.unseen | {self.own}

    def reach(self, begin: Cell, filled: Cell | None = None) -> set[Cell]:
        """The cells that can be reached if one is filled."""
        found = [begin]
        for cell in found:
            found += [near for near in beside(cell) & self.ways - {filled} if near not in found]
        return set(found)

    def tried(self, named: set[Cell]) -> list[set[Cell]]:
        """The empty cells that cut off nothing if they are filled; no cells and nothing of these
        named ones; nothing of the named ones."""
        all_reached = self.reach(self.own)
        masks: list[set[Cell]] = [set(), set(), set()]
        for cell in all_reached & self.empty:
            for begin in beside(cell) & all_reached if cell == self.own else {self.own}:
                left = self.reach(begin, cell)
                cut = around(all_reached) - around(left)
                kept = [not cut & (self.things | self.locked), all_reached - {cell} <= left]
                kept = [all(kept), kept[1], True]
                for mask, is_kept in zip(masks, kept, strict=True):
                    mask |= {cell} if is_kept and not cut & named - {self.own} else set()
        return masks

    def _is_harmless(self, cell: Cell) -> bool:
        things = self.things | self.locked
        ways = self.free | self.doors | self.mission_doors | self.unseen
        x, y = cell
        ring = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
        around = [(x + dx, y + dy) for dx, dy in ring]
        can_pass = [
            each in (ways if place % 2 == 0 else self.free) for place, each in enumerate(around)
        ]
        if all(can_pass):
            return True
        # The runs of cells that can be passed, going round from one that cannot.
        first = can_pass.index(False)
        runs: list[list[int]] = [[]]
        for place in (*range(first, 8), *range(first)):
            if can_pass[place]:
                runs[-1].append(place)
            elif runs[-1]:
                runs.append([])
        with_ways = [run for run in runs if any(place % 2 == 0 for place in run)]
        if len(with_ways) > 1:
            return False
        blocked = [p for p in (0, 2, 4, 6) if around[p] in things]
        main = with_ways[0] if with_ways else []
        return all((p + 1) % 8 in main or (p - 1) % 8 in main for p in blocked)


def ahead(pose: Pose) -> Cell:
    x, y, direction = pose
    dx, dy = HEADINGS[direction]
    return x + dx, y + dy


def beside(cell: Cell) -> set[Cell]:
    return {(cell[0] + dx, cell[1] + dy) for dx, dy in HEADINGS}


def around(cells: set[Cell]) -> set[Cell]:
    """The cells with one of these next to them."""
    return {near for cell in cells for near in beside(cell)}


def explore(world: Map) -> set[int]:
    doors = world.free | world.doors
    stages = [(ways, world.unseen) for ways in (world.free, doors, doors | world.mission_doors)]
    return world.walk(stages) or {FINISHED}


def go_to(world: Map, place: set[Cell]) -> set[int]:
    if world.full and world.own in place:
        return {FINISHED}
    if world.ahead in world.goals & place:
        return {FORWARD}
    ways = world.free | world.doors
    stages = [(ways, place)]
    for more in (world.mission_doors, world.unseen, world.things):
        ways = ways | more
        stages.append((ways, place))
    return world.walk(stages) or {DONE}


def put_aside(world: Map, named: set[Cell]) -> set[int]:
    ways = world.free | world.doors
    more = ways | world.mission_doors
    harmless, fewer = world.harmless(), [set[Cell](), set[Cell]()]
    if world.cost(more | {world.own}, harmless, world.pose) == float("inf"):
        harmless, *fewer = world.tried(named)
    return _drop(
        world, [(ways, harmless), *((more, cells) for cells in (harmless, *fewer, world.empty))]
    )


def put_next_to(world: Map, place: set[Cell]) -> set[int]:
    near = around(place)
    ways = (world.free | world.doors) - place
    more = ways | world.mission_doors - place
    stages = [
        (ways, near & world.harmless()),
        (ways, near & world.empty),
        (more, near & world.empty),
        (more | world.unseen, near & (world.empty | world.unseen)),
    ]
    return _drop(world, stages)


def _drop(world: Map, stages: list[Stage]) -> set[int]:
    if not world.full:
        return {FINISHED}
    actions = world.walk(stages) or {DONE}
    return {DROP} if actions == {FINISHED} else actions
