import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from minigrid.minigrid_env import MiniGridEnv

import env  # noqa: F401
from env.map_pictures import truth_picture
from env.symbols import ACTIONS, EMPTY, FORWARD, LAVA, TOGGLE, UNSEEN
from tests.recordings import TASKS, recording, task

seeds = st.integers(0, 2**40)
moves = st.lists(st.sampled_from([0, 1, 2, 2, 2, 3, 4, 5]), max_size=60)


@pytest.mark.parametrize("name", TASKS)
def test_every_recorded_step_is_reproduced(name: str) -> None:
    rows = recording(name)
    room = gym.make(task(name).env_id)
    for i, (seed, t) in enumerate(zip(rows["seed"], rows["t"], strict=True)):
        if t == 0:
            obs, _ = room.reset(seed=int(seed))
        np.testing.assert_array_equal(obs["image"], rows["obs"][i])
        obs, reward, terminated, _, _ = room.step(int(rows["action"][i]))
        assert (reward, terminated) == (rows["reward"][i], rows["terminated"][i])


@pytest.mark.parametrize("name", TASKS)
def test_gymnasium_accepts_the_environment(name: str) -> None:
    check_env(gym.make(task(name).env_id, render_mode="rgb_array").unwrapped)


def cells_in_view(room: MiniGridEnv) -> set[tuple[int, int]]:
    """MiniGrid's own idea of what can be seen, in absolute coordinates."""
    _, mask = MiniGridEnv.gen_obs_grid(room)
    return {
        (x, y)
        for x in range(room.width)
        for y in range(room.height)
        if (place := room.relative_coords(x, y)) is not None and mask[place]
    }


@pytest.mark.parametrize("view", [3, 5, 7])
@pytest.mark.parametrize("name", TASKS)
@given(seed=seeds, actions=moves)
def test_the_map_holds_what_was_in_view_at_its_present_state_and_nothing_else(
    name: str, view: int, seed: int, actions: list[int]
) -> None:
    room = gym.make(task(name).env_id, agent_view_size=view).unwrapped
    obs, _ = room.reset(seed=seed)
    seen = cells_in_view(room)
    for action in actions:
        obs, _, terminated, truncated, _ = room.step(action)
        seen |= cells_in_view(room)
        truth = room.grid.encode()
        x, y = room.agent_pos
        truth[x, y] = room.carrying.encode() if room.carrying else (EMPTY, 0, 0)
        for cell in np.ndindex(room.width, room.height):
            expected = truth[cell] if cell in seen else (UNSEEN, 0, 0)
            assert tuple(obs["image"][cell][:3]) == tuple(expected)
        assert np.flatnonzero(obs["image"][..., 3].ravel() != 4) == [x * room.height + y]
        if terminated or truncated:
            break


@given(seed=seeds, name=st.sampled_from(TASKS))
def test_the_cell_inside_a_door_is_free_where_things_could_block_it(seed: int, name: str) -> None:
    room = gym.make(task(name).env_id).unwrapped
    room.reset(seed=seed)
    things = [(x, y) for x, y in np.ndindex(room.width, room.height) if room.grid.get(x, y)]
    blocking = {"SimpleDoorKey": (), "TwoDoor": (), "LavaDoorKey": ("lava",)}
    for x, y in things:
        kind = room.grid.get(x, y).type
        if kind in blocking.get(name, ("key",)):
            assert all(abs(x - dx) + abs(y - dy) != 1 for dx, dy in room.doors)


def test_running_out_of_steps_truncates() -> None:
    room = gym.make(task("SimpleDoorKey").env_id)
    room.reset(seed=0)
    ends = [room.step(6)[2:4] for _ in range(150)]
    assert ends == [(False, False)] * 149 + [(False, True)]


def test_lava_ends_the_episode_without_reward() -> None:
    room = gym.make(task("LavaDoorKey").env_id).unwrapped
    room.reset(seed=0)
    x, y = next(
        (x, y)
        for x, y in np.ndindex(10, 10)
        if room.grid.get(x, y) and room.grid.get(x, y).type == "lava"
    )
    room.agent_pos, room.agent_dir = (x - 1, y), 0
    obs, reward, terminated, _, _ = room.step(FORWARD)
    assert (reward, terminated) == (0, True)
    assert LAVA not in obs["image"][..., 0]


def test_only_a_toggle_ends_with_an_open_door() -> None:
    room = gym.make(task("SimpleDoorKey").env_id).unwrapped
    room.reset(seed=0)
    room.grid.get(*room.doors[0]).is_open = True
    assert not room.step(0)[2]
    _, reward, terminated, _, _ = room.step(TOGGLE)
    assert terminated
    assert reward == pytest.approx(1 - 0.9 * 2 / 150)


def test_rendering_greys_what_was_never_seen() -> None:
    room = gym.make(task("SimpleDoorKey").env_id, render_mode="rgb_array").unwrapped
    obs, _ = room.reset(seed=3)
    picture = room.render().reshape(10, 32, 10, 32, 3).swapaxes(1, 2)
    truth = truth_picture(room.remembered).reshape(10, 32, 10, 32, 3).swapaxes(1, 2)
    for x, y in np.ndindex(10, 10):
        if obs["image"][x, y, 0] == UNSEEN:
            assert len(np.unique(picture[y, x])) == 1
        else:
            np.testing.assert_array_equal(picture[y, x], truth[y, x])


def test_action_names_match_the_action_space() -> None:
    assert len(ACTIONS) == gym.make(task("TwoDoor").env_id).action_space.n


@pytest.mark.parametrize("name", TASKS)
def test_a_drawing_holds_the_room_and_what_is_remembered(name: str) -> None:
    room = gym.make(task(name).env_id).unwrapped
    room.reset(seed=3)
    for action in (2, 0, 3, 2, 3, 1, 2):
        obs, *_ = room.step(action)
        kind, place, now, _ = room.drawing()
        assert kind == "room"
        assert place["size"] == [room.width, room.height]

        def cells(digits: str, place: dict = place) -> list[list[int]]:
            codes = [int(digits[i : i + 2], 36) for i in range(0, len(digits), 2)]
            states, colors = place["states"], len(place["colors"])
            return [[c // states // colors, c // states % colors, c % states] for c in codes]

        assert cells(now["truth"]) == room.grid.encode().reshape(-1, 3).tolist()
        x, y, direction = now["agent"]
        seen = obs["image"].copy()
        assert seen[x, y, 3] == direction
        assert cells(now["carries"]) == [seen[x, y, :3].tolist()]
        remembered = np.array(cells(now["memory"])).reshape(seen[..., :3].shape)
        seen[x, y, :3] = remembered[x, y]
        np.testing.assert_array_equal(remembered, seen[..., :3])
        assert {divmod(cell, room.height) for cell in now["view"]} == cells_in_view(room)
