"""Layouts drawn in tensors: those of MiniGrid, and as often."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from algos.play import play
from env.layouts import Draws
from env.symbols import COLORS, DOOR, EMPTY, KEY, LAVA, LOCKED, NO_AGENT, WALL
from tests.env.pairs import CPU, make, make_minigrid
from tests.recordings import TASKS, make_teacher
from utils.timing import Stopwatch

LAYOUTS, MINIGRID_LAYOUTS = 100_000, 2500


class Layouts:
    """What lies where in M rooms, as numbers."""

    def __init__(self, words: Tensor, pose: Tensor) -> None:
        cells, size = len(words[0]) - 1, round((len(words[0]) - 1) ** 0.5)
        self.truth = words[:, 1:].contiguous().view(torch.uint8).view(-1, size, size, 4)
        self.kind = self.truth[..., 0]
        # Corners are always walls.
        place = torch.arange(1, size + 1)
        self.size_x = ((self.kind[:, :, 0] == WALL) * place).amax(1)
        self.size_y = ((self.kind[:, 0] == WALL) * place).amax(1)
        self.sizes = self.size_x * 100 + self.size_y
        self.agent, self.heading = pose // 4 - 1, pose % 4
        x, y = torch.meshgrid(*[torch.arange(size, dtype=torch.int8)] * 2, indexing="ij")
        self.x, self.y = x.flatten(), y.flatten()
        last_x, last_y = self.size_x[:, None] - 1, self.size_y[:, None] - 1
        inside = (self.x > 0) & (self.x < last_x) & (self.y > 0) & (self.y < last_y)
        in_room = (self.x <= last_x) & (self.y <= last_y)
        self.floor, self.wall = inside, in_room & ~inside
        self.cells = cells

    def only(self, cell: Tensor) -> Tensor:
        """(M, cells) bool: one cell, (M,), and no other."""
        return torch.arange(self.cells) == cell[:, None]

    def where(self, kind: int, color: int | None = None) -> Tensor:
        """(M, cells) bool: where such a thing lies."""
        here = self.kind == kind
        if color is not None:
            here &= self.truth[..., 1] == color
        return here.flatten(1)

    def beside(self, cell: Tensor) -> Tensor:
        """(M, cells) bool: the floor next to one cell, (M,)."""
        far = (self.x - self.x[cell][:, None]).abs() + (self.y - self.y[cell][:, None]).abs()
        return (far == 1) & self.floor

    def doors(self) -> tuple[Tensor, Tensor]:
        """The cells of the first and the last door, (M,) each; the far wall's is the first."""
        door = self.where(DOOR).byte()
        early, late = door.argmax(1), self.cells - 1 - door.flip(1).argmax(1)
        far = (self.x[early] == self.size_x - 1) | (self.y[early] == self.size_y - 1)
        return torch.where(far, early, late), torch.where(far, late, early)

    def side(self, door: Tensor) -> tuple[Tensor, Tensor]:
        """Of the door at a cell (M,): its wall, 0 to 3, and its place on that, from 0."""
        x, y = self.x[door], self.y[door]
        right, bottom, left = x == self.size_x - 1, y == self.size_y - 1, x == 0
        side = torch.where(right, 0, torch.where(bottom, 1, torch.where(left, 2, 3)))
        return side, torch.where(side % 2 == 0, y, x).long() - 1


def tensor_layouts(name: str) -> Layouts:
    rooms = make(name, LAYOUTS)
    rooms.reset(seed=0)
    return Layouts(rooms._truth, rooms._pose)


def minigrid_layouts(name: str) -> Layouts:
    source, rooms = make_minigrid(name, MINIGRID_LAYOUTS), make(name, MINIGRID_LAYOUTS)
    source.reset(seed=0)
    rooms.load(source.envs)
    return Layouts(rooms._truth, rooms._pose)


@pytest.fixture(scope="module", params=TASKS)
def sample(request: pytest.FixtureRequest) -> tuple[str, Layouts]:
    """A task and very many of its layouts."""
    return request.param, tensor_layouts(request.param)


def uniform(value: Tensor, count: Tensor | int, given: Tensor | int = 0) -> float:
    """The chance of numbers as uneven as these, each drawn from 0 … count - 1, whatever is given.

    Groups that are too small for the test are left out.
    """
    both = torch.as_tensor(given).expand(len(value)) * 1000 + count
    codes, index = both.unique(return_inverse=True)
    counts = codes % 1000
    seen = torch.zeros(len(counts), int(counts.max()))
    seen.index_put_((index, value), torch.ones(len(value)), accumulate=True)
    expected = seen.sum(1, keepdim=True) / counts[:, None]
    tested = (torch.arange(seen.shape[1]) < counts[:, None]) & (expected >= 5)
    statistic = ((seen - expected) ** 2 / expected)[tested].sum()
    freedom = tested.sum() - tested.any(1).sum()
    assert freedom > 0
    return float(stats.chi2.sf(float(statistic), int(freedom)))


def rank(cell: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the allowed cells (M, cells) one is, (M,), and how many there are."""
    assert allowed.gather(1, cell[:, None]).all()
    before = allowed.cumsum(1, dtype=torch.int16).gather(1, cell[:, None])[:, 0].long() - 1
    return before, allowed.sum(1)


def chances(name: str, rooms: Layouts) -> Iterator[tuple[str, float]]:
    """How likely each draw of these layouts is, given the draws before it."""

    def cell_of(things: Tensor) -> Tensor:
        return things.byte().argmax(1)

    door, key = rooms.where(DOOR), rooms.where(KEY)
    color = rooms.truth[..., 1].flatten(1).gather(1, cell_of(door)[:, None])[:, 0].long()
    if name != "TwoDoor":
        span = rooms.size_x - 5, rooms.size_y - 5
        yield "sizes", uniform(span[0] * 6 + span[1], 36)
    first, second = rooms.doors()
    if name == "TwoDoor":
        yield "second place", uniform(rooms.side(second)[1], 18, rooms.side(first)[1])
    side, place = rooms.side(first)
    yield "wall", uniform(side, 2 if name == "TwoDoor" else 4, rooms.sizes)
    length = torch.where(side % 2 == 0, rooms.size_y, rooms.size_x) - 2
    yield "place", uniform(place, length, rooms.sizes * 4 + side)
    if name != "ColoredDoorKey":
        yield "colour", uniform(color, 6, side)
        yield "colour by place", uniform(color, 6, place)

    free, agent = rooms.floor, rooms.only(rooms.agent)
    yield "heading", uniform(rooms.heading, 4, rooms.agent)
    if name == "TwoDoor":
        corner = (rooms.size_x // 2 - 1) * 20 + rooms.size_y // 2 - 1
        offset = cell_of(key) - corner
        yield "key", uniform(offset // 20 * 2 + offset % 20, 4, rooms.heading)
        yield "agent", uniform(*rank(rooms.agent, free & ~key), cell_of(key))
        return
    yield "agent", uniform(*rank(rooms.agent, free), rooms.sizes)
    yield "agent by door", uniform(*rank(rooms.agent, free), side)
    free = free & ~agent
    inside = rooms.beside(first)
    if name == "ColoredDoorKey":
        free = free & ~inside
        blue, red = (rooms.where(KEY, COLORS[color]) for color in ("blue", "red"))
        yield "blue key", uniform(*rank(cell_of(blue), free), rooms.sizes)
        yield "blue key by door", uniform(*rank(cell_of(blue), free), side)
        yield "red key", uniform(*rank(cell_of(red), free & ~blue), rooms.sizes)
        yield "red key by blue", uniform(*rank(cell_of(red), free & ~blue), cell_of(blue))
        return
    yield "key", uniform(*rank(cell_of(key), free), rooms.sizes)
    yield "key by agent", uniform(*rank(cell_of(key), free), rooms.agent)
    if name == "LavaDoorKey":
        lava, free = cell_of(rooms.where(LAVA)), free & ~key & ~inside
        yield "lava", uniform(*rank(lava, free), rooms.sizes)
        yield "lava by agent", uniform(*rank(lava, free), rooms.agent)
        yield "lava by key", uniform(*rank(lava, free), cell_of(key))


def test_layouts_are_distributed_as_those_of_minigrid(sample: tuple[str, Layouts]) -> None:
    found = dict(chances(*sample))
    assert min(found.values()) > 0.001, found


def numbers(rooms: Layouts) -> dict[str, Tensor]:
    """What can be counted of layouts, (M,) each."""
    first, second = rooms.doors()
    cells = {"agent": rooms.agent, "first door": first, "second door": second}
    for kind, color in ((KEY, None), (KEY, COLORS["blue"]), (LAVA, None)):
        cells[f"{kind}, {color}"] = rooms.where(kind, color).byte().argmax(1)
    found = {"sizes": rooms.sizes, "heading": rooms.heading, **cells}
    for (one, cell), (other, there) in combinations(cells.items(), 2):
        found[f"{one} from {other}"] = cell - there
    return found


def test_layouts_look_like_those_of_minigrid(sample: tuple[str, Layouts]) -> None:
    name, rooms = sample
    theirs = numbers(minigrid_layouts(name))
    for what, ours in numbers(rooms).items():
        index = torch.cat([ours, theirs[what]]).unique(return_inverse=True)[1]
        kinds = int(index.max()) + 1
        table = np.stack([part.bincount(minlength=kinds) for part in index.split(LAYOUTS)])
        often = table[0] > 5 * LAYOUTS / MINIGRID_LAYOUTS
        if often.sum() > 1:
            assert stats.chi2_contingency(table[:, often]).pvalue > 0.001, what


def test_every_layout_is_one_that_minigrid_could_make(sample: tuple[str, Layouts]) -> None:
    name, rooms = sample
    door, key, lava = rooms.where(DOOR), rooms.where(KEY), rooms.where(LAVA)
    things = door | key | lava
    # Walls all around but for the doors, floor elsewhere, and the things that belong there.
    assert torch.equal(rooms.where(WALL) | door, rooms.wall)
    assert torch.equal(rooms.where(EMPTY) | rooms.where(WALL) | things, torch.ones_like(things))
    assert (door.sum(1) == (2 if name == "TwoDoor" else 1)).all()
    assert (key.sum(1) == (2 if name == "ColoredDoorKey" else 1)).all()
    assert (lava.sum(1) == (name == "LavaDoorKey")).all()
    assert (rooms.floor | ~(key | lava)).all()
    assert (rooms.floor & ~things & rooms.only(rooms.agent)).any(1).all()
    # No door in a corner: each has one floor cell beside it.
    first, second = rooms.doors()
    inside = rooms.beside(first)
    assert (inside.sum(1) == 1).all()
    assert (rooms.beside(second).sum(1) == 1).all()
    assert not (inside & lava).any()
    if name == "TwoDoor":
        assert (rooms.side(first)[0] + 2 == rooms.side(second)[0]).all()
        assert (key & ((rooms.x - 9.5).abs() < 1) & ((rooms.y - 9.5).abs() < 1)).any(1).all()
    if name == "ColoredDoorKey":
        assert not (inside & key).any()
        assert (rooms.where(KEY, COLORS["blue"]).sum(1) == 1).all()
        assert (rooms.where(KEY, COLORS["red"]).sum(1) == 1).all()
        assert torch.equal(rooms.where(DOOR, COLORS["blue"]), door)
    else:
        colors = rooms.truth[..., 1].flatten(1)
        assert torch.equal((colors * door).amax(1), (colors * key).amax(1))
    state, direction = rooms.truth[..., 2].flatten(1), rooms.truth[..., 3]
    assert torch.equal(state, door * torch.tensor(LOCKED, dtype=torch.uint8))
    assert (direction == NO_AGENT).all()
    assert (rooms.truth[..., 1].flatten(1)[rooms.where(WALL)] == COLORS["grey"]).all()


@pytest.mark.parametrize("name", TASKS)
def test_the_teacher_opens_doors_of_new_layouts(name: str) -> None:
    seeds = list(range(100))
    rooms, teacher = make(name, len(seeds)), make_teacher(name)
    ours = play(rooms, teacher, CPU, seeds, torch.Generator().manual_seed(0), Stopwatch())
    minigrid = make_minigrid(name, len(seeds))
    theirs = play(minigrid, teacher, CPU, seeds, torch.Generator().manual_seed(0), Stopwatch())
    assert abs(int(ours.success.sum()) - int(theirs.success.sum())) <= 15


@pytest.mark.parametrize("name", TASKS)
def test_a_layout_depends_on_its_seed_alone(name: str) -> None:
    obs = make(name, 64).reset(seed=100)[0]["image"]
    few = make(name, 3)
    assert torch.equal(few.reset(seed=[163, 100, 107])[0]["image"], obs[[63, 0, 7]])
    assert torch.equal(few.reset(seed=torch.tensor([107, 163, 107]))[0]["image"], obs[[7, 63, 7]])
    assert len(obs.flatten(1).unique(dim=0)) > 32


def test_a_layout_that_draws_too_often_says_so() -> None:
    draws = Draws(torch.arange(3))
    for _ in range(Draws.MOST):
        draws(10)
    with pytest.raises(ValueError, match=r"at most 16 numbers; set Draws\.MOST higher"):
        draws(10)
