"""The policy's distribution over actions, discrete or continuous."""

import math
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from algos.protocols import Advice
from utils.tensors import Tensors

WITHIN = 2.0
"""An action within this many spreads of the advised one agrees with it."""
DRAWN = 3.0
"""A Gaussian draws almost nothing beyond this many spreads."""
HIDDEN = 64
FIRST_LOG_STD = -0.5


class Distribution(Protocol):
    """Over the actions (S, *A) of S steps, from the `outputs` (S, P) of a network, float32."""

    outputs: Tensor

    def __init__(self, outputs: Tensor) -> None: ...

    @property
    def mode(self) -> Tensor:
        """(S, *A): the likeliest actions."""

    @property
    def shown(self) -> Tensor:
        """(S, A): for films, the probability of each action or the mean of each dimension."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """(S,) float32; for continuous actions of the density."""

    def entropy(self) -> Tensor:
        """(S,) float32."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """(S, *A). No value is read on the CPU, so a CUDA graph can hold it."""

    def cross_entropy(self, target: Tensors) -> Tensor:
        """(S,) float32: H(teacher, student) for the target of an advice; 0 without advice."""

    @staticmethod
    def target(advice: Advice | None, count: int, actions: int, device: torch.device) -> Tensors:
        """The tensors that the cross-entropy takes, with advice on `count` steps or without."""

    @staticmethod
    def advised(advice: Advice, actions: int) -> Tensor:
        """(S, A): what a film shows of advice, comparable with `shown`."""

    @staticmethod
    def agrees(mode: Tensor, advice: Advice, actions: int) -> Tensor:
        """(S,) bool: whether the likeliest action is the one with the most advice."""

    @staticmethod
    def follows(action: Tensor, advice: Advice) -> Tensor:
        """(S, K) bool: which of the advised actions an action follows."""


class Categorical:
    """Over A discrete actions; `outputs` (S, A) are logits."""

    def __init__(self, outputs: Tensor) -> None:
        self.outputs = outputs
        self.log_probs = outputs.log_softmax(-1)

    # Only when used: the order of the graph's nodes decides in which order gradients are added.
    @cached_property
    def probabilities(self) -> Tensor:
        return self.log_probs.exp()

    @property
    def mode(self) -> Tensor:
        return self.log_probs.argmax(1)

    @property
    def shown(self) -> Tensor:
        return self.probabilities

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.log_probs.gather(1, actions[:, None])[:, 0]

    def entropy(self) -> Tensor:
        return -(self.probabilities * self.log_probs).sum(1)

    def sample(self, generator: torch.Generator) -> Tensor:
        # As torch.multinomial, but without its check of the sums, which waits for a GPU.
        race = torch.empty_like(self.probabilities).exponential_(generator=generator)
        return (self.probabilities / race).argmax(1)

    def cross_entropy(self, target: Tensors) -> Tensor:
        return -(target["probabilities"] * self.log_probs).sum(1)

    @staticmethod
    def target(advice: Advice | None, count: int, actions: int, device: torch.device) -> Tensors:
        """`probabilities` (S, A); a row is zero where there is no advice."""
        nothing = torch.zeros(count, actions, device=device)
        return {
            "probabilities": nothing if advice is None else Categorical.advised(advice, actions)
        }

    @staticmethod
    def advised(advice: Advice, actions: int) -> Tensor:
        probabilities = advice.weights.new_zeros(len(advice.weights), actions)
        return probabilities.scatter_add_(1, advice.actions, advice.weights)

    @staticmethod
    def agrees(mode: Tensor, advice: Advice, actions: int) -> Tensor:
        """Among actions with equal advice, each counts as the one with the most."""
        advised = Categorical.advised(advice, actions)
        favourite = advised.gather(1, mode[:, None])[:, 0]
        return (favourite == advised.amax(1)) & advised.any(1)

    @staticmethod
    def follows(action: Tensor, advice: Advice) -> Tensor:
        return advice.actions == action[:, None]


class Gaussian:
    """Over continuous actions of D independent dimensions; `outputs` (S, 2D) are means and
    logarithms of standard deviations."""

    def __init__(self, outputs: Tensor) -> None:
        self.outputs = outputs
        self.mean, self.log_std = outputs.chunk(2, -1)

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def shown(self) -> Tensor:
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        far = (actions - self.mean) / self.log_std.exp()
        return -(far.square() / 2 + self.log_std + math.log(2 * math.pi) / 2).sum(1)

    def entropy(self) -> Tensor:
        return (self.log_std + (1 + math.log(2 * math.pi)) / 2).sum(1)

    def sample(self, generator: torch.Generator) -> Tensor:
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + noise * self.log_std.exp()

    def cross_entropy(self, target: Tensors) -> Tensor:
        """-Σ w log π(a) + ½ Σ w (spread / σ)². It depends only on mean and variance of the advised
        mixture."""
        variance = (2 * self.log_std).exp()
        away = target["variance"] + (target["mean"] - self.mean).square()
        each = away / variance / 2 + self.log_std + math.log(2 * math.pi) / 2
        return target["weight"][:, 0] * each.sum(1)

    @staticmethod
    def target(advice: Advice | None, count: int, actions: int, device: torch.device) -> Tensors:
        """`weight` (S, 1), which is 1 or 0, and `mean` and `variance` (S, D) of the advised mixture
        of Gaussians."""
        if advice is None:
            nothing = torch.zeros(count, actions, device=device)
            return {"weight": nothing[:, :1], "mean": nothing, "variance": nothing}
        weights = advice.weights[..., None]
        weight = weights.sum(1)
        share = weights / weight.clamp(min=1e-12)[:, None]
        mean = (share * advice.actions).sum(1)
        squares = (advice.actions - mean[:, None]).square()
        if advice.spread is not None:
            squares = squares + advice.spread.square()
        return {"weight": weight, "mean": mean, "variance": (share * squares).sum(1)}

    @staticmethod
    def advised(advice: Advice, actions: int) -> Tensor:
        count, device = len(advice.weights), advice.weights.device
        return Gaussian.target(advice, count, actions, device)["mean"]

    @staticmethod
    def agrees(mode: Tensor, advice: Advice, actions: int) -> Tensor:
        """Whether every dimension is within two spreads of the action with the largest weight."""
        best = advice.weights.argmax(1)
        each = torch.arange(len(best), device=best.device)
        spread = 0.0 if advice.spread is None else advice.spread[each, best]
        near = (mode - advice.actions[each, best]).abs() <= WITHIN * spread
        return near.all(1) & advice.weights.any(1)

    @staticmethod
    def follows(action: Tensor, advice: Advice) -> Tensor:
        """The advised actions within three spreads of an action, in every dimension."""
        spread = 0.0 if advice.spread is None else advice.spread
        return ((action[:, None] - advice.actions).abs() <= DRAWN * spread).all(2)


class LinearHead(nn.Sequential):
    """Features (S, F) -> outputs (S, P), through one hidden layer."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs))


class GaussianHead(nn.Module):
    """Features (S, F) -> means (S, D), and learned standard deviations, equal in all states."""

    def __init__(self, features: int, parts: int) -> None:
        super().__init__()
        self.mean = LinearHead(features, parts)
        self.log_std = nn.Parameter(torch.full((parts,), FIRST_LOG_STD))

    def forward(self, features: Tensor) -> Tensor:
        mean = self.mean(features)
        return torch.cat([mean, self.log_std.expand_as(mean)], -1)
