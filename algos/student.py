"""The student: a small actor-critic network of encoder, core and heads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from algos import checkpoint
from algos.distributions import Categorical, Distribution, Gaussian, GaussianHead, LinearHead
from algos.encoders import Encoder
from algos.protocols import Actor
from utils.errors import UserError
from utils.tensors import Tensors

LSTM_SIZE, LSTM_LAYERS = 256, 2
AVAILABLE = "available"
"""This observation, (N, A) bool, says which actions can be chosen; without it all can."""
NEVER = -1e9
"""The logit of an action that cannot be chosen: its probability is 0, all numbers are finite."""


def describe_shapes(obs: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in obs.items())


@dataclass(frozen=True)
class NetworkSpec:
    """What is needed to build a student.

    `obs` holds the shapes of its observations by name. `actions` is the number of discrete actions,
    or the dimension of a `continuous` one. `network` is the name of its encoder.
    """

    obs: dict[str, tuple[int, ...]]
    actions: int
    continuous: bool = False
    recurrent: bool = False
    network: str = "paper"

    @staticmethod
    def of(content: dict[str, Any]) -> "NetworkSpec":
        """From plain values, as a file holds them. TypeError, ValueError or KeyError if they are no
        description of a network."""
        shapes = {str(name): tuple(map(int, shape)) for name, shape in content["obs"].items()}
        return NetworkSpec(**{**content, "obs": shapes})

    def describe(self) -> str:
        kind = "recurrent" if self.recurrent else "feed-forward"
        actions = f"{self.actions} {'numbers' if self.continuous else 'actions'}"
        return f"{self.network}, {kind}, {describe_shapes(self.obs)} -> {actions}"


def distribution_of(spec: NetworkSpec) -> type[Distribution]:
    """The distribution of a network's policy."""
    return cast(type[Distribution], Gaussian if spec.continuous else Categorical)


MakeEncoder = Callable[[NetworkSpec], Encoder]


class Core(nn.Module):
    """The part of a recurrent student between encoder and heads: a layer and an LSTM.

    Its state `lstm` (N, 2, layers, size) float32 passes from step to step; it is zero at the start
    of an episode.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(features, LSTM_SIZE), nn.ReLU())
        self.lstm = nn.LSTM(LSTM_SIZE, LSTM_SIZE, LSTM_LAYERS)

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {"lstm": torch.zeros(count, 2, LSTM_LAYERS, LSTM_SIZE, device=device)}

    def step(self, features: Tensor, state: Tensors) -> tuple[Tensor, Tensors]:
        """One step of N episodes."""
        features, carried = self.lstm(self.layer(features)[None], self._carried(state))
        return features[0], {"lstm": torch.stack(carried).permute(2, 0, 1, 3).float()}

    def segments(self, features: Tensor, lengths: Tensor, state: Tensors) -> Tensor:
        """Segments of the given lengths (E,), one after another. `state` is that before each of
        them, (E, ...), or empty: then they begin their episodes."""
        sizes = lengths.tolist()
        # Padded, not packed: on a CPU an update takes a third to a quarter of the time.
        padded = pad_sequence(self.layer(features).split(sizes))
        carried = self._carried(state) if state else None
        outputs = self.lstm(padded, carried)[0].unbind(1)
        return torch.cat([each[:size] for each, size in zip(outputs, sizes, strict=True)])

    def _carried(self, state: Tensors) -> tuple[Tensor, Tensor]:
        hidden, cell = state["lstm"].permute(1, 2, 0, 3).contiguous()
        return hidden, cell


class Student(nn.Module):
    """An encoder, a core if it is recurrent, and two heads, actor and critic.

    With `bf16`, convolutions and matrix products round their inputs to bfloat16. Weights,
    log-probabilities and values stay float32.
    """

    def __init__(self, spec: NetworkSpec, encoder: Encoder, bf16: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.bf16 = bf16
        self.encoder = encoder
        self.core = Core(encoder.features) if spec.recurrent else None
        self.width = LSTM_SIZE if spec.recurrent else encoder.features
        head = GaussianHead if spec.continuous else LinearHead
        self.actor = head(self.width, spec.actions)
        self.critic = LinearHead(self.width, 1)
        self.distribution = distribution_of(spec)

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.core.initial_state(count, device) if self.core else {}

    @torch.no_grad()
    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        """One step of N episodes: actions (N, *A) drawn from the policy, and the new state.

        The step holds `action`, its `log_prob`, the `value` and the likeliest action, `mode`.
        Films show its `policy` (N, A). `generator` is on the student's device.
        """
        policy, value, state = self._step(obs, state, generator.device)
        action = policy.sample(generator)
        step = {
            "action": action,
            "log_prob": policy.log_prob(action),
            "value": value,
            "mode": policy.mode,
            "policy": policy.shown,
        }
        return step, state

    @torch.no_grad()
    def policy(self, obs: Tensors, state: Tensors) -> tuple[Distribution, Tensors]:
        """One step of N episodes: the policy, and the new state."""
        policy, _, state = self._step(obs, state, next(iter(obs.values())).device)
        return policy, state

    @torch.no_grad()
    def value(self, obs: Tensors, state: Tensors) -> Tensor:
        """The critic's value (N,) of observations that follow a state."""
        return self._step(obs, state, next(iter(obs.values())).device)[1]

    def load(self, weights: dict[str, Tensor], source: object) -> None:
        """Load weights; UserError that names their source if they are of another network."""
        try:
            self.load_state_dict(weights)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise UserError(f"the weights in {source} do not fit the network") from error

    def forward(
        self, obs: Tensors, lengths: Tensor, state: Tensors | None = None
    ) -> tuple[Tensor, Tensor]:
        """The policy's outputs (S, P), which `distribution` takes, and values (S,).

        `obs` are the S steps of segments, one after another, of the given lengths (E,). `state` is
        the state before each segment, (E, ...); without it they begin their episodes. For a
        feed-forward student `obs` can be any steps in any order.
        """
        with self.arithmetic(lengths.device):
            return self.heads(self.features(obs, lengths, state), obs)

    def features(self, obs: Tensors, lengths: Tensor, state: Tensors | None) -> Tensor:
        """What the heads see, (S, F), of the same arguments."""
        features = self.encoder(obs)
        return self.core.segments(features, lengths, state or {}) if self.core else features

    def _step(
        self, obs: Tensors, state: Tensors, device: torch.device
    ) -> tuple[Distribution, Tensor, Tensors]:
        with self.arithmetic(device):
            features = self.encoder(obs)
            if self.core:
                features, state = self.core.step(features, state)
            outputs, value = self.heads(features, obs)
        return self.distribution(outputs), value, state

    def heads(self, features: Tensor, obs: Tensors) -> tuple[Tensor, Tensor]:
        """The policy's outputs and values of features."""
        outputs = self.actor(features).float()
        if AVAILABLE in obs:
            outputs = outputs.masked_fill(~obs[AVAILABLE], NEVER)
        return outputs, self.critic(features).float()[:, 0]

    def arithmetic(self, device: torch.device) -> torch.autocast:
        """The context in which the network computes."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bf16)


@dataclass
class Deterministic:
    """An actor that takes its likeliest action instead of drawing one."""

    actor: Actor

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.actor.initial_state(count, device)

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        step, state = self.actor.act(obs, state, generator)
        return {**step, "action": step["mode"]}, state


def save_student(
    path: Path, task: str, iteration: int, spec: NetworkSpec, weights: dict[str, Tensor]
) -> None:
    """Write a student's weights, its network and its iteration to a file."""
    content = {"task": task, "iteration": iteration, "network": asdict(spec), "weights": weights}
    checkpoint.save(path, content)


def read_student(
    path: Path, device: torch.device, make_encoder: MakeEncoder, bf16: bool = False
) -> tuple[Student, str, int]:
    """Read a student from a file; returns it, the name of its task, and its iteration."""
    content = checkpoint.load(path, "task", "iteration", "network", "weights")
    try:
        spec = NetworkSpec.of(content["network"])
        student = Student(spec, make_encoder(spec), bf16).to(device)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{path} describes no network of this project") from error
    student.load(content["weights"], path)
    return student, content["task"], content["iteration"]
