"""Visibility and movement in many rooms at once: the cells in view, and tables of poses."""

from itertools import pairwise

import torch
from torch import Tensor

from env.symbols import ACTIONS, FORWARD, HEADINGS, LEFT, RIGHT


def spread_light(clear: Tensor) -> Tensor:
    """The cells of the view that are lit. Light spreads line by line away from the agent.

    `clear` (lines, places, N) bool says which cells are transparent. On each line, once forth and
    once back, a lit clear cell lights its neighbour and the two cells ahead of them.
    """
    lit = torch.zeros_like(clear[0])
    lit[len(lit) // 2].fill_(True)
    lines = [lit]
    for line in clear.unbind():
        bright = lines[-1] & line
        places = list(zip(bright.unbind(), line.unbind(), strict=True))
        for path in (places, places[::-1]):
            for (lamp, _), (cell, cell_clear) in pairwise(path):
                cell |= lamp & cell_clear
        ahead = bright.clone()
        ahead[1:] |= bright[:-1]
        ahead[:-1] |= bright[1:]
        lines.append(ahead)
    # A cell is lit from the line before, or it is a bright cell or the neighbour of one. The bright
    # cells and their neighbours are what lights the next line.
    spread = torch.stack(lines)
    return spread[:-1] | spread[1:]


def pose_tables(grid_size: int, view_size: int) -> tuple[Tensor, Tensor]:
    """The cells in view from each pose, (poses, view_size**2) int64, line by line away from the
    agent; and the pose after each action from each pose, (7, poses) int64, if the way is free."""
    cells = torch.arange(grid_size**2)[:, None, None, None]
    dx, dy = torch.tensor(HEADINGS)[:, :, None, None].unbind(1)
    line = torch.arange(view_size)[:, None]
    place = torch.arange(view_size) - view_size // 2
    x = cells // grid_size + line * dx + place * dy.abs()
    y = cells % grid_size + line * dy + place * dx.abs()
    inside = (x >= 0) & (x < grid_size) & (y >= 0) & (y < grid_size)
    view = ((x * grid_size + y + 1) * inside).view(-1, view_size**2)
    view = torch.cat([view.new_zeros(4, view_size**2), view])

    pose = torch.arange(len(view))
    moves = pose.repeat(len(ACTIONS), 1)
    moves[LEFT] = pose - pose % 4 + (pose + 3) % 4
    moves[RIGHT] = pose - pose % 4 + (pose + 1) % 4
    moves[FORWARD] = 4 * view[:, view_size + view_size // 2] + pose % 4
    return view, moves
