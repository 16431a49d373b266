import gymnasium as gym
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algos.rollout import Rollout, discounted_returns, generalized_advantages, play
from algos.student import Greedy
from algos.wave import Wave
from env.tensor_rooms import DoorKeyRooms
from env.vector import Rooms
from tests.recordings import task
from tests.replay import Replayed
from tests.students import make_student
from utils.timing import Stopwatch

CPU = torch.device("cpu")
rewards = st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=12)


def make_rollout(episodes: list[list[float]], values: list[float]) -> Rollout:
    lengths = torch.tensor([len(episode) for episode in episodes])
    count = len(lengths)
    return Rollout(
        obs=torch.zeros(int(lengths.sum()), 1),
        reward=torch.tensor([r for episode in episodes for r in episode]),
        steps={"value": torch.tensor(values)},
        lengths=lengths,
        terminated=torch.zeros(count, dtype=torch.bool),
        last_obs=torch.zeros(count, 1),
        last_state=torch.zeros(count, 0),
    )


@given(episodes=st.lists(rewards, min_size=1, max_size=5), data=st.data())
def test_returns_and_advantages_follow_their_recursions(
    episodes: list[list[float]], data: st.DataObject
) -> None:
    number = st.floats(-2, 2, width=32)
    steps = sum(map(len, episodes))
    values = data.draw(st.lists(number, min_size=steps, max_size=steps))
    last = data.draw(st.lists(number, min_size=len(episodes), max_size=len(episodes)))
    rollout = make_rollout(episodes, values)
    returns = discounted_returns(rollout, torch.tensor(last), 0.9).tolist()
    advantages = generalized_advantages(rollout, torch.tensor(last), 0.9, 0.7).tolist()
    monte_carlo = generalized_advantages(rollout, torch.tensor(last), 0.9, 1.0).tolist()
    end = 0
    for episode, beyond in zip(episodes, last, strict=True):
        start, end = end, end + len(episode)
        total, advantage = beyond, 0.0
        for t in reversed(range(start, end)):
            total = episode[t - start] + 0.9 * total
            following = beyond if t == end - 1 else values[t + 1]
            delta = episode[t - start] + 0.9 * following - values[t]
            advantage = delta + 0.9 * 0.7 * advantage
            assert returns[t] == pytest.approx(total, abs=1e-4)
            assert advantages[t] == pytest.approx(advantage, abs=1e-4)
            assert monte_carlo[t] == pytest.approx(total - values[t], abs=1e-4)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_episodes_are_whole_and_in_order(recurrent: bool, network: str) -> None:
    rooms = Rooms(lambda: gym.make(task("LavaDoorKey").env_id, max_steps=40), 6)
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
            assert torch.equal(rollout.obs[t], torch.tensor(obs["image"]))
            action = int(rollout.steps["action"][t])
            obs, reward, terminated, truncated, _ = single.step(action)
            assert rollout.reward[t] == pytest.approx(reward)
            assert (terminated or truncated) == (t == end - 1)
        assert rollout.terminated[e] == terminated
        assert torch.equal(rollout.last_obs[e], torch.tensor(obs["image"]))
    # What was stored while acting is what whole episodes give.
    log_probs, values = student(rollout.obs, rollout.lengths)
    chosen = log_probs.gather(1, rollout.steps["action"][:, None])[:, 0]
    torch.testing.assert_close(rollout.steps["log_prob"], chosen, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.steps["value"], values, atol=1e-5, rtol=1e-4)


def test_a_greedy_actor_takes_its_favourite() -> None:
    rooms = Rooms(lambda: gym.make(task("SimpleDoorKey").env_id, max_steps=9), 2)
    student = Greedy(make_student())
    rollout = play(rooms, student, CPU, [1, 2], torch.Generator(), Stopwatch())
    assert torch.equal(rollout.steps["action"], rollout.steps["greedy"])


def test_success_is_a_reward_at_the_end_of_a_terminated_episode() -> None:
    rollout = make_rollout([[0.0, 1.0], [0.0], [1.0, 0.0]], [0.0] * 5)
    rollout.terminated = torch.tensor([True, True, False])
    assert rollout.success.tolist() == [True, False, False]
    assert rollout.returns.tolist() == [1, 0, 1]
    assert rollout.starts.tolist() == [True, False, True, True, False]


class UncheckedRooms(DoorKeyRooms):
    """Rooms that take actions unseen, as they do on a GPU."""

    def _checked(self, actions: torch.Tensor) -> torch.Tensor:
        return actions


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_a_wave_can_be_replayed(recurrent: bool, network: str) -> None:
    student = make_student(8, recurrent=recurrent, network=network)
    waves = [Wave(UncheckedRooms(5, max_steps=20, frame_stack=2), student, CPU) for _ in range(2)]
    waves[1]._advance = Replayed(waves[1]._step)
    draws = [torch.Generator().manual_seed(0) for _ in waves]
    for wave_number in range(2):
        seeds = torch.arange(5) + wave_number
        pairs = zip(waves, draws, strict=True)
        eager, replayed = (wave.play(seeds, draw, Stopwatch()) for wave, draw in pairs)
        assert torch.equal(replayed.obs, eager.obs)
        assert torch.equal(replayed.last_state, eager.last_state)
        for name, values in eager.steps.items():
            assert torch.equal(replayed.steps[name], values)
