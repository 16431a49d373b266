"""Advice that cannot be imitated counts less."""

import dataclasses
import math

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from algos.advisor import shares
from algos.ppo import PPO
from algos.rollout import Rollout
from tests.algos.test_ppo import SETTINGS
from tests.students import advice_of, make_student
from utils.errors import UserError
from utils.ranks import Ranks

STEPS = 512
ALWAYS = 3
"""The action that is always advised where advice can be imitated."""


def test_shares_of_three_steps_worked_out_by_hand() -> None:
    advised = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    # The imitation says 3/4 and 1/4. So the divergences are log(4/3) and log(4/3) / 2.
    found = shares(2.0, advised, torch.tensor([[math.log(3), 0.0]] * 3))
    torch.testing.assert_close(found, torch.tensor([(3 / 4) ** 2, 3 / 4, 1.0]))


def test_no_gradient_passes_through_shares() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    assert not shares(2.0, torch.tensor([[0.5, 0.5]]), logits).requires_grad


def rollout_of(image: torch.Tensor) -> Rollout:
    """Episodes of one step without reward."""
    count = len(image)
    some, yes = torch.zeros(count), torch.ones(count, dtype=torch.bool)
    actions = torch.randint(7, (count,))
    log_probs = torch.full((count,), -math.log(7))
    return Rollout(
        obs={"image": image},
        reward=some,
        steps={"action": actions, "value": some, "log_prob": log_probs},
        lengths=torch.ones(count, dtype=torch.int64),
        terminated=yes,
        truncated=~yes,
        success=~yes,
        last_obs={"image": image},
        last_state={},
    )


def learner(alpha: float) -> PPO:
    torch.manual_seed(0)
    return PPO(make_student(), dataclasses.replace(SETTINGS, advisor_alpha=alpha), Ranks())


def last_layer(part: torch.nn.Module) -> torch.nn.Linear:
    return [layer for layer in part.modules() if isinstance(layer, torch.nn.Linear)][-1]


def taught(alpha: float) -> tuple[PPO, list[float]]:
    """A learner, and how much of the advice it followed in each update. In the first half of the
    steps the advice is always the same; in the second it knows what the student does not see."""
    ppo, followed = learner(alpha), []
    image = torch.zeros(STEPS, 10, 10, 4, dtype=torch.uint8)
    image[STEPS // 2 :] = torch.randint(5, image.shape[1:], dtype=torch.uint8)
    for number in range(40):
        table = torch.zeros(STEPS, 7)
        table[: STEPS // 2, ALWAYS] = 1
        table[torch.arange(STEPS // 2, STEPS), torch.randint(7, (STEPS // 2,))] = 1
        draws = torch.Generator().manual_seed(number)
        means = ppo.update(rollout_of(image), advice_of(table), 3.0, 0.0, draws)
        followed += [share for name, share in means.items() if name == "advice_followed"]
    outputs, _ = ppo.student({"image": image[:: STEPS // 2]}, torch.ones(2))
    probabilities = outputs.softmax(1)
    assert probabilities[0, ALWAYS] > 0.9
    assert probabilities[1].max() < 0.5
    return ppo, followed


def test_advice_counts_where_it_can_be_imitated() -> None:
    _, followed = taught(4.0)
    assert followed[0] < 0.35
    # Half of the advice is imitated; of the other half exp(-4 log 7) is left.
    assert 0.4 < followed[-1] < 0.55
    assert not taught(0.0)[1]


def test_the_loss_of_four_steps_worked_out_by_hand() -> None:
    ppo = learner(2.0)
    assert ppo.imitator
    # Whatever is seen, the actor says 1/7 of each action; the head 1/2 and 1/4 of the first two.
    imitated = torch.tensor([1 / 2, 1 / 4, *[1 / 20] * 5])
    actor, head = last_layer(ppo.student.actor), last_layer(ppo.imitator.head)
    for layer, says in ((actor, torch.full((7,), 1 / 7)), (head, imitated)):
        torch.nn.init.zeros_(layer.weight)
        layer.bias.data = says.log()
    advised = torch.zeros(4, 7)
    advised[0, 0] = advised[1, 1] = 1
    advised[2, :2] = 0.5
    # The fourth step has no advice. The divergences of the others: log 2, log 4, log(2) / 2.
    counts = torch.tensor([1 / 4, 1 / 16, 1 / 2])
    record = ppo.gradients(
        {
            "obs/image": torch.zeros(4, 10, 10, 4, dtype=torch.uint8),
            "advice/probabilities": advised,
            "action": torch.zeros(4, dtype=torch.int64),
            "lengths": torch.ones(4, dtype=torch.int64),
            "old_log_prob": torch.full((4,), -math.log(7)),
            **{name: torch.zeros(4) for name in ("old_value", "target", "advantage")},
            "k": torch.tensor(3.0),
        }
    )
    torch.testing.assert_close(record["followed"], counts.sum())
    assert record["advised"] == 3
    torch.testing.assert_close(record["distillation"], counts.sum() * math.log(7) / 4)
    # Entropy is at its largest and no action has an advantage: only advice changes the outputs. The
    # head's loss has no k and no counts. Both gradients are clipped together.
    scale = (SETTINGS.max_grad_norm / record["gradient_norm"]).clamp(max=1)
    pull = 3 * counts @ (1 / 7 - advised[:3]) / 4
    torch.testing.assert_close(actor.bias.grad, scale * pull)
    torch.testing.assert_close(head.bias.grad, scale * (imitated - advised[:3]).sum(0) / 4)


def test_the_head_learns_ten_times_as_fast_as_its_student() -> None:
    ppo = learner(4.0)
    ppo.settings = dataclasses.replace(ppo.settings, epochs=1, anneal=True)
    assert ppo.imitator
    parts = ppo.imitator.head, ppo.student.actor
    before = [parameters_to_vector(part.parameters()).clone() for part in parts]
    assert torch.equal(*before)
    table = torch.zeros(ppo.batch_size, 7)
    table[:, ALWAYS] = 1
    image = torch.zeros(len(table), 10, 10, 4, dtype=torch.uint8)
    draws = torch.Generator().manual_seed(0)
    ppo.update(rollout_of(image), advice_of(table), 3.0, 0.5, draws)
    # The first step of Adam changes weights by the learning rate.
    for part, start, rate in zip(parts, before, (5, 0.5), strict=True):
        change = (parameters_to_vector(part.parameters()) - start).abs().max()
        assert change.item() == pytest.approx(rate * SETTINGS.learning_rate, rel=1e-3)


def test_without_advice_none_is_followed() -> None:
    image = torch.zeros(STEPS, 10, 10, 4, dtype=torch.uint8)
    draws = torch.Generator().manual_seed(0)
    means = learner(4.0).update(rollout_of(image), None, 0.0, 0.0, draws)
    assert "advice_followed" not in means


def test_a_learner_goes_on_with_its_imitation() -> None:
    ppo, _ = taught(4.0)
    other = learner(4.0)
    other.restore(ppo.state(), "here")
    assert other.imitator
    assert ppo.imitator
    for ours, theirs in zip(other.imitator.parameters(), ppo.imitator.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(UserError, match="the optimizer's state in here does not fit"):
        other.restore(learner(0.0).state(), "here")


def test_steps_without_an_answer_do_not_lower_the_share_that_is_followed() -> None:
    image = torch.zeros(STEPS, 10, 10, 4, dtype=torch.uint8)
    table = torch.zeros(STEPS, 7)
    table[0, ALWAYS] = 1  # most minibatches have no answer
    draws = torch.Generator().manual_seed(0)
    means = learner(1e-6).update(rollout_of(image), advice_of(table), 3.0, 0.0, draws)
    assert means["advice_followed"] == pytest.approx(1, abs=1e-4)
