"""The rooms in which the key lies in a box, or the door moves."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.core.world_object import Box, Key

import env  # noqa: F401
from env.episode import Episode
from env.rooms import DoorKeyRoom, DynamicDoorKeyRoom
from env.symbols import BOX, DONE, DOOR, FORWARD, KEY, LEFT, LOCKED, TOGGLE, UNSEEN, WALL
from env.vector import SerialEnvs
from env.worlds import World, make_world
from planner.rules import RulesPlanner
from planner.task import load_task
from planner.world_scene import WorldReader
from teacher.teacher import PlanTeacher
from teacher.world_options import WorldOptions

TASKS = ("KeyInBox", "RandomBoxKey", "DynamicDoorKey")
EPISODES = 20
seeds = st.integers(0, 2**31)


def made(name: str) -> World:
    return make_world(load_task(name).env_id)


def room(world: World) -> DoorKeyRoom:
    assert isinstance(world.inner, DoorKeyRoom)
    return world.inner


def boxes(world: World) -> list[Box]:
    return [thing for thing in world.inner.grid.grid if isinstance(thing, Box)]


@pytest.mark.parametrize("name", TASKS)
def test_rules_solve_every_room(name: str) -> None:
    reader, envs = WorldReader(), SerialEnvs(lambda: Episode(made(name)), EPISODES)
    teacher = PlanTeacher(RulesPlanner(), reader, WorldOptions(reader.number))
    generator = torch.Generator().manual_seed(0)
    state = teacher.initial_state(EPISODES, torch.device("cpu"))
    observation, _ = envs.reset(seed=0)
    solved = ended = torch.zeros(EPISODES, dtype=torch.bool)
    while not ended.all():
        step, _ = teacher.act(observation, state, generator)
        observation, _, terminated, truncated, info = envs.step(step["mode"])
        solved, ended = solved | info["success"], terminated | truncated
    assert solved.all()


@pytest.mark.parametrize("name", TASKS)
def test_gymnasium_makes_the_rooms(name: str) -> None:
    bare = gym.make(load_task(name).env_id)
    observation, _ = bare.reset(seed=1)
    seen, _ = made(name).reset(seed=1)
    np.testing.assert_array_equal(observation["image"], seen["image"])


@given(seed=seeds, name=st.sampled_from(TASKS[:2]))
def test_one_box_holds_the_key_of_the_door_and_none_blocks_it(seed: int, name: str) -> None:
    world = made(name)
    world.reset(seed=seed)
    inner = room(world)
    (door,) = inner.doors
    contents = [box.contains for box in boxes(world)]
    (key,) = [thing for thing in contents if thing]
    assert isinstance(key, Key)
    assert key.color == inner.grid.get(*door).color
    assert len(contents) == 1 if name == "KeyInBox" else len(contents) in (2, 3)
    assert not any(inner.inside_door(inner, box.cur_pos) for box in boxes(world))


@given(seed=seeds, moves=st.lists(st.sampled_from([0, 1, 2, 2, 3, 4]), max_size=60))
@settings(max_examples=50)
def test_a_key_in_a_closed_box_is_not_seen(seed: int, moves: list[int]) -> None:
    world = made("RandomBoxKey")
    observation, _ = world.reset(seed=seed)
    for action in moves:
        assert KEY not in observation["image"][..., 0]
        observation, *_ = world.step(action)


def test_an_opened_box_shows_its_key() -> None:
    world = made("KeyInBox")
    world.reset(seed=0)
    (box,) = boxes(world)
    x, y = map(int, box.cur_pos)
    places = {(x - 1, y): 0, (x, y - 1): 1, (x + 1, y): 2, (x, y + 1): 3}
    place = next(place for place in places if world.inner.grid.get(*place) is None)
    world.inner.agent_pos, world.inner.agent_dir = place, places[place]
    observation, *_ = world.step(DONE)
    assert observation["image"][x, y, 0] == BOX
    observation, *_ = world.step(TOGGLE)
    assert observation["image"][x, y, 0] == KEY


@given(seed=seeds, moves=st.lists(st.sampled_from([LEFT, FORWARD, FORWARD]), max_size=80))
@settings(max_examples=50)
def test_the_door_moves_until_the_key_is_seen_and_memory_never_lies(
    seed: int, moves: list[int]
) -> None:
    world = made("DynamicDoorKey")
    observation, _ = world.reset(seed=seed)
    inner, found = room(world), False
    for count, action in enumerate(moves, start=1):
        found |= bool((observation["image"][..., 0] == KEY).any())
        before = inner.doors
        observation, *_ = world.step(action)
        moved = not found and count % DynamicDoorKeyRoom.PERIOD == 0
        assert (inner.doors != before) == moved
        truth = inner.grid.encode()
        assert (truth[..., 0] == DOOR).sum() == 1
        assert truth[(*inner.doors[0], 2)] == LOCKED
        known = observation["image"][..., 0] != UNSEEN
        known[tuple(inner.agent_pos)] = False
        np.testing.assert_array_equal(observation["image"][known][:, :3], truth[known])
        if moved:
            walls = {tuple(cell) for cell in np.argwhere(observation["image"][..., 0] == WALL)}
            assert walls <= set(world.remembered.in_view)
