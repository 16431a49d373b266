"""Which clauses of a mission the agent has carried out, from what it saw and did.

BabyAI's verifier judges missions by the true grid. Here the remembered map and the actions decide,
by the same rules.
"""

import numpy as np

from env.missions import GO_TO, MOST_CLAUSES, OPEN, PICK_UP, Clause, Thing, parse
from env.remembered_map import Cell, Code, RememberedMap
from env.symbols import (
    BALL,
    BOX,
    COLORS,
    DOOR,
    DROP,
    EMPTY,
    GOAL,
    HEADINGS,
    KEY,
    TOGGLE,
    TYPES,
    UNSEEN,
    WALL,
)
from env.symbols import OPEN as IS_OPEN

BESIDE = ((1, 0), (0, 1), (-1, 0), (0, -1))
AROUND = (*BESIDE, (1, 1), (-1, 1), (-1, -1), (1, -1))
OBJECTS = (BALL, BOX, KEY, DOOR)
NOTHING: Code = (EMPTY, 0, 0)


class Progress:
    """The clauses of one episode's mission. `done` (MOST_CLAUSES,) uint8 is 1 where a clause, in
    the order of `parse`, has been carried out.

    Clauses of a group count only after all clauses of the group before. "On your left" tells where
    a thing lay at the start. The agent alone moves things, so it remembers their origins.
    """

    def __init__(self, mission: str, remembered: RememberedMap) -> None:
        """Begin an episode. The agent has looked once."""
        self.clauses = parse(mission)
        self.near = AROUND if " near " in mission else BESIDE
        self.remembered = remembered
        self.done = np.zeros(MOST_CLAUSES, np.uint8)
        self.start = remembered.pose
        self.judged: set[int] = set()
        self.origin: dict[Cell, Cell | None] = {}
        self.held_from: Cell | None = None
        self.gone: dict[Cell, Code] = {}
        self._look()

    def _look(self) -> None:
        x, y, direction = self.remembered.pose
        dx, dy = HEADINGS[direction]
        self.at, self.ahead = (x, y), (x + dx, y + dy)
        self.faced, self.held = self._thing(self.ahead), self.remembered.held

    def _thing(self, cell: Cell) -> Code:
        """What is remembered at a cell."""
        x, y = cell
        width, height, _ = self.remembered.cells.shape
        if not (0 <= x < width and 0 <= y < height):
            return NOTHING
        kind, color, state, _ = self.remembered.cells[x, y].tolist()
        return kind, color, state

    def step(self, action: int) -> None:
        """Judge a step after the agent has looked."""
        ahead, faced, held = self.ahead, self.faced, self.held
        self._look()
        self.on_goal = faced[0] == GOAL and self.at == ahead
        self.opened = action == TOGGLE and self.faced[0] == DOOR and self.faced[2] == IS_OPEN
        self.picked_up = held == NOTHING != self.held
        self.dropped = held if self.held == NOTHING else NOTHING
        self.dropped_from = self.held_from
        if action == DROP:
            self.gone.clear()
        if self.picked_up:
            self.gone[ahead] = faced
            self.held_from = self.origin.pop(ahead, ahead)
        elif self.dropped != NOTHING:
            self.origin[ahead] = self.held_from
        elif faced[0] == BOX and self.ahead == ahead and self.faced != faced:
            # The box was opened. What was in it had no place at the start.
            self.gone[ahead] = faced
            self.origin[ahead] = None
        self._judge()

    def _judge(self) -> None:
        group = 0
        for number, clause in enumerate(self.clauses):
            if clause.group != group:
                if not self.done[:number].all():
                    return
                group = clause.group
            if not self.done[number] and self._is_carried_out(clause, number in self.judged):
                self.done[number] = 1
            self.judged.add(number)

    def _is_carried_out(self, clause: Clause, judged_before: bool) -> bool:
        thing = clause.thing
        if clause.verb == GO_TO:
            if thing.kind == "goal":
                return self.on_goal
            # BabyAI keeps the places of things until the agent drops something.
            gone = self.gone.get(self.ahead, NOTHING)
            origin = self.origin.get(self.ahead, self.ahead)
            return self._fits(thing, self.faced, origin) or self._fits(thing, gone, self.ahead)
        if clause.verb == PICK_UP:
            return self.picked_up and self._fits(thing, self.held, self.held_from)
        if clause.verb == OPEN:
            return self.opened and self._fits(thing, self.faced, self.ahead)
        assert clause.other
        # BabyAI compares with what was in hand when it judged the clause before.
        if not judged_before or not self._fits(thing, self.dropped, self.dropped_from):
            return False
        x, y = self.ahead
        beside = [(x + dx, y + dy) for dx, dy in self.near]
        return any(
            self._fits(clause.other, self._thing(cell), self.origin.get(cell, cell))
            for cell in beside
        )

    def _fits(self, thing: Thing, code: Code, origin: Cell | None) -> bool:
        """Whether a thing that first lay at `origin` is what a clause names. None is in a box."""
        kind, color, _ = code
        if kind not in OBJECTS or (thing.color and COLORS[thing.color] != color):
            return False
        if thing.kind == "matching object":
            return self._is_ahead_of_start(origin) and self._has_match(code)
        if thing.kind != "object" and TYPES[thing.kind] != kind:
            return False
        return not thing.place or (origin is not None and self._lies(thing.place, origin))

    def _ways(self, cell: Cell) -> tuple[int, int]:
        """How far a cell lies before, and to the right of, the agent at the start."""
        x, y, direction = self.start
        dx, dy = HEADINGS[direction]
        vx, vy = cell[0] - x, cell[1] - y
        return vx * dx + vy * dy, vy * dx - vx * dy

    def _is_ahead_of_start(self, cell: Cell | None) -> bool:
        return cell is not None and self._ways(cell)[0] > 0

    def _has_match(self, code: Code) -> bool:
        alike = (self.remembered.cells[..., :3] == code).all(-1)
        return any(not self._is_ahead_of_start((x, y)) for x, y in np.argwhere(alike).tolist())

    def _lies(self, place: str, cell: Cell) -> bool:
        before, right = self._ways(cell)
        fits = {
            "in front of you": before > 0,
            "behind you": before < 0,
            "on your left": right < 0,
            "on your right": right > 0,
        }
        return fits[place] and cell in self._start_room()

    def _start_room(self) -> set[Cell]:
        """The known cells of the room in which the agent started, with its doors and walls."""
        room, waiting = {self.start[:2]}, [self.start[:2]]
        while waiting:
            x, y = waiting.pop()
            for cell in ((x + dx, y + dy) for dx, dy in BESIDE):
                if cell not in room:
                    room.add(cell)
                    if self._thing(cell)[0] not in (UNSEEN, WALL, DOOR):
                        waiting.append(cell)
        return room
