"""Which clauses of a mission the agent has carried out, from what it saw and did.

BabyAI's verifier judges missions by the true grid. Here the remembered map and the actions decide,
by the same rules: https://minigrid.farama.org (arXiv 1810.08272, section 3.2).
"""

import numpy as np

from env.missions import GO_TO, MOST_CLAUSES, OPEN, PICK_UP, Clause, Thing, parse
from env.rooms import HEADINGS, Cell
from env.symbols import (
    BALL,
    BOX,
    COLORS,
    DOOR,
    DROP,
    EMPTY,
    GOAL,
    KEY,
    TOGGLE,
    TYPES,
    UNSEEN,
    WALL,
)
from env.symbols import OPEN as IS_OPEN

Pose = tuple[int, int, int]
"""x, y and direction."""
Code = tuple[int, int]
"""The type and the colour of a thing."""

BESIDE = ((1, 0), (0, 1), (-1, 0), (0, -1))
AROUND = (*BESIDE, (1, 1), (-1, 1), (-1, -1), (1, -1))
OBJECTS = (BALL, BOX, KEY, DOOR)
NOTHING: Code = (EMPTY, 0)


class Progress:
    """The clauses of one episode's mission. `done` (MOST_CLAUSES,) uint8 is 1 where a clause, in
    the order of `parse`, has been carried out.

    Clauses of a group count only after all clauses of the group before. Things are known by their
    place at the start: only the agent moves them, so it can remember where each one lay.
    """

    def __init__(self, mission: str, start: Pose, seen: np.ndarray, held: Code | None) -> None:
        """`seen` (W, H, 3 or more) uint8 is the remembered map, which keeps changing in place."""
        self.clauses = parse(mission)
        self.near = AROUND if " near " in mission else BESIDE
        self.start, self.seen, self.held = start, seen, held
        self.done = np.zeros(MOST_CLAUSES, np.uint8)
        self.judged: set[int] = set()
        self.origin: dict[Cell, Cell | None] = {}
        self.held_from: Cell | None = None
        self.gone: dict[Cell, Code] = {}
        self._look(start)

    def _look(self, pose: Pose) -> None:
        x, y, direction = pose
        dx, dy = HEADINGS[direction]
        self.at, self.ahead = (x, y), (x + dx, y + dy)
        self.faced = self._thing(self.ahead)

    def _thing(self, cell: Cell) -> Code:
        x, y = cell
        if not (0 <= x < self.seen.shape[0] and 0 <= y < self.seen.shape[1]):
            return NOTHING
        return int(self.seen[x, y, 0]), int(self.seen[x, y, 1])

    def step(self, action: int, pose: Pose, held: Code | None) -> None:
        """Judge one step. The remembered map must be up to date; `held` is in hand after it."""
        ahead, faced, held_before, held_from = self.ahead, self.faced, self.held, self.held_from
        self._look(pose)
        self.held = held
        self.on_goal = faced[0] == GOAL and self.at == ahead
        self.picked_up = held is not None and held_before is None
        self.opened = action == TOGGLE and self._is_open_door(self.ahead)
        self.dropped = held_before if held is None else None
        self.dropped_from = held_from
        if action == DROP:
            self.gone.clear()
        if self.picked_up:
            self.gone[ahead] = faced
            self.held_from = self.origin.pop(ahead, ahead)
        elif self.dropped:
            self.origin[ahead] = held_from
        elif faced[0] == BOX and self.ahead == ahead and self.faced != faced:
            # The box is opened. What it held had no place at the start.
            self.gone[ahead] = faced
            self.origin[ahead] = None
        self._judge()

    def _is_open_door(self, cell: Cell) -> bool:
        return self.faced[0] == DOOR and int(self.seen[(*cell, 2)]) == IS_OPEN

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
            held = self.held or NOTHING
            return self.picked_up and self._fits(thing, held, self.held_from)
        if clause.verb == OPEN:
            return self.opened and self._fits(thing, self.faced, self.ahead)
        assert clause.other
        # BabyAI compares with what was in hand when it judged the clause before.
        if not (judged_before and self.dropped):
            return False
        if not self._fits(thing, self.dropped, self.dropped_from):
            return False
        x, y = self.ahead
        beside = [(x + dx, y + dy) for dx, dy in self.near]
        return any(
            self._fits(clause.other, self._thing(cell), self.origin.get(cell, cell))
            for cell in beside
        )

    def _fits(self, thing: Thing, code: Code, origin: Cell | None) -> bool:
        """Whether a thing that first lay at `origin` is what a clause names. None is in a box."""
        kind, color = code
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
        alike = (self.seen[..., 0] == code[0]) & (self.seen[..., 1] == code[1])
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
