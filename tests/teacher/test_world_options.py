import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from minigrid.core.world_object import Door, Goal, WorldObj

from env.missions import to_numbers
from env.remembered_map import Cell
from env.symbols import (
    BALL,
    BOX,
    COLORS,
    DONE,
    DOOR,
    DROP,
    EMPTY,
    FLOOR,
    FORWARD,
    GOAL,
    KEY,
    LAVA,
    LEFT,
    NO_AGENT,
    OPEN,
    PICK_UP,
    RIGHT,
    TOGGLE,
    UNSEEN,
    WALL,
)
from env.worlds import make_world
from planner import plans
from planner.plans import Option
from planner.room_scene import NOWHERE
from teacher.world_maps import WorldMaps
from teacher.world_options import WorldOptions
from tests.teacher import world_reference as reference

BARE = [EMPTY] * 6
KINDS = [*BARE, FLOOR, UNSEEN, UNSEEN, WALL, WALL, DOOR, DOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA]
MISSION = "open the red door then the blue door"
MISSION_COLORS = {COLORS["red"], COLORS["blue"]}
TIES = (FORWARD, TOGGLE, PICK_UP, DROP, DONE, reference.FINISHED, LEFT, RIGHT)
"""Straight on counts first, whatever it takes; then turning left."""


@st.composite
def maps(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.integers(3, 7)), draw(st.integers(3, 7) | st.sampled_from([16, 32]))
    image = np.zeros((*shape, 4), np.uint8)
    image[..., 0] = draw(arrays(np.uint8, shape, elements=st.sampled_from(KINDS)))
    image[..., 1] = draw(arrays(np.uint8, shape, elements=st.integers(0, 5)))
    image[..., 2] = draw(arrays(np.uint8, shape, elements=st.integers(0, 2)))
    image[..., 3] = NO_AGENT
    agent = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
    image[agent] = (draw(st.sampled_from([EMPTY, KEY, BOX])), 0, 0, draw(st.integers(0, 3)))
    return image


def observed(image: np.ndarray, mission: str = MISSION) -> dict[str, torch.Tensor]:
    obs = {"image": image, "mission": to_numbers(mission)}
    return {name: torch.tensor(values)[None] for name, values in obs.items()}


def proposed(image: np.ndarray, option: Option, cell: Cell | None) -> int:
    """The action of an option whose thing, or the thing next to it, is at this cell."""
    at = NOWHERE if cell is None else cell[0] * image.shape[1] + cell[1]
    used = torch.ones(1, 1, dtype=torch.bool)
    rules, memory = WorldOptions({"it": 0}), {"cells": torch.tensor([[at]])}
    proposal, _ = rules.propose(observed(image), memory, [option], used, {})
    assert proposal.actions[0, 1] == DONE
    assert proposal.finished[0, 1]
    assert proposal.finished[0, 0] == (proposal.actions[0, 0] == reference.FINISHED)
    return int(proposal.actions[0, 0])


def test_one_map_may_have_several_options_of_a_verb() -> None:
    image = np.zeros((4, 4, 4), np.uint8)
    image[..., 0], image[..., 3] = EMPTY, NO_AGENT
    image[0, 0, 3] = 0
    options = [Option(plans.GO_TO, name) for name in ("one", "two", "three")]
    cells = torch.tensor([[2, 8, NOWHERE]])
    rules = WorldOptions({"one": 0, "two": 1, "three": 2})
    used = torch.ones(1, 3, dtype=torch.bool)
    proposal, _ = rules.propose(observed(image), {"cells": cells}, options, used, {})
    assert proposal.actions.tolist() == [[RIGHT, FORWARD, DONE, DONE]]


@st.composite
def maps_with_a_cell(draw: st.DrawFn) -> tuple[np.ndarray, Cell]:
    image = draw(maps())
    return image, (
        draw(st.integers(0, image.shape[0] - 1)),
        draw(st.integers(0, image.shape[1] - 1)),
    )


def first_of(actions: set[int]) -> int:
    return next(action for action in TIES if action in actions)


@settings(max_examples=150)
@given(maps_with_a_cell())
def test_walks_begin_shortest_paths_over_the_best_ways(case: tuple[np.ndarray, Cell]) -> None:
    image, cell = case
    world = reference.Map.of(image, MISSION_COLORS)
    for option, expected in {
        Option(plans.EXPLORE): reference.explore(world),
        Option(plans.GO_TO, "it"): reference.go_to(world, {cell}),
        Option(plans.DROP, "what is held"): reference.put_aside(world, {cell}),
        Option(plans.DROP, "what is held", "it"): reference.put_next_to(world, {cell}),
    }.items():
        assert proposed(image, option, cell) == first_of(expected), option


@settings(max_examples=50)
@given(maps_with_a_cell())
def test_hands_act_on_what_is_faced(case: tuple[np.ndarray, Cell]) -> None:
    image, cell = case
    world = reference.Map.of(image, MISSION_COLORS)
    faced, held = world.ahead == cell, world.full and world.own == cell
    pick_up = reference.FINISHED if held else PICK_UP if faced and not world.full else DONE
    assert proposed(image, Option(plans.PICK_UP, "it"), cell) == pick_up
    assert proposed(image, Option(plans.OPEN, "it"), cell) == (TOGGLE if faced else DONE)


@settings(max_examples=25)
@given(maps())
def test_things_that_are_not_known_are_waited_for(image: np.ndarray) -> None:
    for verb in (plans.GO_TO, plans.PICK_UP, plans.OPEN):
        assert proposed(image, Option(verb, "it"), None) == DONE
        assert proposed(image, Option(verb, "another name"), (1, 1)) == DONE


@settings(max_examples=150)
@given(maps())
def test_a_harmless_cell_can_be_filled_without_cutting_off_anything(image: np.ndarray) -> None:
    world = reference.Map.of(image, MISSION_COLORS)
    (columns,) = WorldMaps.of(observed(image), torch.tensor([[NOWHERE]])).harmless().tolist()
    harmless = {(x, y) for x, y in world.empty if columns[x] >> y & 1}
    assert harmless == world.harmless()
    for cell in harmless:
        around = reference.beside(cell)
        parts = [part for part in _parts(world.ways - {cell}) if part & around]
        assert len(parts) <= 1
        for thing in (world.things | world.locked) & around:
            assert reference.beside(thing) & parts[0]


def _parts(cells: set[Cell]) -> list[set[Cell]]:
    """The connected parts of a set of cells."""
    left, parts = set(cells), list[set[Cell]]()
    while left:
        part, edge = set[Cell](), {left.pop()}
        while edge:
            part |= edge
            edge = {near for cell in edge for near in reference.beside(cell)} & left
            left -= edge
        parts.append(part)
    return parts


@settings(max_examples=100)
@given(maps_with_a_cell())
def test_a_walk_over_a_known_map_takes_the_fewest_actions(case: tuple[np.ndarray, Cell]) -> None:
    image, cell = case
    image[..., 0][np.isin(image[..., 0], (UNSEEN, KEY, BALL, BOX))] = EMPTY
    world = reference.Map.of(image, MISSION_COLORS)
    ways = world.free | world.doors | {world.own}
    fewest = world.cost(ways, {cell}, world.pose)
    if fewest == float("inf") or cell in world.goals:
        return
    count = 0
    while (action := proposed(image, Option(plans.GO_TO, "it"), cell)) != reference.FINISHED:
        image = _after(image, action)
        count += 1
        assert count <= fewest
    assert count == fewest


def _after(image: np.ndarray, action: int) -> np.ndarray:
    """A map with an empty hand after a turn, a step, or the opening of a door."""
    image = image.copy()
    x, y, direction = reference.Map.of(image, set()).pose
    ahead = reference.ahead((x, y, direction))
    if action == TOGGLE:
        image[(*ahead, 2)] = OPEN
    elif action == FORWARD:
        image[x, y, 3], image[(*ahead, 3)] = NO_AGENT, direction
    else:
        image[x, y, 3] = (direction + {LEFT: 3, RIGHT: 1}[action]) % 4
    return image


IDS = [
    "MiniGrid-Empty-16x16-v0",
    "MiniGrid-FourRooms-v0",
    "MiniGrid-LavaCrossingS9N3-v0",
    "MiniGrid-MultiRoom-N6-v0",
    "MiniGrid-ObstructedMaze-1Dl-v0",
    "MiniGrid-PutNear-8x8-N3-v0",
    "BabyAI-FindObjS5-v0",
    "BabyAI-GoToObjMazeS4-v0",
    "BabyAI-OpenDoorsOrderN4-v0",
    "BabyAI-PickupAbove-v0",
    "BabyAI-PutNextS6N3Carrying-v0",
]


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_exploring_ends_when_all_that_can_be_reached_was_seen(env_id: str, seed: int) -> None:
    world = make_world(env_id)
    obs, _ = world.reset(seed=seed)
    maps_seen = set[bytes]()
    while (action := proposed(obs["image"], Option(plans.EXPLORE), None)) != reference.FINISHED:
        assert obs["image"].tobytes() not in maps_seen, "it goes to and fro"
        maps_seen.add(obs["image"].tobytes())
        obs, _, terminated, truncated, _ = world.step(action)
        assert not truncated
        if terminated:
            return
    ways, seen = {reference.Map.of(obs["image"], set()).own}, obs["image"][..., 0] != UNSEEN
    edge = set(ways)
    while edge:
        edge = {near for cell in edge for near in reference.beside(cell)} - ways
        edge = {(x, y) for x, y in edge if _can_be_passed(world.inner.grid.get(x, y))}
        ways |= edge
    assert all(seen[near] for cell in ways for near in reference.beside(cell))


def _can_be_passed(thing: WorldObj | None) -> bool:
    """Whether the agent can get there without moving or unlocking anything."""
    if isinstance(thing, Door):
        return not thing.is_locked
    return thing is None or isinstance(thing, Goal)
