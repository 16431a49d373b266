"""The reading of one observation, written as plainly as possible, cell by cell."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from env.missions import OPEN, PICK_UP, PUT_NEXT, Thing, parse, to_words
from env.remembered_map import Cell
from env.symbols import COLORS, HEADINGS, LOCKED, NO_AGENT, TYPES
from planner.world_words import PUT, THING, SceneWords

CARRIED = ("ball", "box", "key")
NAMES = {number: name for name, number in TYPES.items()}
COLOR_NAMES = {number: name for name, number in COLORS.items()}


class Lying(NamedTuple):
    """A thing on the map. `way` is 0 over free cells, 1 over cells not seen, 2 if things must be
    moved, 3 if there is none."""

    cell: Cell
    kind: str
    color: str
    locked: bool
    way: int
    distance: int


class Plain:
    def __init__(self, obs: dict[str, np.ndarray]) -> None:
        self.image = obs["image"]
        self.start = tuple(obs["start"].tolist())
        ((x, y),) = np.argwhere(self.image[..., 3] != NO_AGENT).tolist()
        self.agent = (x, y)
        self.held_kind = NAMES[int(self.image[x, y, 0])]
        self.held_color = COLOR_NAMES[int(self.image[x, y, 1])]
        clauses = parse(to_words(obs["mission"]))
        self.left = [clause for clause, done in zip(clauses, obs["done"], strict=False) if not done]
        self.clause = self.left[0] if self.left else clauses[-1]
        free = {cell for cell in self.cells() if self.kind(cell) in ("empty", "floor", "goal")}
        free |= {
            cell for cell in self.cells() if self.kind(cell) == "door" and not self.locked(cell)
        }
        self.walls = {cell for cell in self.cells() if self.kind(cell) == "wall"}
        unseen = {cell for cell in self.cells() if self.kind(cell) == "unseen"}
        movable = {cell for cell in self.cells() if self.kind(cell) in CARRIED}
        self.unseen = unseen
        self.reached = self.walk(free)
        self.hoped = self.walk(free | unseen)
        self.cleared = self.walk(free | unseen | movable)
        self.explored = not any(self.touches(cell, self.reached) for cell in unseen)
        self.things = [self.lying(cell) for cell in self.cells() if self.is_thing(cell)]

    def cells(self) -> Iterable[Cell]:
        return [(x, y) for x in range(self.image.shape[0]) for y in range(self.image.shape[1])]

    def beside(self, cell: Cell) -> list[Cell]:
        near = [(cell[0] + dx, cell[1] + dy) for dx, dy in HEADINGS]
        width, height = self.image.shape[:2]
        return [(x, y) for x, y in near if 0 <= x < width and 0 <= y < height]

    def kind(self, cell: Cell) -> str:
        return "empty" if cell == self.agent else NAMES[int(self.image[(*cell, 0)])]

    def locked(self, cell: Cell) -> bool:
        return self.kind(cell) == "door" and int(self.image[(*cell, 2)]) == LOCKED

    def is_thing(self, cell: Cell) -> bool:
        return self.kind(cell) in ("door", "goal", *CARRIED)

    def walk(self, passable: set[Cell]) -> dict[Cell, int]:
        """The number of steps to each cell that can be reached."""
        steps, waiting = {self.agent: 0}, [self.agent]
        for cell in waiting:
            for near in self.beside(cell):
                if near in passable and near not in steps:
                    steps[near] = steps[cell] + 1
                    waiting.append(near)
        return steps

    def touches(self, cell: Cell, cells: Iterable[Cell]) -> bool:
        return any(near in cells for near in self.beside(cell))

    def walls_in(self, cell: Cell) -> bool:
        """Whether a cell lies between two walls, as a doorway does."""
        east, south, west, north = (
            (cell[0] + dx, cell[1] + dy) in self.walls for dx, dy in HEADINGS
        )
        return (east and west) or (south and north)

    def has_room_beside(self, thing: Lying) -> bool:
        room = [near for near in self.beside(thing.cell) if self.kind(near) in ("empty", "unseen")]
        if self.walls_in(self.agent):
            room = [near for near in room if near != self.agent]
        return any(self.touches(near, self.hoped) for near in room)

    def lying(self, cell: Cell) -> Lying:
        reaches = (self.reached, self.hoped, self.cleared)
        way = next((way for way, cells in enumerate(reaches) if self.touches(cell, cells)), 3)
        crow = abs(cell[0] - self.agent[0]) + abs(cell[1] - self.agent[1])
        walked = [1 + self.reached[near] for near in self.beside(cell) if near in self.reached]
        color = COLOR_NAMES[int(self.image[(*cell, 1)])]
        distance = min(walked) if way == 0 else crow
        return Lying(cell, self.kind(cell), color, self.locked(cell), way, distance)

    def fits(self, asked: Thing, kind: str, color: str) -> bool:
        if asked.color and asked.color != color:
            return False
        return kind in CARRIED if asked.kind == "object" else kind == asked.kind

    def named(self, asked: Thing) -> list[Lying]:
        if asked.kind == "matching object":
            pairs = [(thing.kind, thing.color) for thing in self.things if thing.kind in CARRIED]
            return [each for each in self.things if pairs.count((each.kind, each.color)) > 1]
        found = [each for each in self.things if self.fits(asked, each.kind, each.color)]
        if not asked.place:
            return found
        in_place = [each for each in found if self.lies(asked.place, each.cell)]
        return in_place or (found if self.explored else [])

    def ahead_and_right(self, cell: Cell) -> tuple[int, int]:
        x, y, direction = self.start
        dx, dy = HEADINGS[direction]
        return (cell[0] - x) * dx + (cell[1] - y) * dy, (cell[1] - y) * dx - (cell[0] - x) * dy

    def lies(self, place: str, cell: Cell) -> bool:
        ahead, right = self.ahead_and_right(cell)
        side = {
            "in front of you": ahead > 0,
            "behind you": ahead < 0,
            "on your left": right < 0,
            "on your right": right > 0,
        }
        room = {self.start[:2]}
        waiting = list(room)
        for inner in waiting:
            for near in self.beside(inner):
                if near not in room:
                    room.add(near)
                    doorway = near == self.agent and self.walls_in(near)
                    if self.kind(near) not in ("unseen", "wall", "door") and not doorway:
                        waiting.append(near)
        return side[place] and cell in room

    def door_rank(self, door: Lying) -> tuple[bool, tuple[int, ...], int]:
        ways = [
            (each.way, each.distance)
            for each in self.things
            if (each.kind, each.color) == ("key", door.color)
        ]
        if (self.held_kind, self.held_color) == ("key", door.color):
            ways = [(-1, 0)]
        return door.way == 3, min(ways, default=(4, 0)), door.way

    def blockers(self, hidden: set[Cell]) -> set[Cell]:
        """The movable things next to the agent's way that begin the ways with the fewest things to
        these cells."""
        beyond = {
            cell
            for cell in self.cells()
            if self.touches(cell, self.cleared)
            and cell not in self.hoped
            and not self.touches(cell, self.hoped)
            and self.kind(cell) != "wall"
        }
        movable = {cell for cell in self.cells() if self.kind(cell) in CARRIED}
        region = hidden & beyond
        while region:
            waiting = list(region)
            for cell in waiting:
                waiting += [
                    near
                    for near in self.beside(cell)
                    if near in beyond - movable and near not in waiting
                ]
            region = set(waiting)
            found = {cell for cell in movable if self.touches(cell, region)}
            first = {cell for cell in found if self.touches(cell, self.reached)}
            if first or found & beyond <= region:
                return first
            region |= found & beyond
        return set()

    def read(self) -> tuple[str, dict[str, Cell]]:
        """The scene's text, and where the things are that it names."""
        clause, asked = self.clause, self.clause.thing
        opens, puts = clause.verb == OPEN, clause.verb == PUT_NEXT
        holds_it = not opens and self.fits(asked, self.held_kind, self.held_color)

        def order(thing: Lying) -> tuple[object, ...]:
            if asked.kind == "matching object":
                return (-self.ahead_and_right(thing.cell)[0], thing.distance, thing.cell)
            locked = opens and thing.locked
            rank = self.door_rank(thing) if locked else (False, (), thing.way)
            return (locked, rank, thing.distance, thing.cell)

        it = min(self.named(asked), key=order, default=None)
        other = self.nearest(self.named(clause.other)) if clause.other else None
        opens_locked = opens and it is not None and it.locked
        doors = [thing for thing in self.things if thing.locked]
        door = min(doors, key=lambda each: (self.door_rank(each), each[5], each[0]), default=None)
        door = it if opens_locked else door
        fitting = [each for each in self.things if door and each[1:3] == ("key", door.color)]
        key, box = self.nearest(fitting), self.nearest(self.unneeded_boxes())

        needs = []
        holds_other = clause.other and self.fits(clause.other, self.held_kind, self.held_color)
        if puts and not (other is None and holds_other and not holds_it):
            needs.append(other)
        if not (holds_it and (puts or it is None)):
            needs.append(it)
        crowded = puts and other is not None and other.way < 2 and other.kind != "door"
        crowded = crowded and not self.has_room_beside(other)
        explored = self.explored
        holds_key = door is not None and (self.held_kind, self.held_color) == ("key", door.color)
        lost = any(thing is None or thing.way == 3 for thing in needs)
        key_is_seen = key is not None and key.way < 3
        unlocks = opens_locked or (
            lost and door is not None and (explored or holds_key or key_is_seen)
        )
        holds_key = holds_key and unlocks
        told = {
            "it": it,
            "other": other if puts and holds_it and not crowded else None,
            "door": door if unlocks and not opens_locked else None,
            "key": key if unlocks and not holds_key else None,
            "box": box if unlocks and not holds_key and not key_is_seen and explored else None,
        }
        matters = [*needs, told["door"], told["key"], told["box"]]
        hidden = {thing.cell for thing in matters if thing and thing.way == 2}
        hidden |= {other.cell} if crowded else set()
        near = [thing is not None and thing.way <= 1 for thing in (door, key, told["box"])]
        can_help = (unlocks and near[0] and (holds_key or near[1])) or near[2]
        no_way = unlocks or any(thing is None or thing.way > 1 for thing in needs)
        if no_way and explored and not can_help and not hidden:
            hidden = self.unseen
        blockers = self.blockers(hidden)
        told["obstacle"] = self.nearest(each for each in self.things if each.cell in blockers)
        if crowded:
            told["obstacle"] = other
        if puts and (holds_it or unlocks or told["obstacle"]):
            told["it"] = None
        return self.in_words(told, opens_locked, holds_it, holds_key)

    def nearest(self, things: Iterable[Lying]) -> Lying | None:
        return min(things, key=lambda each: (each.way, each.distance, each.cell), default=None)

    def unneeded_boxes(self) -> list[Lying]:
        needed = [thing for clause in self.left for thing in (clause.thing, clause.other) if thing]
        return [
            box
            for box in self.things
            if box.kind == "box"
            and not any(
                thing.kind in ("box", "object") and thing.color in (None, box.color)
                for thing in needed
            )
        ]

    def word(self, asked: Thing) -> str:
        return asked.kind if asked.kind in ("door", "goal") else "object"

    def in_words(
        self, told: dict[str, Lying | None], opens_locked: bool, holds_it: bool, holds_key: bool
    ) -> tuple[str, dict[str, Cell]]:
        clause = self.clause
        verb, first, second = clause.verb, self.word(clause.thing), None
        if clause.verb == PUT_NEXT:
            verb = PUT if holds_it else PICK_UP
        if clause.other and holds_it:
            second = self.word(clause.other)
            second = "another object" if second == "object" else second
        names = {
            "it": "locked door" if opens_locked else first,
            "other": second,
            "door": "another locked door" if clause.verb == OPEN else "locked door",
            "key": "key",
            "box": "box",
            "obstacle": "obstacle",
        }
        sees = dict[str, Cell]()
        for place, thing in told.items():
            name = names[place]
            if name and thing and (thing.way < 2 or place == "obstacle"):
                sees.setdefault(name, thing.cell)
        holds = None if self.held_kind == "empty" else THING
        holds = first if holds_it else holds
        holds = "key" if holds_key else holds
        scene = SceneWords(verb, first, second, tuple(sees), holds)
        return str(scene), sees | ({holds: self.agent} if holds and holds not in sees else {})
