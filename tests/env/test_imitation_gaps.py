"""The tasks on which imitating misleads: what the student sees, what the teacher sees, rewards."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algos.evaluator import evaluate
from env.dark_crossing import DarkCrossing
from env.episode import Episode
from env.misled_crossing import MisledCrossing
from env.poisoned_doors import CODE, DOORS, PASSAGE, SURE_DOOR, TRAPS, PoisonedDoors
from env.symbols import DONE, DOOR, EMPTY, FORWARD, HEADINGS, LAVA, LEFT, NO_AGENT, RIGHT, TOGGLE
from env.vector import SerialEnvs
from env.worlds import World, make_world
from tests.env.test_worlds import moves, played, seeds
from tests.gaps import IDS, teacher

MISLED, FAULTY, ONCE, DOORS_ID = IDS.values()


@pytest.fixture
def poisoned() -> Iterator[World]:
    with make_world(DOORS_ID, privileged=True) as world:
        yield world


def success_of_teacher(env_id: str, sees_everything: bool = True) -> tuple[float, float]:
    """The shares of 20 episodes that the teacher alone wins and its mean return."""
    environments = SerialEnvs(lambda: Episode(make_world(env_id, privileged=True)), 20)
    draws, device = torch.Generator().manual_seed(0), torch.device("cpu")
    found = evaluate(environments, teacher(sees_everything), [*range(20)], draws, device)
    return float(np.mean(found.success)), float(np.mean(found.returns))


def test_teachers_succeed_as_their_modules_say() -> None:
    assert success_of_teacher(MISLED)[0] < 0.5
    for env_id in (FAULTY, ONCE):
        assert success_of_teacher(env_id)[0] == 1
        assert success_of_teacher(env_id, sees_everything=False)[0] < 0.5
    assert success_of_teacher(DOORS_ID) == (1, 2)


@given(seeds, moves)
def test_a_misled_teacher_lacks_the_lava_only_near_it(seed: int, actions: list[int]) -> None:
    with make_world(MISLED, privileged=True) as world:
        for seen in played(world, seed, actions):
            grid = world.inner.grid
            x, y = world.inner.agent_pos
            lava = {
                (i, j)
                for i, j in np.ndindex(grid.width, grid.height)
                if (thing := grid.get(i, j)) and thing.type == "lava"
            }
            is_near = any(max(abs(i - x), abs(j - y)) <= 1 for i, j in lava)
            shown = {*map(tuple, np.argwhere(seen["privileged"][..., 0] == LAVA).tolist())}
            assert shown == (set() if is_near else lava)
            student = seen["image"][..., 0]
            assert {*map(tuple, np.argwhere(student == LAVA).tolist())} <= lava
            ahead = tuple(map(int, world.inner.front_pos))
            assert (student[ahead] == LAVA) == (ahead in lava)


@given(st.sampled_from([FAULTY, ONCE]), seeds, moves)
def test_nothing_is_seen_in_the_dark(env_id: str, seed: int, actions: list[int]) -> None:
    dark = [action for action in actions if action != TOGGLE]
    with make_world(env_id, "none", privileged=True) as world:
        for seen in played(world, seed, dark):
            others = seen["image"][..., 3] == NO_AGENT
            assert not seen["image"][others][:, :3].any()
            view = seen["view"].copy()
            view[view.shape[0] // 2, -1] = 0
            assert not view.any()
            assert (seen["privileged"][..., 0] == LAVA).any()


def known(seen: dict[str, np.ndarray]) -> int:
    """The cells that the agent knows."""
    return int((seen["image"][..., 0] > 0).sum())


def test_a_switch_that_stays_lights_the_rest_of_the_episode() -> None:
    with make_world(ONCE) as world:
        dark, _ = world.reset(seed=0)
        lit = world.step(TOGGLE)[0]
        assert known(dark) == 1 < known(lit)
        turned = world.step(RIGHT)[0]
        assert known(turned) > known(lit)
        assert world.inner.is_lit
        assert known(world.reset(seed=0)[0]) == 1


def test_a_faulty_switch_lights_one_observation_half_of_the_time() -> None:
    lights = []
    with make_world(FAULTY, "none") as world:
        for seed in range(200):
            world.reset(seed=seed)
            seen = world.step(TOGGLE)[0]
            lights.append(known(seen) > 1)
            after = world.step(RIGHT)[0]
            assert not world.inner.is_lit
            # What was seen is remembered, but the view is dark again.
            assert known(after) == known(seen)
            assert (after["view"] > 0).sum() <= 1
    # A binomial share is farther away than this once in two million times.
    assert abs(sum(lights) - 100) <= 5 * np.sqrt(200 / 4)


def test_the_same_seed_and_actions_give_the_same_light() -> None:
    def seen() -> list[np.ndarray]:
        with make_world(FAULTY) as world:
            return [each["image"] for each in played(world, 3, [TOGGLE, RIGHT] * 6)]

    assert all(map(np.array_equal, seen(), seen()))


def to_door(world: World, door: tuple[int, int]) -> tuple[float, bool, dict[str, Any]]:
    """Open a door beside the start."""
    turns = {3: [LEFT], 4: [], 5: [RIGHT]}[door[0]]
    for action in [*turns, TOGGLE]:
        _, reward, ended, _, info = world.step(action)
    return reward, ended, info


@pytest.mark.parametrize("door", DOORS)
def test_the_doors_are_worth_what_the_teacher_knows(poisoned: World, door: tuple[int, int]) -> None:
    good = set()
    for seed in range(20):
        seen, _ = poisoned.reset(seed=seed)
        (shown,) = map(tuple, np.argwhere(seen["privileged"][..., 0] == DOOR).tolist())
        assert shown == poisoned.inner.good_door
        good.add(shown)
        reward, ended, info = to_door(poisoned, door)
        assert ended
        assert reward == (2 if door == shown else -2)
        assert info["success"] == (door == shown)
    assert good == set(DOORS)


def test_the_student_cannot_tell_the_doors_apart(poisoned: World) -> None:
    images = {poisoned.reset(seed=seed)[0]["image"].tobytes() for seed in range(20)}
    assert len(images) == 1


def walk(world: World, cells: list[tuple[int, int]]) -> Any:
    """Walk from cell to cell, each next to the one before."""
    for cell in cells:
        x, y, heading = world.remembered.pose
        wanted = HEADINGS.index((cell[0] - x, cell[1] - y))
        for _ in range((wanted - heading) % 4):
            world.step(RIGHT)
        step = world.step(FORWARD)
        if step[2]:
            break
    return step


def test_the_code_leads_to_the_sure_door(poisoned: World) -> None:
    poisoned.reset(seed=0)
    seen, reward, ended, *_ = walk(poisoned, [PASSAGE, *CODE])
    assert (reward, ended) == (0, False)
    assert (seen["image"][..., 0] != LAVA).all()
    (shown,) = map(tuple, np.argwhere(seen["privileged"][..., 0] == DOOR).tolist())
    assert shown == SURE_DOOR
    x, y, heading = poisoned.remembered.pose
    for _ in range((HEADINGS.index((SURE_DOOR[0] - x, SURE_DOOR[1] - y)) - heading) % 4):
        poisoned.step(RIGHT)
    _, reward, ended, _, info = poisoned.step(TOGGLE)
    assert (reward, ended, info["success"]) == (1, True, True)


@pytest.mark.parametrize("way", [[(4, 4), (4, 5)], [(4, 4), (3, 4), (2, 4)]])
def test_a_step_beside_the_code_ends_the_episode(
    poisoned: World, way: list[tuple[int, int]]
) -> None:
    poisoned.reset(seed=0)
    assert way[-1] in TRAPS
    _, reward, ended, _, info = walk(poisoned, [PASSAGE, *way])
    assert (reward, ended, info["success"]) == (0, True, False)


def test_a_teacher_shows_the_way_from_the_passage_on(poisoned: World) -> None:
    obs, _ = poisoned.reset(seed=0)
    walk(poisoned, [PASSAGE])
    obs = poisoned.step(DONE)[0]
    guide = teacher(sees_everything=True)
    draws, state = torch.Generator(), guide.initial_state(1, torch.device("cpu"))
    rewards, ended = 0.0, False
    while not ended:
        one = {name: torch.from_numpy(array.copy())[None] for name, array in obs.items()}
        step, state = guide.act(one, state, draws)
        obs, reward, ended, truncated, _ = poisoned.step(int(step["action"]))
        rewards += reward
        assert not truncated
    assert rewards == 1


def test_the_tasks_are_what_their_modules_say() -> None:
    kinds = (MisledCrossing, DarkCrossing, DarkCrossing, PoisonedDoors)
    for env_id, kind in zip(IDS.values(), kinds, strict=True):
        with make_world(env_id) as world:
            world.reset(seed=0)
            assert isinstance(world.inner, kind)
            assert (world.inner.width, world.inner.height) == (9, 9)
            x, y, _ = world.remembered.pose
            assert world.inner.grid.get(x, y) is None
            assert world.remembered.image()[x, y, 0] == EMPTY
