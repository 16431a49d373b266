from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from env.episode import Episode, room
from env.symbols import LEFT
from tests.recordings import task

PLACE = gym.spaces.Box(-1, 1, (2,), np.float32)
MAP = gym.spaces.Box(0, 255, (4, 4, 4), np.uint8)


class Walk(gym.Env):
    """Ends with a reward, or with a word about success, and observes whatever it shall."""

    def __init__(
        self, space: gym.Space[Any], action: gym.Space[Any], ends: int = 3, **info: Any
    ) -> None:
        self.observation_space = space
        self.action_space = action
        self.ends = ends
        self.max_steps = info.pop("max_steps", 9)
        self.info = info
        self.steps = 0

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return self._seen(), {"extra": 1}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        reward = self.info.get("reward", 1.0)
        return self._seen(), reward, self.steps >= self.ends, False, dict(self.info)

    def _seen(self) -> Any:
        def one(space: gym.Space[Any]) -> Any:
            if isinstance(space, gym.spaces.Box):
                return np.full(space.shape, self.steps / 100, space.dtype)
            return "words"

        if isinstance(self.observation_space, gym.spaces.Dict):
            return {name: one(space) for name, space in self.observation_space.spaces.items()}
        return one(self.observation_space)


def walk(ends: int = 3, **info: Any) -> Episode:
    return Episode(Walk(PLACE, gym.spaces.Discrete(2), ends, **info), "place")


def test_an_episode_that_is_over_rests_until_it_is_reset() -> None:
    env = walk(measures={"far": 2.0}, duration=4)
    for _ in range(2):
        env.reset(seed=0)
        steps = [env.step(0) for _ in range(5)]
        places = [float(step[0]["place"][0]) for step in steps]
        assert places == pytest.approx([0.01, 0.02, 0.03, 0.03, 0.03])
        assert [step[1] for step in steps] == [1, 1, 1, 0, 0]
        assert [step[2:4] for step in steps] == [(False, False)] * 2 + [(True, False)] * 3
        assert [step[4]["success"] for step in steps] == [False, False, True, False, False]
        for step in steps:
            assert (step[4]["measures"], step[4]["duration"]) == ({"far": 2.0}, 4)


def test_an_episode_that_was_cut_off_rests_too() -> None:
    env = Episode(TimeLimit(Walk(PLACE, gym.spaces.Discrete(2), ends=9), 2))
    env.reset()
    steps = [env.step(0) for _ in range(4)]
    assert [step[2:4] for step in steps] == [(False, False)] + [(False, True)] * 3
    assert [step[1] for step in steps] == [1, 1, 0, 0]
    assert not any(step[4]["success"] for step in steps)


@pytest.mark.parametrize(
    ("info", "success"),
    [
        ({"reward": 0.5}, True),
        ({"reward": 0.0}, False),
        ({"reward": -1.0}, False),
        ({"reward": 0.5, "success": False}, False),
        ({"reward": 0.0, "success": np.True_}, True),
    ],
)
def test_success_is_what_is_said_or_else_a_reward_with_the_end(
    info: dict[str, Any], success: bool
) -> None:
    env = walk(1, **info)
    env.reset()
    assert env.step(0)[4] == {"success": success, "duration": 1, "measures": {}}
    early = walk(2, reward=1.0)
    early.reset()
    assert not early.step(0)[4]["success"]


def test_boxes_alone_are_observed_by_name() -> None:
    space = gym.spaces.Dict({"image": MAP, "place": PLACE, "mission": gym.spaces.Text(9)})
    env = Episode(Walk(space, gym.spaces.Discrete(2)))
    assert env.observation_space == gym.spaces.Dict({"image": MAP, "place": PLACE})
    obs, info = env.reset(seed=0)
    assert info == {}
    assert obs in env.observation_space
    assert env.step(0)[0] in env.observation_space
    bare = Episode(Walk(MAP, gym.spaces.Discrete(2)))
    assert bare.observation_space == gym.spaces.Dict({"image": MAP})
    assert bare.reset()[0] in bare.observation_space


def test_a_room_is_observed_as_a_map_alone() -> None:
    space = gym.spaces.Dict({"image": MAP, "place": PLACE, "mission": gym.spaces.Text(9)})
    env = room(lambda: Walk(space, gym.spaces.Discrete(7)))
    assert env.observation_space == gym.spaces.Dict({"image": MAP})
    assert env.reset()[0].keys() == {"image"}
    assert env.described.observation == env.observation_space


@pytest.mark.parametrize("space", [gym.spaces.Text(9), gym.spaces.Dict({"a": gym.spaces.Text(9)})])
def test_an_environment_that_observes_no_numbers_is_refused(space: gym.Space[Any]) -> None:
    with pytest.raises(TypeError, match="must observe numbers"):
        Episode(Walk(space, gym.spaces.Discrete(2)))


def test_actions_of_another_kind_are_refused() -> None:
    several = gym.spaces.MultiDiscrete([2, 3])
    first = gym.spaces.Discrete(3, start=5)
    table = gym.spaces.Box(-1, 1, (2, 3), np.float32)
    endless = gym.spaces.Box(-np.inf, 1, (2,), np.float32)
    for actions in (several, first, table, endless):
        with pytest.raises(TypeError, match="must have discrete actions, numbered from 0, or"):
            Episode(Walk(PLACE, actions))
    for actions in (several, PLACE, gym.spaces.Discrete(3)):
        with pytest.raises(TypeError, match="must have MiniGrid's 7 actions"):
            room(lambda actions=actions: Walk(MAP, actions))


def test_continuous_actions_are_clipped_and_scaled_to_the_bounds() -> None:
    given = []

    class Notes(Walk):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            given.append(action.tolist())
            return super().step(action)

    bounds = gym.spaces.Box(np.array([0, -1], np.float32), np.array([10, 1], np.float32))
    env = Episode(Notes(PLACE, bounds, ends=9))
    assert env.described.action == gym.spaces.Box(-1, 1, (2,), np.float32)
    env.reset()
    for action in ([-1, -0.3], [0.5, 7], [1, -1]):
        env.step(np.array(action, np.float32))
    assert given == [[0, pytest.approx(-0.3)], [7.5, 1], [10, -1]]


def test_an_episode_that_may_last_for_ever_is_refused() -> None:
    with pytest.raises(TypeError, match="must cut its episodes off"):
        walk(max_steps=None)


def test_what_is_said_now_and_then_is_said_at_every_step() -> None:
    class Rare(Walk):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            said = {"measures": {"far": self.steps}, "duration": 3} if self.steps == 1 else {}
            return (*super().step(action)[:4], said)

    env = Episode(Rare(PLACE, gym.spaces.Discrete(2)))
    env.reset()
    steps = [env.step(0)[4] for _ in range(3)]
    assert [step["duration"] for step in steps] == [1, 3, 1]
    assert [step["measures"] for step in steps] == [{}, {"far": 1}, {"far": 1}]
    env.reset()
    assert env.step(0)[4]["measures"] == {}


def test_an_episode_knows_its_limit_and_its_view() -> None:
    made = room(lambda: gym.make(task("TwoDoor").env_id, max_steps=40, agent_view_size=5))
    assert (made.described.max_steps, made.described.view_size) == (40, 5)
    assert Episode(gym.make("CartPole-v1")).described.max_steps == 500


def test_a_picture_is_what_is_rendered_where_nothing_else_is_offered() -> None:
    env = Episode(gym.make("CartPole-v1", render_mode="rgb_array"))
    env.reset(seed=0)
    ((name, picture),) = env.pictures().items()
    assert name == ""
    np.testing.assert_array_equal(picture, env.render())


def test_a_lone_room_goes_on_after_a_reset() -> None:
    env = room(lambda: gym.make(task("SimpleDoorKey").env_id, max_steps=1))
    for seed in (3, 4):
        first, _ = env.reset(seed=seed)
        assert (first["image"].shape, first["image"].dtype) == ((10, 10, 4), np.uint8)
        assert env.step(LEFT)[3]
