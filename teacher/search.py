"""Shortest paths for many packed maps at once.

One layer of a breadth-first search over (x, y, direction) takes a dozen integer operations for all
maps together.
"""

import torch
from torch import Tensor

from env.packed_maps import beside, pack_one
from env.symbols import DONE, FORWARD, LEFT, RIGHT
from teacher.surroundings import next_to
from utils import devices
from utils.tensors import changes

ARRIVED = -1
LAYERS = 16
"""After so many layers an accelerator is asked whether the search has ended."""


def first_action(
    passable: Tensor, agent: Tensor, targets: Tensor, slow: Tensor | None = None
) -> Tensor:
    """The first action of a shortest path to a cell from which the agent faces a target.

    `passable` and `targets` (S, W) hold packed cells. `agent` (3, S) int64 is x, y, direction. Each
    turn and each step costs 1; a step onto one of the `slow` passable cells costs 2. Returns (S,)
    int64: an action, `ARRIVED` where the agent faces a target already, or DONE where there is no
    path.

    Among shortest paths, going straight on comes first, then turning left. This gives longer runs
    of one action, which are easier to imitate, and depends on the observation alone.
    """
    passable = passable | pack_one(agent[0], agent[1], passable)
    delays = slow is not None
    slow = torch.zeros_like(passable) if slow is None else slow
    # An accelerator searches a few maps to the end, so that the host need not wait at each layer.
    all_maps = devices.takes_all(passable.device, len(passable))
    if all_maps:
        row = torch.arange(len(passable), device=passable.device)
    else:
        # Steps in a row often have the same map. They share one search.
        new, row = changes(passable, slow, targets)
        passable, slow, targets = passable[new], slow[new], targets[new]
        delays = delays and bool(slow.any())
    reached = torch.stack(beside(targets)) & passable
    before = torch.zeros_like(reached)

    action = torch.where(_are_in(reached, row, agent), ARRIVED, DONE)
    step = row if all_maps else (action == DONE).nonzero()[:, 0]
    row, after = row[step], _after_one_action(agent[:, step], passable)
    layer = 0
    while len(step):
        layer += 1
        # A slow cell can be stepped on one layer after it is reached.
        entered = reached & ~slow | before if delays else reached
        straight = _are_in(entered, row, after[0])
        on_left, on_right = _are_in(reached, row, after[1:].transpose(0, 1))
        best = torch.where(straight, FORWARD, torch.where(on_left, LEFT, RIGHT))
        found = (straight | on_left | on_right) & (action[step] == DONE)
        action[step] = torch.where(found, best, action[step])
        grown = _grow(reached, entered, passable)
        looks = not all_maps or layer % LAYERS == 0
        if looks and torch.equal(grown, reached) and (not delays or torch.equal(reached, before)):
            break
        before, reached = reached, grown
        if all_maps:
            continue
        searching = action[step] == DONE
        if 2 * int(searching.sum()) < len(step):
            step, after = step[searching], after[..., searching]
            kept, row = row[searching].unique(return_inverse=True)
            passable, slow = passable[kept], slow[kept]
            before, reached = before[:, kept], reached[:, kept]
    return action


def _are_in(states: Tensor, row: Tensor, pose: Tensor) -> Tensor:
    """(S,) bool: whether each pose (3, S) is one of the packed states (4, rows, W) in its row."""
    x, y, direction = pose
    _, rows, width = states.shape
    columns: Tensor = states.view(-1)[(direction * rows + row) * width + x]
    bits: Tensor = (columns >> y.to(states)) & 1
    return bits.bool()


def _after_one_action(agent: Tensor, passable: Tensor) -> Tensor:
    """The poses (3, 3, S) straight on, turned left and turned right."""
    x, y, direction = agent
    ahead_x, ahead_y = next_to(agent)
    inside = (ahead_x >= 0) & (ahead_x < passable.shape[1]) & (ahead_y >= 0)
    # No map has so high a cell.
    nowhere = torch.iinfo(passable.dtype).bits - 2
    ahead = torch.stack(
        [torch.where(inside, ahead_x, 0), torch.where(inside, ahead_y, nowhere), direction]
    )
    turned = (torch.stack([x, y, (direction + turn) % 4]) for turn in (-1, 1))
    return torch.stack([ahead, *turned])


def _grow(reached: Tensor, entered: Tensor, passable: Tensor) -> Tensor:
    """Add the states that are one turn away from a reached state, or one step from an entered
    one."""
    east, south, west, north = reached
    grown = reached.clone()
    grown[0::2] |= south | north
    grown[1::2] |= east | west
    east, south, west, north = entered
    grown[0, :, :-1] |= east[:, 1:] & passable[:, :-1]
    grown[1] |= (south >> 1) & passable
    grown[2, :, 1:] |= west[:, :-1] & passable[:, 1:]
    grown[3] |= (north << 1) & passable
    return grown
