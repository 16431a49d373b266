import contextlib
import io
from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.core.world_object import Box, Key
from minigrid.minigrid_env import MiniGridEnv

from env.episode import Episode
from env.ids import find_spec, world_ids
from env.map_pictures import UNSEEN_GREY, truth_picture
from env.missions import parse, to_numbers, to_words
from env.symbols import EMPTY, KEY, NO_AGENT, PICK_UP, UNSEEN
from env.vector import SerialEnvs
from env.worlds import World, make_world

ids = st.sampled_from(world_ids())
seeds = st.integers(0, 2**31)
moves = st.lists(st.sampled_from([0, 1, 2, 2, 2, 2, 3, 4, 5]), max_size=80)


def played(world: World, seed: int, actions: list[int]) -> Iterator[dict[str, np.ndarray]]:
    """The observations of an episode, up to its end."""
    observation, _ = world.reset(seed=seed)
    yield observation
    for action in actions:
        observation, _, terminated, truncated, _ = world.step(action)
        yield observation
        if terminated or truncated:
            return


class Reference:
    """A map made of MiniGrid's own partial views, cell by cell."""

    def __init__(self, inner: MiniGridEnv) -> None:
        self.inner = inner
        self.seen = dict[tuple[int, int], tuple[int, ...]]()

    def look(self) -> np.ndarray:
        """Remember MiniGrid's own view, and return it."""
        view: np.ndarray = MiniGridEnv.gen_obs(self.inner)["image"]
        own = tuple(map(int, self.inner.agent_pos))
        for x, y in np.ndindex(self.inner.width, self.inner.height):
            place = self.inner.relative_coords(x, y)
            if place is not None and view[place][0] != UNSEEN and (x, y) != own:
                self.seen[x, y] = tuple(view[place])
        # A view shows what the agent carries at its own cell, and never what is below it.
        self.seen.setdefault(own, (EMPTY, 0, 0))
        return view

    def image(self) -> np.ndarray:
        image = np.zeros((self.inner.width, self.inner.height, 4), np.uint8)
        image[..., 3] = NO_AGENT
        for cell, code in self.seen.items():
            image[(*cell, slice(3))] = code
        x, y = self.inner.agent_pos
        held = self.inner.carrying
        image[x, y] = (*(held.encode() if held else (EMPTY, 0, 0)), self.inner.agent_dir)
        return image


@given(
    env_id=ids,
    seed=seeds,
    actions=moves,
    size=st.sampled_from([3, 5, 7, 9]),
    through_walls=st.booleans(),
)
@settings(max_examples=100)
def test_the_map_holds_what_was_in_view_as_last_seen_and_nothing_else(
    env_id: str, seed: int, actions: list[int], size: int, through_walls: bool
) -> None:
    world = World(gym.make(find_spec(env_id), disable_env_checker=True), "none")
    world.inner.agent_view_size = size
    world.inner.see_through_walls = through_walls
    reference = Reference(world.inner)
    for observation in played(world, seed, actions):
        np.testing.assert_array_equal(observation["view"], reference.look())
        np.testing.assert_array_equal(observation["image"], reference.image())


@given(env_id=ids, seed=seeds, memory=st.sampled_from(["map", "none"]), actions=moves)
@settings(max_examples=30)
def test_observations_are_of_the_space_and_belong_to_the_episode(
    env_id: str, seed: int, memory: str, actions: list[int]
) -> None:
    world = make_world(env_id, memory)
    observations = list(played(world, seed, actions))
    assert len(world.progress.clauses) == len(parse(world.inner.mission))
    for observation in observations:
        assert world.observation_space.contains(observation)
        assert to_words(observation["mission"]) == world.inner.mission
        np.testing.assert_array_equal(observation["start"], observations[0]["start"])
    x, y, direction = observations[0]["start"]
    assert observations[0]["image"][x, y, 3] == direction
    assert not observations[0]["done"].any()


@pytest.mark.parametrize("env_id", world_ids())
def test_missions_of_every_id_are_understood_and_end_in_time(env_id: str) -> None:
    world = make_world(env_id)
    for seed in range(5):
        observation, _ = world.reset(seed=seed)
        mission = world.inner.mission
        assert to_words(observation["mission"]) == mission
        np.testing.assert_array_equal(to_numbers(mission), observation["mission"])
        assert 0 < world.inner.max_steps <= world.max_steps


@pytest.mark.parametrize(
    ("env_id", "most"),
    [
        ("MiniGrid-DoorKey-8x8-v0", 640),
        ("BabyAI-GoToLocal-v0", 64),
        ("BabyAI-GoToSeq-v0", 4 * 576),
        ("BabyAI-SynthLoc-v0", 2 * 576),
        ("BabyAI-BossLevel-v0", 8 * 576),
    ],
)
def test_the_most_steps_are_known_before_any_episode(env_id: str, most: int) -> None:
    world = make_world(env_id)
    assert world.max_steps == most
    assert Episode(world).described.max_steps == most


def test_a_lower_limit_of_gymnasium_counts() -> None:
    spec = find_spec("MiniGrid-Empty-5x5-v0")
    world = World(gym.make(spec, max_episode_steps=5, disable_env_checker=True))
    world.reset(seed=0)
    assert [world.step(6)[3] for _ in range(world.max_steps)] == [False] * 4 + [True]


def test_a_mission_with_fewer_walks_is_cut_off_earlier() -> None:
    world = make_world("BabyAI-GoToSeq-v0")
    for seed in range(20):
        world.reset(seed=seed)
        if world.inner.max_steps < world.max_steps:
            break
    ends = [world.step(6)[2:4] for _ in range(world.inner.max_steps)]
    assert ends[-1] == (False, True)
    assert not any(map(any, ends[:-1]))


@given(seed=seeds, actions=moves, env_id=st.sampled_from(["1Dlh", "1Dlhb", "2Dlhb", "1Q"]))
@settings(max_examples=40)
def test_nobody_knows_what_is_in_a_closed_box(seed: int, actions: list[int], env_id: str) -> None:
    world = make_world(f"MiniGrid-ObstructedMaze-{env_id}-v0")
    for observation in played(world, seed, actions):
        things = [*world.inner.grid.grid, world.inner.carrying]
        hidden = any(isinstance(thing, Box) and thing.contains for thing in things)
        if hidden and not any(isinstance(thing, Key) for thing in things):
            assert KEY not in observation["image"][..., 0]


def test_a_success_is_an_end_with_a_reward() -> None:
    world = make_world("MiniGrid-Fetch-8x8-N3-v0")
    outcomes = set()
    for seed in range(30):
        world.reset(seed=seed)
        terminated = False
        for _ in range(100):
            thing = world.inner.grid.get(*world.inner.front_pos)
            can_pick = thing is not None and thing.can_pickup()
            action = PICK_UP if can_pick else int(world.np_random.choice([0, 1, 2, 2]))
            _, reward, terminated, _, info = world.step(action)
            assert info["success"] == (terminated and reward > 0)
            if terminated:
                outcomes.add(info["success"])
                break
    assert outcomes == {True, False}


def test_a_seed_always_gives_the_same_episode_in_silence() -> None:
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        for env_id in ("BabyAI-GoToOpen-v0", "BabyAI-UnlockToUnlock-v0", "MiniGrid-Unlock-v0"):
            first, second = make_world(env_id), make_world(env_id)
            second.reset(seed=1)
            for seed in range(12):
                one, two = (list(played(world, seed, [2, 1, 2])) for world in (first, second))
                for left, right in zip(one, two, strict=True):
                    for name, array in left.items():
                        np.testing.assert_array_equal(array, right[name])
    assert heard.getvalue() == ""


def test_what_the_agent_carries_at_the_start_lies_nowhere() -> None:
    world = make_world("BabyAI-PutNextS5N2Carrying-v0")
    for seed in range(10):
        observation, _ = world.reset(seed=seed)
        (x, y), held = world.inner.agent_pos, world.inner.carrying
        assert tuple(observation["image"][x, y, :3]) == held.encode()
        lying = observation["image"][..., :3].reshape(-1, 3)
        assert (lying == held.encode()).all(1).sum() == 1


def test_pictures_show_memory_and_truth() -> None:
    world = make_world("BabyAI-BlockedUnlockPickup-v0", render=True)
    observation, _ = world.reset(seed=3)
    memory, truth = world.pictures().values()
    assert memory.shape == truth.shape == (6 * 32, 11 * 32, 3)
    np.testing.assert_array_equal(truth, truth_picture(world.remembered))
    np.testing.assert_array_equal(memory, world.render())
    tiles = memory.reshape(6, 32, 11, 32, 3).swapaxes(1, 2)
    for x, y in np.ndindex(11, 6):
        is_grey = bool((tiles[y, x] == UNSEEN_GREY).all())
        assert is_grey == (observation["image"][x, y, 0] == UNSEEN)
    kind, place, now, _ = world.drawing()
    assert (kind, place["size"]) == ("room", [11, 6])
    assert (place["mission"], now["clauses"]) == ("pick up the box", [0, 1])
    assert now["agent"] == observation["start"].tolist()
    assert len(now["truth"]) == len(now["memory"]) == 2 * 11 * 6


def test_many_worlds_step_together() -> None:
    envs = SerialEnvs(lambda: Episode(make_world("BabyAI-GoToLocal-v0")), 3)
    observation, _ = envs.reset(seed=5)
    single = make_world("BabyAI-GoToLocal-v0")
    for i in range(3):
        alone, _ = single.reset(seed=5 + i)
        for name, array in alone.items():
            np.testing.assert_array_equal(observation[name][i].numpy(), array)
    observation, *_ = envs.step([0, 1, 2])
    assert observation["image"].shape == (3, 8, 8, 4)
    alone, *_ = single.step(2)
    np.testing.assert_array_equal(observation["image"][2].numpy(), alone["image"])
    assert envs.drawing().kind == "room"
