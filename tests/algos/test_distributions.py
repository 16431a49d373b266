"""The policy's distributions against PyTorch's own, and against sampling."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch import distributions as torchs

from algos.distributions import Categorical, Distribution, Gaussian
from tests.graph_replay import Recording

STEPS, PARTS, PLANS = 5, 3, 4
CPU = torch.device("cpu")


class Given(NamedTuple):
    """An advice."""

    actions: Tensor
    weights: Tensor
    spread: Tensor | None = None
    unanswered_scenes: int = 0

    def explain(self, step: int) -> tuple[str, list[tuple[float, list[str], int]]]:
        return "", []


def outputs(seed: int, count: int) -> Tensor:
    return torch.randn(STEPS, count, generator=torch.Generator().manual_seed(seed))


def weights(seed: int, unanswered: int = 0) -> Tensor:
    """(STEPS, PLANS): shares that add up to 1, but for the last `unanswered` rows of zeros."""
    shares = torch.rand(STEPS, PLANS, generator=torch.Generator().manual_seed(seed)).softmax(1)
    shares[STEPS - unanswered :] = 0
    return shares


@given(seed=st.integers(0, 10**6))
def test_log_probabilities_and_entropies_are_those_of_pytorch(seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    logits, both = outputs(seed, 7), outputs(seed, 2 * PARTS)
    mean, log_std = both.chunk(2, 1)
    normal = torchs.Independent(torchs.Normal(mean, log_std.exp()), 1)
    for ours, theirs in (
        (Categorical(logits), torchs.Categorical(logits=logits)),
        (Gaussian(both), normal),
    ):
        actions = ours.sample(draws)
        torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))
        torch.testing.assert_close(ours.entropy(), theirs.entropy())
        torch.testing.assert_close(ours.log_prob(ours.mode), theirs.log_prob(theirs.mode))


@pytest.mark.parametrize("kind", [Categorical, Gaussian])
def test_samples_have_the_distribution_that_they_are_of(kind: type[Distribution]) -> None:
    one = outputs(0, 6)[:1].expand(200_000, 6)
    actions = kind(one).sample(torch.Generator().manual_seed(0))
    if kind is Categorical:
        found = actions.bincount(minlength=6) / len(actions)
        torch.testing.assert_close(found, one[0].softmax(0), atol=5e-3, rtol=0)
    else:
        mean, log_std = one[0].chunk(2)
        torch.testing.assert_close(actions.mean(0), mean, atol=0.02, rtol=0)
        torch.testing.assert_close(actions.std(0), log_std.exp(), rtol=0.01, atol=0)


@given(seed=st.integers(0, 10**6), unanswered=st.integers(0, STEPS))
def test_the_cross_entropy_is_the_weighted_sum_of_log_probabilities(
    seed: int, unanswered: int
) -> None:
    draws = torch.Generator().manual_seed(seed)
    shares = weights(seed, unanswered)
    for kind, size, actions in (
        (Categorical, 7, torch.randint(7, (STEPS, PLANS), generator=draws)),
        (Gaussian, PARTS, torch.randn(STEPS, PLANS, PARTS, generator=draws)),
    ):
        policy = kind(outputs(seed, size if kind is Categorical else 2 * size))
        target = kind.target(Given(actions, shares), STEPS, size, CPU)
        expected = -sum(
            shares[:, plan] * policy.log_prob(actions[:, plan]) for plan in range(PLANS)
        )
        torch.testing.assert_close(policy.cross_entropy(target), expected, rtol=1e-4, atol=1e-4)
        nothing = kind.target(None, STEPS, size, CPU)
        assert {name: one.shape for name, one in nothing.items()} == {
            name: one.shape for name, one in target.items()
        }
        assert not policy.cross_entropy(nothing).any()


def test_the_spread_counts_as_sampling_says() -> None:
    draws = torch.Generator().manual_seed(0)
    actions = torch.randn(STEPS, PLANS, PARTS, generator=draws)
    spread = torch.rand(STEPS, PLANS, PARTS, generator=draws) + 0.1
    shares = weights(1, unanswered=1)
    policy = Gaussian(outputs(2, 2 * PARTS))
    target = Gaussian.target(Given(actions, shares, spread), STEPS, PARTS, CPU)
    drawn = actions + spread * torch.randn(20_000, STEPS, PLANS, PARTS, generator=draws)
    log_prob = torch.stack(
        [
            torchs.Independent(torchs.Normal(policy.mean, policy.log_std.exp()), 1)
            .log_prob(drawn[:, :, plan])
            .mean(0)
            for plan in range(PLANS)
        ],
        1,
    )
    expected = -(shares * log_prob).sum(1)
    torch.testing.assert_close(policy.cross_entropy(target), expected, rtol=0.02, atol=0.02)


def test_the_cross_entropy_is_least_where_the_policy_is_the_advice() -> None:
    mean, spread = torch.tensor([[[0.5, -0.2]]]), torch.tensor([[[0.3, 0.6]]])
    target = Gaussian.target(Given(mean, torch.ones(1, 1), spread), 1, 2, CPU)
    best = torch.cat([mean[:, 0], spread[:, 0].log()], 1)
    least = Gaussian(best).cross_entropy(target)
    torch.testing.assert_close(least, Gaussian(best).entropy())
    for part in range(4):
        for change in (-0.1, 0.1):
            other = best.clone()
            other[0, part] += change
            assert Gaussian(other).cross_entropy(target) > least


def test_agreement() -> None:
    actions, shares = (
        torch.tensor([[2, 3, 2], [1, 0, 4], [5, 5, 5]]),
        torch.tensor([[0.3, 0.4, 0.3], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]),
    )
    advice = Given(actions, shares)
    for mode, agrees in (([2, 0, 5], [True, True, False]), ([3, 1, 5], [False, True, False])):
        assert Categorical.agrees(torch.tensor(mode), advice, 7).tolist() == agrees
    advice = Given(
        torch.tensor([[[0.0, 0.0], [1.0, 1.0]]] * 2),
        torch.tensor([[0.6, 0.4], [0.0, 0.0]]),
        torch.full((2, 2, 2), 0.1),
    )
    for mode, near in (([0.15, -0.15], True), ([0.25, 0.0], False), ([1.0, 1.0], False)):
        assert Gaussian.agrees(torch.tensor([mode] * 2), advice, 2).tolist() == [near, False]


@pytest.mark.parametrize("kind", [Categorical, Gaussian])
def test_a_sample_looks_at_no_value(kind: type[Distribution]) -> None:
    policy, draws = kind(outputs(0, 6)), torch.Generator()
    with Recording():
        action = policy.sample(draws)
        policy.log_prob(action)
        policy.entropy()


def test_an_action_follows_those_that_it_could_be_drawn_from() -> None:
    means = torch.tensor([[[0.0, 0.0], [0.5, 0.5], [0.5, -0.5]]])
    advice = Given(means, torch.tensor([[0.5, 0.3, 0.2]]), torch.full_like(means, 0.2))
    done = torch.tensor([[0.55, 0.05]])
    assert Gaussian.follows(done, advice).tolist() == [[True, True, True]]
    assert Gaussian.follows(done + 0.1, advice).tolist() == [[False, True, False]]
    choices = Given(torch.tensor([[2, 0, 2]]), torch.tensor([[0.5, 0.3, 0.2]]))
    assert Categorical.follows(torch.tensor([2]), choices).tolist() == [[True, False, True]]
