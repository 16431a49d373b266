"""The teacher once more, for one observation at a time, in the plainest Python.

It returns the set of actions that an option may begin with, more than one where shortest paths
tie.
"""

from collections import deque

import numpy as np

from env.symbols import BALL, BOX, DOOR, EMPTY, GOAL, KEY, LAVA, OPEN, WALL
from planner import plans
from planner.plans import Option

HEADINGS = ((1, 0), (0, 1), (-1, 0), (0, -1))
FINISHED = -1


def pose(obs: np.ndarray) -> tuple[int, int, int]:
    (x,), (y,) = np.nonzero(obs[..., 3] != 4)
    return int(x), int(y), int(obs[x, y, 3])


def first_actions(obs: np.ndarray, target: tuple[int, int]) -> set[int]:
    """The actions that begin some shortest path; {6} without one, {FINISHED} on arrival."""
    start = pose(obs)
    width, height = obs.shape[:2]

    def passable(x: int, y: int) -> bool:
        if not (0 <= x < width and 0 <= y < height):
            return False
        kind, _, state, _ = obs[x, y]
        return kind in (EMPTY, GOAL, LAVA) or (kind == DOOR and state == OPEN)

    def arrived(x: int, y: int, d: int) -> bool:
        return (x + HEADINGS[d][0], y + HEADINGS[d][1]) == target

    def after(x: int, y: int, d: int) -> list[tuple[int, tuple[int, int, int]]]:
        ahead = x + HEADINGS[d][0], y + HEADINGS[d][1]
        steps = [(0, (x, y, (d - 1) % 4)), (1, (x, y, (d + 1) % 4))]
        return [*steps, (2, (*ahead, d))] if passable(*ahead) else steps

    def distance(origin: tuple[int, int, int]) -> float:
        queue, seen = deque([(origin, 0)]), {origin}
        while queue:
            state, cost = queue.popleft()
            if arrived(*state):
                return cost
            for _, successor in after(*state):
                if successor not in seen:
                    seen.add(successor)
                    queue.append((successor, cost + 1))
        return float("inf")

    if arrived(*start):
        return {FINISHED}
    costs = {action: distance(successor) for action, successor in after(*start)}
    best = min(costs.values())
    return {6} if best == float("inf") else {a for a, cost in costs.items() if cost == best}


def explore(obs: np.ndarray) -> int:
    kind = obs[..., 0].astype(int)
    ax, ay, d = pose(obs)
    kind[ax, ay] = 10
    width, height = kind.shape
    right = bottom = None
    for x in range(1, width - 1):
        for y in range(1, height - 1):
            if kind[x, y] not in (WALL, DOOR):
                continue
            if right is None and kind[x, y + 1] in (WALL, DOOR):
                right = x + 1
            elif bottom is None and kind[x + 1, y] in (WALL, DOOR):
                bottom = y + 1
    right, bottom = right or width, bottom or height

    def at(x: int, y: int) -> int:
        return int(kind[x, y]) if 0 <= x < width and 0 <= y < height else 0

    def unseen(x0: int, y0: int, heading: int) -> int:
        region = kind[:right, :bottom]
        xs, ys = np.meshgrid(range(region.shape[0]), range(region.shape[1]), indexing="ij")
        half = (xs >= x0 + 2, ys >= y0 + 2, xs < x0 - 1, ys < y0 - 1)[heading]
        return int((region[half] == 0).sum())

    dx, dy = HEADINGS[d]
    if at(ax + dx, ay + dy) in (KEY, BALL, BOX):
        lx, ly = HEADINGS[(d - 1) % 4]
        return 1 if at(ax + lx, ay + ly) in (WALL, DOOR, KEY, BALL, BOX) else 0
    if unseen(ax, ay, d):
        return 2
    if unseen(ax, ay, (d - 1) % 4):
        return 0
    if unseen(ax, ay, (d + 1) % 4):
        return 1
    return 0 if unseen(ax + dx, ay + dy, (d + 2) % 4) else FINISHED


def plan_actions(
    obs: np.ndarray, plan: tuple[Option, ...], where: dict[str, tuple[int, int]]
) -> set[int]:
    """The actions that a plan may take; `where` says where each name was last seen."""
    for option in plan:
        if option.verb == plans.EXPLORE:
            actions = {explore(obs)}
        elif option.thing not in where:
            actions = {6}
        elif option.verb == plans.GO_TO:
            actions = first_actions(obs, where[option.thing])
        else:
            actions = {{plans.PICK_UP: 3, plans.DROP: 4, plans.OPEN: 5}.get(option.verb, 6)}
        if actions != {FINISHED}:
            return actions
    return {6}
