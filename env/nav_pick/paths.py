"""Shortest paths of the base among boxes, from any place, without a grid.

A shortest path bends only at corners of boxes. So a graph has the goals and the corners, a little
away from their boxes, as nodes. Nodes in sight of each other are joined. Each home keeps the
distance of every node to the nearest goal. From any other place the path leads straight to one of
the nodes in sight.
"""

import torch
from torch import Tensor

from env.nav_pick.layout import INNER
from utils.tensors import Tensors, join

OFF, BLOCKED = 0.35, 0.32
"""Metres: paths pass corners at distance `OFF` and keep `BLOCKED` away from boxes. Both are larger
than the radius of the base, so that a robot on a path touches nothing and sees the next node a
little before it reaches one."""
HIDDEN = 1e3
"""The cost of a way that is blocked."""
FARTHER = 1e-3
"""Of two nodes on the same path the farther one wins, by this fraction of the way to it."""
AT_ONCE = 1024
"""Homes per batch when graphs are built, for some hundred megabytes of memory."""
NODES = 4 * (INNER.stop - INNER.start + 1)


def draw_paths(homes: Tensors) -> Tensors:
    """The `nodes` (M, 36, 2) of M drawn homes and their `costs` (M, 36).

    A cost is the distance to the nearest goal in metres, at least `HIDDEN` if no path exists.
    """
    parts = zip(homes["boxes"].split(AT_ONCE), homes["goals"].split(AT_ONCE), strict=True)
    return join([_graph(*part) for part in parts])


def _graph(boxes: Tensor, goals: Tensor) -> Tensors:
    """`draw_paths` of boxes (M, B, 6) and goals (M, 4, 2). A node in or near a box joins none."""
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
    # Bellman-Ford: a shortest path passes each node at most once.
    for _ in range(NODES):
        costs = torch.minimum(costs, (edges + costs[:, None]).amin(2))
    return {"nodes": nodes, "costs": costs}


def way(position: Tensor, boxes: Tensor, nodes: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
    """The distance (N,) from `position` (N, 2) to the nearest goal, and the next node (N, 2).

    Beside a corner, closer than `OFF`, the distance may jump by up to 0.3 m, because the path there
    first leads around the corner. It is still a function of the position alone.
    """
    center, half = middles(boxes)
    apart = ((position[:, None] - center).abs() - half).amax(2)
    # A base closer to a box than `BLOCKED` keeps its present distance.
    half = half + (apart - 1e-4).clamp(max=BLOCKED)[..., None]
    seen = visible(position[:, None], nodes, center, half)[:, 0]
    straight = (nodes - position[:, None]).square().sum(2).sqrt()
    total = straight + costs + HIDDEN * ~seen
    best = (total - FARTHER * straight).argmin(1, keepdim=True)
    target = nodes.gather(1, best[..., None].expand(-1, 1, 2))[:, 0]
    return total.gather(1, best)[:, 0], target


def middles(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The middle and half the size of each footprint inside the home, (N, B, 2) each."""
    low, high = boxes[:, INNER, :2], boxes[:, INNER, 3:5]
    return (low + high) / 2, (high - low) / 2


def visible(starts: Tensor, ends: Tensor, center: Tensor, half: Tensor) -> Tensor:
    """Which segments from `starts` (N, P, 2) to `ends` (N, Q, 2) cross no box, (N, P, Q) bool.

    A segment misses a box if the two are apart along x, along y, or across the segment.
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
