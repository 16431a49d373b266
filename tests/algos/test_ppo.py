import dataclasses

import numpy as np
import pytest
import torch

from algos.ppo import PPO, PPOSettings
from algos.rollout import Rollout, discounted_returns
from algos.student import Student
from commands.domains.networks import make_encoder
from tests.graph_replay import Replayed
from tests.recordings import recording
from tests.students import advice_of, make_spec, make_student
from utils.ranks import Ranks
from utils.tensors import Tensors

SETTINGS = PPOSettings(
    batch_size=128,
    gamma=0.99,
    lam=0.95,
    gae=False,
    learning_rate=1e-3,
    anneal=False,
    epochs=3,
    clip=0.2,
    policy_coef=1.0,
    value_coef=0.5,
    entropy_coef=0.001,
    max_grad_norm=0.5,
    advisor_alpha=0.0,
)


class Bootstrapped(Student):
    """A student whose critic says of the last observations what the recorded one said."""

    last_values = torch.zeros(0)

    def value(self, obs: Tensors, state: Tensors) -> torch.Tensor:
        return self.last_values


def recorded(network: str = "paper") -> tuple[dict[str, torch.Tensor], Rollout, PPO]:
    rows = {name: torch.tensor(array) for name, array in recording("ppo_mlp").items()}
    torch.manual_seed(0)
    spec = make_spec(network=network)
    student = Bootstrapped(spec, make_encoder(spec))
    student.last_values = rows["last_values"].float()
    rollout = Rollout(
        obs={"image": rows["obs"]},
        reward=rows["reward"].float(),
        steps={
            "action": rows["action"],
            "value": rows["values"],
            "log_prob": rows["log_probs"],
        },
        lengths=rows["episode_lengths"],
        terminated=torch.tensor([True, False]),
        truncated=torch.tensor([False, True]),
        success=torch.tensor([True, False]),
        last_obs={"image": rows["obs"][:2]},
        last_state={},
    )
    return rows, rollout, PPO(student, SETTINGS, Ranks())


def test_the_forward_pass_of_the_original() -> None:
    rows, rollout, ppo = recorded()
    outputs, values = ppo.student(rollout.obs, rollout.lengths)
    log_probs = ppo.student.distribution(outputs.detach()).log_probs
    np.testing.assert_allclose(log_probs, rows["initial_logits"], atol=1e-5)
    np.testing.assert_allclose(values.detach(), rows["initial_values"], atol=1e-5)


def test_the_returns_of_the_original() -> None:
    rows, rollout, ppo = recorded()
    returns, advantages = ppo.targets(rollout)
    np.testing.assert_allclose(returns, rows["returns"], atol=1e-5)
    np.testing.assert_allclose(advantages, rows["returns"] - rows["values"], atol=1e-5)


def test_the_update_of_the_original() -> None:
    rows, rollout, ppo = recorded()
    advice, draws = advice_of(rows["teacher"].float()), torch.Generator().manual_seed(0)
    means = ppo.update(rollout, advice, 10.0, 0.0, draws)
    losses = [means[name] for name in ("loss", "entropy", "distillation", "policy", "value")]
    np.testing.assert_allclose(losses, rows["mean_losses"], atol=1e-4)
    outputs, _ = ppo.student({"image": rows["obs"][:50]}, torch.ones(50))
    log_probs = ppo.student.distribution(outputs.detach()).log_probs
    np.testing.assert_allclose(log_probs, rows["post_logits"], atol=1e-3)


@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_an_update_can_be_replayed(network: str) -> None:
    rows, rollout, ppo = recorded(network)
    _, _, replayed = recorded(network)
    replayed.gradients = Replayed(replayed._gradients)
    ppo.batch_size = replayed.batch_size = 30
    for number, k in enumerate((10.0, 3.0)):
        draws = [torch.Generator().manual_seed(number) for _ in range(2)]
        advice = advice_of(rows["teacher"].float())
        expected = ppo.update(rollout, advice, k, 0.0, draws[0])
        assert replayed.update(rollout, advice, k, 0.0, draws[1]) == expected
    for name, weights in ppo.student.state_dict().items():
        assert torch.equal(replayed.student.state_dict()[name], weights)


def test_rows_of_zeros_are_no_advice() -> None:
    for advice in (advice_of(torch.zeros(128, 7)), None):
        _, rollout, ppo = recorded()
        means = ppo.update(rollout, advice, 10.0, 0.0, torch.Generator().manual_seed(0))
        assert means["distillation"] == 0
        assert means["teacher_share"] == 0


def test_an_incomplete_minibatch_is_dropped() -> None:
    _, rollout, ppo = recorded()
    ppo.batch_size = 50
    sizes = [len(index) for index, _ in ppo._minibatches(rollout, torch.Generator())]
    assert sizes == [50, 50]


def test_recurrent_minibatches_are_whole_episodes_and_all_are_kept() -> None:
    _, rollout, _ = recorded()
    ppo = PPO(make_student(recurrent=True), SETTINGS, Ranks())
    batches = ppo._minibatches(rollout, torch.Generator().manual_seed(1))
    assert [segments["lengths"].sum().item() for _, segments in batches] == [128]
    ppo.batch_size = 20
    batches = ppo._minibatches(rollout, torch.Generator().manual_seed(1))
    assert sorted(len(index) for index, _ in batches) == [50, 78]
    for index, segments in batches:
        start = 0 if len(index) == 50 else 50
        assert index.tolist() == list(range(start, start + len(index)))
        assert segments["lengths"].tolist() == [len(index)]


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_teacher_is_imitated(recurrent: bool) -> None:
    rows, rollout, _ = recorded()
    student = make_student(recurrent=recurrent)
    state = student.initial_state(2, torch.device("cpu"))
    rollout = dataclasses.replace(rollout, last_state=state)
    ppo, generator = PPO(student, SETTINGS, Ranks()), torch.Generator().manual_seed(0)
    teacher = advice_of(rows["teacher"].float())
    first = ppo.update(rollout, teacher, 10.0, 0.0, generator)["distillation"]
    for _ in range(8):
        last = ppo.update(rollout, teacher, 10.0, 0.0, generator)["distillation"]
    assert last < 0.9 * first


def test_returns_of_a_terminated_episode_take_nothing_from_beyond_its_end() -> None:
    _, rollout, _ = recorded()
    with_critic = discounted_returns(rollout, torch.tensor([0.0, 5.0]), 0.99)
    without = discounted_returns(rollout, torch.zeros(2), 0.99)
    assert torch.equal(with_critic[:50], without[:50])
    assert (with_critic[50:] > without[50:]).all()


def test_the_learning_rate_falls_to_the_end_of_the_run() -> None:
    _, rollout, ppo = recorded()
    draws = torch.Generator().manual_seed(0)
    for anneal, elapsed, rate in ((False, 0.75, 1e-3), (True, 0.75, 2.5e-4), (True, 0.0, 1e-3)):
        ppo.settings = dataclasses.replace(SETTINGS, anneal=anneal)
        ppo.update(rollout, None, 0.0, elapsed, draws)
        assert [group["lr"] for group in ppo.optimizer.param_groups] == [pytest.approx(rate)]


def test_the_teachers_share_of_the_gradient() -> None:
    rows, rollout, ppo = recorded()
    teacher = rows["teacher"].float()
    ppo.settings = dataclasses.replace(SETTINGS, epochs=1)
    outputs, _ = ppo.student(rollout.obs, rollout.lengths)
    log_probs = ppo.student.distribution(outputs.detach()).log_probs
    action = rollout.steps["action"][:, None]
    rollout.steps["log_prob"] = log_probs.gather(1, action)[:, 0]
    # By hand: cross-entropy pulls a step's logits from what the student says to what is taught;
    # the reward pulls them towards what was done, by the advantage; the entropy to all the same.
    said = log_probs.exp()
    _, advantages = ppo.targets(rollout)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-5)
    taken = torch.nn.functional.one_hot(action[:, 0], 7)
    entropy = -(said * log_probs).sum(1, keepdim=True)
    reward = advantages[:, None] * (said - taken) + 0.001 * said * (log_probs + entropy)
    taught = 10.0 * (said - teacher)
    expected = float(taught.norm() / (taught.norm() + reward.norm()))
    advice = advice_of(teacher)
    means = ppo.update(rollout, advice, 10.0, 0.0, torch.Generator().manual_seed(0))
    assert means["teacher_share"] == pytest.approx(expected, rel=1e-3)
    alone = ppo.update(rollout, advice, 0.0, 0.0, torch.Generator().manual_seed(0))
    assert alone["teacher_share"] == 0
    assert alone["largest_kl"] == pytest.approx(alone["approx_kl"])


def test_the_largest_kl_is_that_of_one_minibatch() -> None:
    _, rollout, ppo = recorded()
    ppo.batch_size = 30
    means = ppo.update(rollout, None, 0.0, 0.0, torch.Generator().manual_seed(0))
    assert means["largest_kl"] > means["approx_kl"] * 1.01
