from collections.abc import Iterator
from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from scipy import stats
from torch import Tensor
from torch.utils._pytree import tree_leaves

from algos.play import play
from env.episode import room
from env.layouts import Draws
from env.symbols import COLORS, DONE, DOOR, EMPTY, KEY, LAVA, LEFT, LOCKED, NO_AGENT, WALL
from env.tensor_rooms import DoorKeyRooms
from env.vector import FrameStack, RestingEnv, SerialEnvs, Step
from tests.recordings import TASKS, make_teacher, recording, task
from utils.tensors import Tensors, rows
from utils.timing import Stopwatch

CPU = torch.device("cpu")
LAYOUTS, MINIGRID_LAYOUTS = 100_000, 2500


def make(name: str, count: int, **options: Any) -> DoorKeyRooms:
    env_id = task(name).env_id
    rooms = gym.make_vec(env_id, count, vectorization_mode="vector_entry_point", **options)
    assert isinstance(rooms, DoorKeyRooms)
    return rooms


def make_minigrid(name: str, count: int, **options: Any) -> SerialEnvs:
    def one() -> gym.Env:
        return gym.make(task(name).env_id, disable_env_checker=True, **options).unwrapped

    return SerialEnvs(lambda: room(one), count)


def stacked(rooms: RestingEnv, frames: int) -> RestingEnv:
    return FrameStack(rooms, frames) if frames > 1 else rooms


def same(one: Any, other: Any) -> bool:
    """Whether observations, or what steps return, are the same tensors."""
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return len(one) == len(other) and all(map(same, one, other))


class Twins:
    """MiniGrid's rooms and the same ones in tensors, which must never differ."""

    def __init__(self, name: str, count: int, **options: Any) -> None:
        self.num_envs = count
        self.minigrid = make_minigrid(name, count, **options)
        self.tensors = make(name, count, **options)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Tensors, dict[str, Any]]:
        obs, info = self.minigrid.reset(seed=seed)
        assert same(self.tensors.load(self.minigrid.envs), obs)
        return obs, info

    def step(self, actions: Any) -> Step:
        expected, found = self.minigrid.step(actions), self.tensors.step(actions)
        assert same(expected, found)
        return found


class Chance:
    """Acts at random, or as `within` does but for a share of the steps."""

    def __init__(self, within: Any = None, share: float = 1.0) -> None:
        self.within, self.share = within, share

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.within.initial_state(count, device) if self.within else {}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        action = torch.randint(7, (len(obs["image"]),), generator=generator)
        if self.within:
            step, state = self.within.act(obs, state, generator)
            at_random = torch.rand(len(action), generator=generator) < self.share
            action = torch.where(at_random, action, step["action"])
        return {"action": action}, state


def play_twins(twins: Twins, actor: Chance, steps: int, first_seed: int) -> int:
    """Plays waves of episodes for so many steps; returns how many doors were opened."""
    generator = torch.Generator().manual_seed(first_seed)
    done = opened = wave = 0
    while done < steps:
        seeds = [first_seed + wave * twins.num_envs + i for i in range(twins.num_envs)]
        rollout = play(twins, actor, CPU, seeds, generator, Stopwatch())
        done, opened, wave = done + len(rollout), opened + int(rollout.success.sum()), wave + 1
    return opened


@pytest.mark.parametrize("name", TASKS)
def test_every_recorded_step_is_reproduced(name: str) -> None:
    rows = recording(name)
    starts = np.flatnonzero(rows["t"] == 0)
    minigrid, rooms = make_minigrid(name, len(starts)), make(name, len(starts))
    minigrid.reset(seed=rows["seed"][starts].tolist())
    obs = rooms.load(minigrid.envs)["image"]
    lengths = np.diff([*starts, len(rows["t"])])
    for t in range(lengths.max()):
        now = np.flatnonzero(t < lengths)
        row = starts[now] + t
        np.testing.assert_array_equal(obs[now], rows["obs"][row])
        actions = np.full(len(starts), DONE)
        actions[now] = rows["action"][row]
        seen, reward, terminated, _, info = rooms.step(actions)
        obs = seen["image"]
        np.testing.assert_array_equal(reward[now], rows["reward"][row].astype(np.float32))
        np.testing.assert_array_equal(terminated[now], rows["terminated"][row])
        np.testing.assert_array_equal(info["success"][now], rows["reward"][row] > 0)


# MiniGrid takes its time: 10,000 steps a task, and 200,000.
@pytest.mark.parametrize("count", [33, pytest.param(670, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TASKS)
def test_many_steps_are_those_of_minigrid(name: str, count: int) -> None:
    twins, steps = Twins(name, count), 150 * count
    play_twins(twins, Chance(), steps, first_seed=0)
    teacher = Chance(make_teacher(name), share=0.25)
    assert play_twins(twins, teacher, steps, first_seed=10**6) > 0.15 * count


@pytest.mark.parametrize(
    "options",
    [
        {"agent_view_size": 5},
        {"agent_view_size": 7},
        {"agent_view_size": 15, "max_steps": 30},
        {"grid_size": 12, "max_size": 12, "agent_view_size": 5},
        {"grid_size": 9, "min_size": 4, "max_size": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", TASKS)
def test_other_views_and_sizes_are_those_of_minigrid(name: str, options: dict[str, Any]) -> None:
    if name == "TwoDoor" and "max_size" in options:
        options = {"min_size": options["max_size"], **options}
    twins = Twins(name, 40, **{"max_steps": 40, **options})
    play_twins(twins, Chance(make_teacher(name), share=0.5), 1000, first_seed=7)


# Layouts.


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


# The vector interface.


def in_space(obs: Tensors, rooms: RestingEnv) -> bool:
    return {name: tensor.numpy() for name, tensor in obs.items()} in rooms.observation_space


@pytest.mark.parametrize("name", TASKS)
def test_gymnasium_makes_them(name: str) -> None:
    rooms, model = make(name, 3), make_minigrid(name, 3)
    assert rooms.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    for field in (
        "num_envs",
        "described",
        "render_mode",
        "single_observation_space",
        "single_action_space",
        "observation_space",
        "action_space",
    ):
        assert getattr(rooms, field) == getattr(model, field), field
    assert rooms.describe(**gym.spec(task(name).env_id).kwargs) == rooms.described
    obs, info = rooms.reset(seed=3)
    assert info == {}
    assert in_space(obs, rooms)
    rooms.action_space.seed(0)
    for _ in range(5):
        step = rooms.step(rooms.action_space.sample())
        assert in_space(step[0], rooms)
        assert [one.dtype for one in step[1:4]] == [torch.float32, torch.bool, torch.bool]
        assert [one.shape for one in step[1:4]] == [(3,)] * 3


@pytest.mark.parametrize("name", TASKS)
def test_a_layout_depends_on_its_seed_alone(name: str) -> None:
    obs = make(name, 64).reset(seed=100)[0]["image"]
    few = make(name, 3)
    assert torch.equal(few.reset(seed=[163, 100, 107])[0]["image"], obs[[63, 0, 7]])
    assert torch.equal(few.reset(seed=torch.tensor([107, 163, 107]))[0]["image"], obs[[7, 63, 7]])
    assert len(obs.flatten(1).unique(dim=0)) > 32


def test_large_seeds_are_welcome_and_negative_ones_are_not() -> None:
    rooms = make("SimpleDoorKey", 2)
    last, _ = rooms.reset(seed=2**64 - 2)
    assert same(rooms.reset(seed=[2**64 - 2, 2**64 - 1])[0], last)
    with pytest.raises(gym.error.Error):
        rooms.reset(seed=-1)
    with pytest.raises(OverflowError):
        rooms.reset(seed=[-1, 0])


def test_without_seeds_new_rooms_follow_from_the_last_one_given() -> None:
    rooms = make("SimpleDoorKey", 50)
    first, second = rooms.reset(seed=1)[0], rooms.reset()[0]
    assert not same(first, second)
    assert same(rooms.reset(seed=1)[0], first)
    assert same(rooms.reset()[0], second)
    mixed, _ = rooms.reset(seed=[None] * 49 + [50])
    assert torch.equal(mixed["image"][49], first["image"][49])
    assert not same(mixed, make("SimpleDoorKey", 50).reset()[0])


@pytest.mark.parametrize("frame_stack", [1, 2])
def test_a_finished_room_rests_until_it_is_reset(frame_stack: int) -> None:
    rooms = stacked(make("SimpleDoorKey", 2, max_steps=3), frame_stack)
    rooms.reset(seed=[0, 1])
    for _ in range(3):
        last, _, _, truncated, _ = rooms.step([LEFT, LEFT])
    assert truncated.tolist() == [True, True]
    first, second = torch.tensor([0]), torch.tensor([1])
    resting, reward, terminated, truncated, _ = rooms.step([LEFT, LEFT])
    assert same(resting, last)
    assert (truncated & ~terminated).all()
    assert not reward.any()
    unchanged, _ = rooms.reset(options={"reset_mask": np.array([False, False])})
    assert same(unchanged, last)
    fresh, _ = rooms.reset(seed=[9, 9], options={"reset_mask": np.array([True, False])})
    assert same(rows(fresh, second), rows(last, second))
    alone = stacked(make("SimpleDoorKey", 1), frame_stack)
    assert same(rows(fresh, first), alone.reset(seed=[9])[0])
    obs, _, _, truncated, _ = rooms.step([LEFT, LEFT])
    assert truncated.tolist() == [False, True]
    assert same(rows(obs, second), rows(last, second))
    assert same(rows(obs, first), alone.step([LEFT])[0])


def test_a_terminated_room_rests_too() -> None:
    rooms, flags = make("LavaDoorKey", 200), torch.zeros(200, dtype=torch.bool)
    obs, _ = rooms.reset(seed=0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        new, reward, terminated, _, info = rooms.step(torch.randint(7, (200,), generator=generator))
        assert same(rows(new, flags), rows(obs, flags))
        assert not reward[flags].any()
        assert not info["success"][flags].any()
        assert (terminated | ~flags).all()
        obs, flags = new, terminated
    assert flags.any()
    assert not flags.all()


@pytest.mark.parametrize("frame_stack", [1, 3])
def test_the_same_actions_give_the_same_steps(frame_stack: int) -> None:
    actions = torch.randint(7, (40, 16), generator=torch.Generator().manual_seed(0))
    ours, theirs = (stacked(make("LavaDoorKey", 16), frame_stack) for _ in range(2))
    assert same(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    for action in actions:
        assert same(ours.step(action), theirs.step(action.numpy()))


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("frame_stack", [1, 3])
def test_what_was_returned_is_the_callers(count: int, frame_stack: int) -> None:
    spoilt, plain = (stacked(make("SimpleDoorKey", count), frame_stack) for _ in range(2))
    for tensor in spoilt.reset(seed=5)[0].values():
        tensor.fill_(77)
    plain.reset(seed=5)
    for action in (LEFT, 2, 1, 2, 5):
        returned = spoilt.step([action] * count)
        assert same(returned, plain.step([action] * count))
        for tensor in tree_leaves(returned):
            tensor.fill_(1)


def test_a_step_looks_at_no_value() -> None:
    # Tensors on the device `meta` have none, so that whatever would wait for one fails.
    for name in TASKS:
        rooms = stacked(make(name, 5, device="meta"), 2)
        obs, _ = rooms.reset(seed=torch.zeros(5, dtype=torch.int64))
        seen = rooms.step(torch.zeros(5, dtype=torch.int64))[0]
        assert seen.keys() == obs.keys() == {"image", "before"}
        assert all(seen[name].shape == obs[name].shape for name in seen)


@pytest.mark.parametrize("actions", [[0, -5], [0, 7], [1.0, 2.0], [2], 2, [[1, 2]]])
def test_actions_that_are_none_are_refused_before_anything_moves(actions: Any) -> None:
    rooms = DoorKeyRooms(2)
    rooms.reset(seed=0)
    with pytest.raises(ValueError, match="actions "):
        rooms.step(actions)
    untouched = DoorKeyRooms(2)
    untouched.reset(seed=0)
    assert same(rooms.step([1, 1]), untouched.step([1, 1]))


@pytest.mark.parametrize("seed", [torch.zeros(3, dtype=torch.int64), torch.zeros(2)])
def test_seeds_that_are_none_are_refused(seed: Tensor) -> None:
    with pytest.raises(ValueError, match="seeds must be 2 integers"):
        DoorKeyRooms(2).reset(seed=seed)


def test_a_seed_of_numpy_is_a_seed() -> None:
    first, second = (DoorKeyRooms(2).reset(seed=seed)[0] for seed in (np.int64(3), 3))
    assert same(first, second)


@pytest.mark.parametrize("wrong", ["num_envs", "max_steps"])
def test_numbers_of_nothing_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        DoorKeyRooms(**{"num_envs": 2, wrong: 0})


@pytest.mark.parametrize("view", [-3, 0, 1, 2, 4, 8])
def test_an_even_or_tiny_view_is_refused(view: int) -> None:
    with pytest.raises(ValueError, match="agent_view_size must be odd and at least 3"):
        DoorKeyRooms(1, agent_view_size=view)


@pytest.mark.parametrize("sizes", [(10, 3, 10), (10, 6, 5), (10, 5, 11)])
def test_sizes_without_a_room_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="sizes must be"):
        DoorKeyRooms(1, *sizes)


def test_a_layout_that_draws_too_often_says_so() -> None:
    draws = Draws(torch.arange(3))
    for _ in range(Draws.MOST):
        draws(10)
    with pytest.raises(ValueError, match=r"at most 16 numbers; set Draws\.MOST higher"):
        draws(10)
