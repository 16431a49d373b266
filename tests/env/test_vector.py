import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from env.symbols import DONE, LEFT
from env.vector import Rooms
from tests.recordings import task


def make(count: int, frame_stack: int = 1, **options: object) -> Rooms:
    return Rooms(lambda: gym.make(task("SimpleDoorKey").env_id, **options), count, frame_stack)


def test_rooms_step_as_single_environments_do() -> None:
    rooms, single = make(3), gym.make(task("SimpleDoorKey").env_id)
    moves = np.random.default_rng(0).integers(0, 7, (150, 3))
    seen = [rooms.reset(seed=[5, 6, 7])[0]] + [rooms.step(move)[0] for move in moves]
    for i in range(3):
        obs, _ = single.reset(seed=5 + i)
        for step in range(151):
            np.testing.assert_array_equal(seen[step][i], obs["image"])
            if step < 150:
                obs, _, terminated, _, _ = single.step(int(moves[step, i]))
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
    assert torch.equal(resting, last)
    assert truncated.all()
    assert not reward.any()
    fresh, _ = rooms.reset(seed=[9, 9], options={"reset_mask": np.array([True, False])})
    assert torch.equal(fresh[1], last[1])
    assert torch.equal(fresh[0], make(1).reset(seed=[9])[0][0])
    _, _, _, truncated, _ = rooms.step([DONE, LEFT])
    assert truncated.tolist() == [False, True]


def test_frames_stack_oldest_first() -> None:
    rooms, plain = make(1, frame_stack=3), make(1)
    stacked, now = rooms.reset(seed=[4])[0], plain.reset(seed=[4])[0]
    frames = [now, now, now]
    assert rooms.single_observation_space.shape == (10, 10, 12)
    for move in (LEFT, 2, 1, 2, 2):
        assert torch.equal(stacked, torch.cat(frames, -1))
        stacked, now = rooms.step([move])[0], plain.step([move])[0]
        frames = [*frames[1:], now]


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
        Rooms(lambda: Pictures(space), 1)


def test_an_environment_without_a_map_is_refused() -> None:
    with pytest.raises(TypeError, match="must observe a uint8 map"):
        Rooms(lambda: gym.make("CartPole-v1"), 1)
