from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algos.cuda_rollout import CudaRollout
from algos.play import Uniform, play
from algos.rollout import Rollout, discounted_returns, generalized_advantages
from algos.student import Deterministic
from env.episode import Episode, room
from env.frame_stack import FrameStack
from env.tensor_rooms import DoorKeyRooms
from env.vector import SerialEnvs
from tests.graph_replay import Replayed
from tests.recordings import task
from tests.students import make_student
from utils.timing import Stopwatch

CPU = torch.device("cpu")
rewards = st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=12)


def make_rollout(episodes: list[list[float]], values: list[float]) -> Rollout:
    lengths = torch.tensor([len(episode) for episode in episodes])
    count = len(lengths)
    return Rollout(
        obs={"image": torch.zeros(int(lengths.sum()), 1)},
        reward=torch.tensor([r for episode in episodes for r in episode]),
        steps={"value": torch.tensor(values)},
        lengths=lengths,
        terminated=torch.zeros(count, dtype=torch.bool),
        truncated=torch.ones(count, dtype=torch.bool),
        success=torch.zeros(count, dtype=torch.bool),
        last_obs={"image": torch.zeros(count, 1)},
        last_state={},
    )


@given(episodes=st.lists(rewards, min_size=1, max_size=5), lasting=st.booleans(), data=st.data())
def test_returns_and_advantages_follow_their_recursions(
    episodes: list[list[float]], lasting: bool, data: st.DataObject
) -> None:
    """A step that is several primitive ones discounts what follows as often."""
    number = st.floats(-2, 2, width=32)
    steps = sum(map(len, episodes))
    values = data.draw(st.lists(number, min_size=steps, max_size=steps))
    last = data.draw(st.lists(number, min_size=len(episodes), max_size=len(episodes)))
    rollout, durations = make_rollout(episodes, values), [1] * steps
    if lasting:
        durations = data.draw(st.lists(st.integers(1, 9), min_size=steps, max_size=steps))
        rollout.steps["duration"] = torch.tensor(durations)
    returns = discounted_returns(rollout, torch.tensor(last), 0.9).tolist()
    advantages = generalized_advantages(rollout, torch.tensor(last), 0.9, 0.7).tolist()
    monte_carlo = generalized_advantages(rollout, torch.tensor(last), 0.9, 1.0).tolist()
    end = 0
    for episode, beyond in zip(episodes, last, strict=True):
        start, end = end, end + len(episode)
        total, advantage = beyond, 0.0
        for t in reversed(range(start, end)):
            gamma = 0.9 ** durations[t]
            total = episode[t - start] + gamma * total
            following = beyond if t == end - 1 else values[t + 1]
            delta = episode[t - start] + gamma * following - values[t]
            advantage = delta + gamma * 0.7 * advantage
            assert returns[t] == pytest.approx(total, abs=1e-4)
            assert advantages[t] == pytest.approx(advantage, abs=1e-4)
            assert monte_carlo[t] == pytest.approx(total - values[t], abs=1e-4)


def single_rooms(name: str, count: int, **options: object) -> SerialEnvs:
    return SerialEnvs(lambda: room(lambda: gym.make(task(name).env_id, **options)), count)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_episodes_are_whole_and_in_order(recurrent: bool, network: str) -> None:
    rooms = single_rooms("LavaDoorKey", 6, max_steps=40)
    student = make_student(recurrent=recurrent, network=network)
    seeds = [11, 12, 13, 14, 15, 16]
    draws = torch.Generator().manual_seed(0)
    rollout = play(rooms, student, CPU, seeds, draws, Stopwatch())
    assert rollout.lengths.sum() == len(rollout)
    assert rollout.terminated.any()
    assert not rollout.terminated.all()
    single = gym.make(task("LavaDoorKey").env_id, max_steps=40)
    for e, (end, length) in enumerate(zip(rollout.ends, rollout.lengths, strict=True)):
        obs, _ = single.reset(seed=seeds[e])
        for t in range(int(end - length), int(end)):
            assert torch.equal(rollout.obs["image"][t], torch.tensor(obs["image"]))
            action = int(rollout.steps["action"][t])
            obs, reward, terminated, truncated, _ = single.step(action)
            assert rollout.reward[t] == pytest.approx(reward)
            assert (terminated or truncated) == (t == end - 1)
        assert rollout.terminated[e] == terminated
        assert rollout.success[e] == (terminated and reward > 0)
        assert torch.equal(rollout.last_obs["image"][e], torch.tensor(obs["image"]))
    # What was stored while acting is what whole episodes give.
    outputs, values = student(rollout.obs, rollout.lengths)
    chosen = student.distribution(outputs).log_prob(rollout.steps["action"])
    torch.testing.assert_close(rollout.steps["log_prob"], chosen, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.steps["value"], values, atol=1e-5, rtol=1e-4)


def test_a_greedy_actor_takes_its_favourite() -> None:
    rooms, student = single_rooms("SimpleDoorKey", 2, max_steps=9), Deterministic(make_student())
    rollout = play(rooms, student, CPU, [1, 2], torch.Generator(), Stopwatch())
    assert torch.equal(rollout.steps["action"], rollout.steps["mode"])


def test_a_rollout_knows_the_starts_and_the_returns_of_its_episodes() -> None:
    rollout = make_rollout([[0.0, 1.0], [0.0], [1.0, 0.0]], [0.0] * 5)
    assert rollout.returns.tolist() == [1, 0, 1]
    assert rollout.starts.tolist() == [True, False, True, True, False]


class Climb(gym.Env):
    """Goes up for as many steps as its seed says, the n-th of which lasts n; says at the end
    whether it has succeeded, which is no matter of reward."""

    observation_space = gym.spaces.Box(0, 99, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)
    max_steps = 9

    def reset(self, *, seed: int | None = None, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.top, self.height = seed or 0, 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.height += 1
        ends, seen = self.height == self.top, np.full(1, self.height, np.float32)
        told = {"measures": {"height": self.height}, "duration": self.height}
        return seen, -1.0, False, ends, {**told, "success": ends and self.top % 2 == 1}


def test_success_measures_and_durations_are_what_the_environment_says() -> None:
    climbs = SerialEnvs(lambda: Episode(Climb(), "height"), 3)
    parts = [
        play(climbs, Uniform(2), CPU, seeds, torch.Generator(), Stopwatch())
        for seeds in ([3, 1, 2], [1, 4, 5])
    ]
    whole = Rollout.join(parts)
    assert Rollout.join(parts[:1]) is parts[0]
    for rollout, tops in ((parts[0], [3, 1, 2]), (whole, [3, 1, 2, 1, 4, 5])):
        assert rollout.lengths.tolist() == tops
        assert rollout.success.tolist() == [top % 2 == 1 for top in tops]
        assert not rollout.terminated.any()
        assert rollout.returns.tolist() == [-top for top in tops]
        assert rollout.measures.keys() == {"height"}
        assert rollout.measures["height"].tolist() == tops
        heights = [height for top in tops for height in range(top)]
        assert rollout.obs["height"][:, 0].tolist() == heights
        assert rollout.steps["duration"].tolist() == [height + 1 for height in heights]
        assert rollout.last_obs["height"][:, 0].tolist() == tops
        assert rollout.steps["action"].shape == rollout.reward.shape


class UncheckedRooms(DoorKeyRooms):
    """Rooms that take actions unseen, as they do on a GPU."""

    def _checked(self, actions: torch.Tensor) -> torch.Tensor:
        return actions


@pytest.mark.parametrize(
    ("recurrent", "network", "privileged"),
    [
        *((False, "paper", False), (True, "paper", True)),
        *((False, "egocentric", True), (True, "egocentric", False)),
    ],
)
def test_a_batch_of_episodes_can_be_replayed(
    recurrent: bool, network: str, privileged: bool
) -> None:
    student = make_student(frames=2, recurrent=recurrent, network=network)
    rooms = [UncheckedRooms(5, max_steps=20, privileged=privileged) for _ in range(2)]
    players = [CudaRollout(FrameStack(each, 2), student, CPU) for each in rooms]
    players[1]._advance = Replayed(players[1]._step)
    draws = [torch.Generator().manual_seed(0) for _ in players]
    for wave_number in range(2):
        seeds = torch.arange(5) + wave_number
        pairs = zip(players, draws, strict=True)
        eager, replayed = (player.play(seeds, draw, Stopwatch()) for player, draw in pairs)
        assert ("privileged" in eager.obs) == privileged
        for part in ("obs", "last_state", "steps"):
            for name, values in getattr(eager, part).items():
                assert torch.equal(getattr(replayed, part)[name], values)
