"""Shortest paths of the base among boxes, from anywhere, without a grid.

A shortest path bends at corners of boxes alone. So the corners, a little away from their boxes, and
the goals are the nodes of a graph, joined where they see each other, and what a home remembers is
each node's distance to the nearest goal. From any other place the path leads straight to one of the
nodes in sight.
"""

import torch
from torch import Tensor

from env.nav_pick.layout import INNER
from utils.tensors import Tensors, join

OFF, BLOCKED = 0.35, 0.32
"""How far from their box corners are passed, and within how much of a box no path leads (metres).
Both leave some room to the radius of the base, so that who follows a path does not scrape; and the
next node comes into sight before one has quite been reached."""
HIDDEN = 1e3
"""What it costs to go where there is no way."""
FARTHER = 1e-3
"""Of two nodes on the same path the farther is preferred, by this share of the way to it."""
AT_ONCE = 1024
"""Homes whose nodes are joined at once, in some hundred megabytes."""
NODES = 4 * (INNER.stop - INNER.start + 1)


def draw_paths(homes: Tensors) -> Tensors:
    """`nodes` (M, 36, 2) of drawn homes, and each node's way to the nearest goal, `costs` (M, 36),
    metres, `HIDDEN` or more from where there is none."""
    parts = zip(homes["boxes"].split(AT_ONCE), homes["goals"].split(AT_ONCE), strict=True)
    return join([_graph(*part) for part in parts])


def _graph(boxes: Tensor, goals: Tensor) -> Tensors:
    """The same for boxes (M, B, 6) and goals (M, 4, 2). A node in a wall, or too near to a box, is
    seen from nowhere."""
    low, high = boxes[:, INNER, :2], boxes[:, INNER, 3:5]
    corners = [low - OFF, high + OFF]
    for one, other in (corners, corners[::-1]):
        corners = [*corners, torch.stack([one[..., 0], other[..., 1]], 2)]
    nodes = torch.cat([*corners, goals], 1)
    distance = (nodes[:, :, None] - nodes[:, None]).square().sum(3).sqrt()
    center, half = middles(boxes)
    seen = visible(nodes, nodes, center, half + BLOCKED)
    outer = boxes[:, :4]
    inside = (nodes > torch.stack([outer[:, 0, 3], outer[:, 2, 4]], 1)[:, None] + BLOCKED) & (
        nodes < torch.stack([outer[:, 1, 0], outer[:, 3, 1]], 1)[:, None] - BLOCKED
    )
    exists = inside.all(2)
    edges = distance + HIDDEN * ~(seen & exists[:, :, None] & exists[:, None])
    costs = torch.full_like(nodes[..., 0], HIDDEN)
    costs[:, -goals.shape[1] :] *= ~exists[:, -goals.shape[1] :]
    # A shortest path passes a node once.
    for _ in range(NODES):
        costs = torch.minimum(costs, (edges + costs[:, None]).amin(2))
    return {"nodes": nodes, "costs": costs}


def way(position: Tensor, boxes: Tensor, nodes: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
    """How far it is from `position` (N, 2) to the nearest goal, (N,), and the next place to go
    straight to, (N, 2).

    Right beside a corner, nearer than paths lead, the distance may jump by up to 0.3 m: there a
    path leads around the corner first. It is a function of the place all the same.
    """
    center, half = middles(boxes)
    apart = ((position[:, None] - center).abs() - half).amax(2)
    # Near a box, as the base may be, paths keep the distance that it has.
    half = half + (apart - 1e-4).clamp(max=BLOCKED)[..., None]
    seen = visible(position[:, None], nodes, center, half)[:, 0]
    straight = (nodes - position[:, None]).square().sum(2).sqrt()
    total = straight + costs + HIDDEN * ~seen
    best = (total - FARTHER * straight).argmin(1, keepdim=True)
    target = nodes.gather(1, best[..., None].expand(-1, 1, 2))[:, 0]
    return total.gather(1, best)[:, 0], target


def middles(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Of the footprints inside the home the middle and half the size, (N, B, 2) each."""
    low, high = boxes[:, INNER, :2], boxes[:, INNER, 3:5]
    return (low + high) / 2, (high - low) / 2


def visible(starts: Tensor, ends: Tensor, center: Tensor, half: Tensor) -> Tensor:
    """Which lines from `starts` (N, P, 2) to `ends` (N, Q, 2) cross no box, (N, P, Q) bool.

    A line and a box do not meet if they lie apart along one of the axes or across the line.
    """
    start, end = starts[:, None, :, None], ends[:, None, None]
    middle_x, middle_y = ((start + end) / 2).unbind(-1)
    way_x, way_y = ((end - start) / 2).unbind(-1)
    center_x, center_y = center[:, :, None, None].unbind(-1)
    half_x, half_y = half[:, :, None, None].unbind(-1)
    x, y = middle_x - center_x, middle_y - center_y
    long, tall = way_x.abs(), way_y.abs()
    across = (way_x * y - way_y * x).abs() - (half_x * tall + half_y * long)
    apart = torch.maximum(x.abs() - (half_x + long), y.abs() - (half_y + tall))
    return torch.maximum(apart, across).amin(1) >= 0
