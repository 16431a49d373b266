"""Shortest paths for many maps at once.

A map is one integer per column, with a bit per cell. So one layer of a breadth-first search over
(x, y, direction) takes a dozen integer operations for all maps together.
"""

import torch
from torch import Tensor

from env.symbols import DONE, FORWARD, LEFT, RIGHT

ARRIVED = -1
MAX_HEIGHT = 62


def pack(cells: Tensor) -> Tensor:
    """(S, W, H) bool -> (S, W) int32 or int64, whose bit y is the cell (x, y)."""
    height = cells.shape[2]
    if height > MAX_HEIGHT:
        raise ValueError(f"maps are at most {MAX_HEIGHT} cells high, not {height}")
    dtype = torch.int32 if height <= 30 else torch.int64
    bits = 1 << torch.arange(height, dtype=dtype, device=cells.device)
    return (cells * bits).sum(-1, dtype=dtype)


def first_action(passable: Tensor, agent: Tensor, target: Tensor) -> Tensor:
    """The first action of a shortest path to a cell from which the agent faces its target.

    `passable` (S, W) holds packed cells, `agent` (3, S) int64 is x, y, direction, and `target`
    (2, S) int64 is x, y. Each turn and each step costs 1. Returns (S,) int64: an action, `ARRIVED`
    where the agent is there already, or DONE where there is no path.

    Among shortest paths, going straight on comes first, then turning left. This gives longer runs
    of one action, which are easier to imitate, and depends on the observation alone.
    """
    count, width = passable.shape
    x, y, direction = agent
    each = torch.arange(count, device=passable.device)
    bit = torch.ones_like(passable[:, 0])
    passable = passable.clone()
    passable[each, x] |= bit << y.to(bit)

    # Facing the target from next to it, in the four directions: east, south, west, north.
    facing = torch.zeros(4, count, width, dtype=passable.dtype, device=passable.device)
    target_x, target_y = target
    bit = bit << target_y.to(bit)
    facing[0, each, (target_x - 1).clamp(min=0)] = bit * (target_x > 0)
    facing[1, each, target_x] = bit >> 1
    facing[2, each, (target_x + 1).clamp(max=width - 1)] = bit * (target_x < width - 1)
    facing[3, each, target_x] = bit << 1
    reached = facing & passable

    # The states after one action: straight on, turned left, turned right.
    ahead_x = x + (direction == 0).long() - (direction == 2).long()
    ahead_y = y + (direction == 1).long() - (direction == 3).long()
    inside = (ahead_x >= 0) & (ahead_x < width) & (ahead_y >= 0)
    columns = torch.stack(
        [
            (direction * count + each) * width + ahead_x.clamp(0, width - 1),
            ((direction - 1) % 4 * count + each) * width + x,
            ((direction + 1) % 4 * count + each) * width + x,
        ]
    )
    shifts = torch.stack([ahead_y * inside, y, y]).to(bit)
    exists = torch.stack([inside, inside.new_ones(count), inside.new_ones(count)]).to(bit)

    arrived = ((reached.view(-1)[(direction * count + each) * width + x] >> y.to(bit)) & 1).bool()
    action = torch.where(arrived, ARRIVED, DONE)
    searching = ~arrived
    while True:
        straight, left, right = ((reached.view(-1)[columns] >> shifts) & exists).bool()
        best = torch.where(straight, FORWARD, torch.where(left, LEFT, RIGHT))
        found = (straight | left | right) & searching
        action = torch.where(found, best, action)
        searching &= ~found
        grown = _grow(reached, passable)
        if not searching.any() or torch.equal(grown, reached):
            return action
        reached = grown


def _grow(reached: Tensor, passable: Tensor) -> Tensor:
    """Add the states that are one action away from a reached state."""
    east, south, west, north = reached
    grown = reached.clone()
    grown[0::2] |= south | north
    grown[1::2] |= east | west
    grown[0, :, :-1] |= east[:, 1:] & passable[:, :-1]
    grown[1] |= (south >> 1) & passable
    grown[2, :, 1:] |= west[:, :-1] & passable[:, 1:]
    grown[3] |= (north << 1) & passable
    return grown
