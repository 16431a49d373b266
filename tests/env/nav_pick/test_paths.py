import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from env.nav_pick.homes import describe, draw_homes
from env.nav_pick.paths import HIDDEN, OFF, draw_paths, visible, way
from env.nav_pick.robot import RADIUS
from tests.env.nav_pick.pilot import clearance, empty_home, solid
from utils.tensors import Tensors

CELL = 0.1


def find(home: Tensors, x: float, y: float) -> tuple[float, list[float]]:
    distance, target = way(torch.tensor([[x, y]]), home["boxes"], home["nodes"], home["costs"])
    return float(distance), target[0].tolist()


def test_without_boxes_the_way_is_straight() -> None:
    home = empty_home(goal=(5, 5))
    assert find(home, 1, 2) == (pytest.approx(5), [5, 5])
    assert find(home, 5, 5) == (0, [5, 5])


def test_a_way_goes_around_a_box_by_its_corners() -> None:
    home = empty_home([2, 0, 0, 3, 4, 2], goal=(4, 1))
    distance, target = find(home, 1, 1)
    corner, other = (2 - OFF, 4 + OFF), (3 + OFF, 4 + OFF)
    legs = [np.hypot(corner[0] - 1, corner[1] - 1), 1 + 2 * OFF, np.hypot(4 - other[0], 3 + OFF)]
    assert distance == pytest.approx(sum(legs), abs=1e-4)
    assert target == pytest.approx(corner, abs=1e-5)
    # Shortly before a corner the next one is in sight.
    assert find(home, corner[0], corner[1] - 0.01)[1] == pytest.approx(other, abs=1e-5)


def test_where_there_is_no_way_it_costs_more_than_any() -> None:
    home = empty_home([2, 0, 0, 3, 6, 2], goal=(4, 1))
    assert find(home, 1, 1)[0] >= HIDDEN


def test_lines_cross_boxes_or_not() -> None:
    center, half = torch.tensor([[[1.0, 1.0]]]), torch.tensor([[[0.5, 0.5]]])
    starts = torch.tensor([[[0.0, 1.0], [0.0, 0.0], [1.0, 0.2]]])
    ends = torch.tensor([[[2.0, 1.0], [0.4, 1.0], [0.0, 1.8], [2.0, 0.5]]])
    # Along its side a line may touch a box.
    expected = [[False, True, True, False], [False, True, True, True], [False, False, False, True]]
    assert visible(starts, ends, center, half)[0].tolist() == expected


def grid_distance(boxes: np.ndarray, goals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dijkstra's distances from the goals over free cells and their eight neighbours; their
    places (cells, 2)."""
    x, y = np.meshgrid(
        np.arange(0, boxes[:, 3].max(), CELL), np.arange(0, boxes[:, 4].max(), CELL), indexing="ij"
    )
    places = np.stack([x.ravel(), y.ravel()], 1)
    free = np.array([clearance(boxes, place) > RADIUS + 0.04 for place in places]).reshape(x.shape)
    number = np.arange(x.size).reshape(x.shape)
    rows, columns, lengths = [], [], []
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        here = (slice(0, len(x) - dx), slice(max(-dy, 0), x.shape[1] - max(dy, 0)))
        there = (slice(dx, None), slice(max(dy, 0), x.shape[1] - max(-dy, 0)))
        both = free[here] & free[there]
        rows.append(number[here][both])
        columns.append(number[there][both])
        lengths.append(np.full(both.sum(), CELL * np.hypot(dx, dy)))
    edges = np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))
    graph = sparse.csr_array(edges, shape=(x.size, x.size))
    nearest = [int(np.hypot(*(places - goal).T).argmin()) for goal in goals]
    found = sparse.csgraph.dijkstra(graph, directed=False, indices=nearest, min_only=True)
    return found, places


@pytest.mark.parametrize("seed", range(6))
def test_ways_are_about_as_long_as_on_a_fine_grid(seed: int) -> None:
    homes = draw_homes(torch.tensor([seed]), layouts=0)
    paths = draw_paths(homes)
    home = describe(homes, 0)
    found, places = grid_distance(solid(home), np.array(home.goals))
    reached = np.isfinite(found)
    assert reached.mean() > 0.3
    here = torch.from_numpy(places[reached]).float()

    def rows(tensor: Tensor) -> Tensor:
        return tensor.expand(len(here), *tensor.shape[1:])

    distance, _ = way(here, rows(homes["boxes"]), rows(paths["nodes"]), rows(paths["costs"]))
    # Eight directions are up to 8% too long; corners passed at a distance, a little.
    grid = found[reached]
    assert (distance.numpy() > grid / 1.083 - 0.15).all()
    assert (distance.numpy() < grid + 0.25).all()


def test_there_is_a_way_from_wherever_a_base_may_be() -> None:
    count = 400
    homes = draw_homes(torch.arange(count), layouts=0)
    paths = draw_paths(homes)
    generator = torch.Generator().manual_seed(0)
    size = torch.stack([homes["boxes"][:, 1, 0], homes["boxes"][:, 3, 1]], 1)
    tried = 0
    for _ in range(100):
        place = torch.rand(count, 2, generator=generator) * size
        low, high = homes["boxes"][..., :2], homes["boxes"][..., 3:5]
        away = (place[:, None] - place[:, None].clamp(low, high)).norm(dim=2).amin(1)
        free = away >= RADIUS
        distance, _ = way(place, homes["boxes"], paths["nodes"], paths["costs"])
        assert (distance[free] < 30).all()
        tried += int(free.sum())
    assert tried > 10_000
