from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from env.episode import Episode, room
from env.frame_stack import FrameStack
from env.symbols import DONE, LEFT
from env.tensor_rooms import DoorKeyRooms
from env.vector import SerialEnvs
from tests.recordings import task


def make(count: int, **options: object) -> SerialEnvs:
    return SerialEnvs(lambda: single(**options), count)


def single(**options: object) -> Episode:
    return room(lambda: gym.make(task("SimpleDoorKey").env_id, **options))


def test_rooms_step_as_single_environments_do() -> None:
    rooms, alone = make(3), gym.make(task("SimpleDoorKey").env_id)
    moves = np.random.default_rng(0).integers(0, 7, (150, 3))
    seen = [rooms.reset(seed=[5, 6, 7])[0]["image"]]
    seen += [rooms.step(move)[0]["image"] for move in moves]
    for i in range(3):
        obs, _ = alone.reset(seed=5 + i)
        for step in range(151):
            np.testing.assert_array_equal(seen[step][i], obs["image"])
            if step < 150:
                obs, _, terminated, _, _ = alone.step(int(moves[step, i]))
                if terminated:
                    break


def test_a_finished_room_rests_until_it_is_reset() -> None:
    rooms = make(2, max_steps=3)
    assert rooms.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    rooms.reset(seed=[0, 1])
    for _ in range(3):
        last, _, _, truncated, _ = rooms.step([LEFT, LEFT])
    assert truncated.tolist() == [True, True]
    resting, reward, _, truncated, _ = rooms.step([LEFT, LEFT])
    assert torch.equal(resting["image"], last["image"])
    assert truncated.all()
    assert not reward.any()
    fresh, _ = rooms.reset(seed=[9, 9], options={"reset_mask": np.array([True, False])})
    assert torch.equal(fresh["image"][1], last["image"][1])
    assert torch.equal(fresh["image"][0], make(1).reset(seed=[9])[0]["image"][0])
    _, _, _, truncated, _ = rooms.step([DONE, LEFT])
    assert truncated.tolist() == [False, True]


def test_frames_stack_oldest_first() -> None:
    rooms, plain = FrameStack(make(1), 3), make(1)
    stacked, now = rooms.reset(seed=[4])[0], plain.reset(seed=[4])[0]["image"]
    frames = [now, now, now]
    assert rooms.single_observation_space["image"].shape == (10, 10, 4)
    assert rooms.single_observation_space["before"].shape == (10, 10, 8)
    for move in (LEFT, 2, 1, 2, 2):
        assert torch.equal(
            torch.cat([stacked["before"], stacked["image"]], -1), torch.cat(frames, -1)
        )
        stacked, now = rooms.step([move])[0], plain.step([move])[0]["image"]
        frames = [*frames[1:], now]


KINDS = {
    "tensors": lambda: DoorKeyRooms(3, max_steps=4),
    "single": lambda: make(3, max_steps=4),
}
moves = st.lists(st.integers(0, 6), min_size=3, max_size=3)
resets = st.tuples(st.integers(0, 99), st.lists(st.booleans(), min_size=3, max_size=3))


@pytest.mark.parametrize("kind", KINDS)
@given(frames=st.integers(2, 4), events=st.lists(moves | resets, max_size=12))
def test_a_stack_holds_the_images_before_of_each_episode_of_its_own(
    kind: str, frames: int, events: list[list[int] | tuple[int, list[bool]]]
) -> None:
    """Where one rests nothing moves; one that is reset begins anew; what was returned is the
    caller's."""
    rooms, plain = FrameStack(KINDS[kind](), frames), KINDS[kind]()
    obs, now = rooms.reset(seed=1)[0], plain.reset(seed=1)[0]["image"].clone()
    past, resting = [[image] * frames for image in now], [False] * 3
    for event in [*events, None]:
        for i, images in enumerate(past):
            assert torch.equal(obs["image"][i], images[-1])
            assert torch.equal(obs["before"][i], torch.cat(images[:-1], -1))
        for tensor in obs.values():
            tensor.fill_(77)
        if isinstance(event, tuple):
            seed, mask = event
            options = {"reset_mask": np.array(mask)}
            obs, _ = rooms.reset(seed=seed, options=options)
            now = plain.reset(seed=seed, options=options)[0]["image"].clone()
            past = [[now[i]] * frames if mask[i] else past[i] for i in range(3)]
            resting = [resting[i] and not mask[i] for i in range(3)]
        elif event:
            (obs, *told), (after, *expected) = rooms.step(event), plain.step(event)
            now = after["image"].clone()
            past = [past[i] if resting[i] else [*past[i][1:], now[i]] for i in range(3)]
            for flags, others in zip(told[:3], expected[:3], strict=True):
                assert torch.equal(flags, others)
            assert torch.equal(told[3]["success"], expected[3]["success"])
            resting = (expected[1] | expected[2]).tolist()


def test_a_stack_of_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 frames, not 1"):
        FrameStack(make(1), 1)


class Closing(gym.Wrapper):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_a_stack_is_otherwise_what_it_stacks() -> None:
    one = Closing(gym.make(task("SimpleDoorKey").env_id, render_mode="rgb_array"))
    inner = SerialEnvs(lambda: room(lambda: one), 1)
    rooms = FrameStack(inner, 2)
    rooms.reset(seed=0)
    assert rooms.render_mode == inner.render_mode == "rgb_array"
    assert rooms.pictures().keys() == inner.pictures().keys()
    np.testing.assert_array_equal(rooms.render(), inner.render())
    assert not one.closed
    rooms.close()
    assert one.closed


class Told(gym.Env):
    """Succeeds, lasts and measures as it is told: each action is the row of a table."""

    observation_space = gym.spaces.Box(0, 9, (1,), np.float32)
    action_space = gym.spaces.Discrete(9)
    max_steps = 9
    table: tuple[tuple[float, bool, dict[str, Any]], ...] = ()

    def __init__(self, *table: tuple[float, bool, dict[str, Any]]) -> None:
        self.table = table

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward, terminated, info = self.table[action]
        return np.full(1, action, np.float32), reward, terminated, False, info


def test_what_single_environments_tell_becomes_tensors() -> None:
    def told(measure: float, duration: int) -> dict[str, Any]:
        return {"measures": {"height": measure}, "duration": duration, "other": "gone"}

    table = (0.5, False, told(1, 3)), (1.0, True, told(2, 4)), (0.0, True, told(3, 5))
    rooms = SerialEnvs(lambda: Episode(Told(*table), "where"), 3)
    rooms.reset(seed=0)
    for actions, rewards, success, heights, durations in (
        ([0, 1, 2], [0.5, 1, 0], [False, True, False], [1, 2, 3], [3, 4, 5]),
        ([1, 0, 0], [1.0, 0, 0], [True, False, False], [2, 2, 3], [4, 4, 5]),
        ([0, 0, 0], [0.0, 0, 0], [False, False, False], [2, 2, 3], [4, 4, 5]),
    ):
        obs, reward, terminated, truncated, info = rooms.step(actions)
        assert obs.keys() == {"where"}
        assert (reward.dtype, reward.tolist()) == (torch.float32, rewards)
        assert info.keys() == {"success", "measures", "duration"}
        assert info["success"].tolist() == success
        measures = info["measures"]["height"]
        assert (measures.dtype, measures.tolist()) == (torch.float32, heights)
        assert (info["duration"].dtype, info["duration"].tolist()) == (torch.int64, durations)
        assert not truncated.any()
    assert terminated.all()


class Pictures(gym.Env):
    """Observes something that has the shape of a picture."""

    action_space = gym.spaces.Discrete(2)

    def __init__(self, space: gym.spaces.Box) -> None:
        self.observation_space = space


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Box(0, 1, (4, 4, 4), np.float32),
        gym.spaces.Box(0, 255, (4, 4, 3), np.uint8),
        gym.spaces.Box(0, 255, (4, 4), np.uint8),
    ],
)
def test_what_no_teacher_can_read_is_refused_when_it_is_made(space: gym.spaces.Box) -> None:
    with pytest.raises(TypeError, match=r"must observe a uint8 map of shape \(width, height, 4\)"):
        room(lambda: Pictures(space))


def test_an_environment_without_a_map_is_refused() -> None:
    with pytest.raises(TypeError, match="must observe a uint8 map"):
        room(lambda: gym.make("CartPole-v1"))
