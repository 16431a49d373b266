"""The student: small actor-critic networks on the remembered map."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from algos.rollout import Actor
from utils import checkpoint
from utils.errors import UserError

FILTERS = 16, 32, 64
NARROW = 5
LSTM_SIZE, LSTM_LAYERS = 256, 2


@dataclass(frozen=True)
class NetworkSpec:
    """What is needed to build a student: the observation's shape, actions, kind of network.

    `network` names how it sees: "paper", the map as raw numbers, or the name of a view.
    """

    width: int
    height: int
    channels: int
    actions: int
    recurrent: bool = False
    network: str = "paper"

    def describe(self) -> str:
        kind = "recurrent" if self.recurrent else "feed-forward"
        shape = f"{self.width}x{self.height}x{self.channels}"
        return f"{self.network}, {kind}, {shape} -> {self.actions} actions"


class View(Protocol):
    """What turns observations (N, W, H, C) uint8 into what convolutions see well, (N, *shape)
    float32, on the observations' device. Nothing in it is learned."""

    shape: tuple[int, int, int]

    def __call__(self, obs: Tensor) -> Tensor: ...


MakeView = Callable[[NetworkSpec], View | None]


class Student(nn.Module):
    """Three 3x3 convolutions (16-32-64), then an actor and a critic; optionally an LSTM between.

    Observations are (N, W, H, C) uint8 maps. The paper's student, without a `view`, takes them as
    raw numbers and keeps their size; with a view, which is wider, a convolution has a stride of 2
    while what it sees is more than `NARROW` wide, so that arithmetic stays small.

    A `state` (N, 2, layers, size) float32 is what the LSTM carries from step to step, zeros at the
    start of an episode; that of a feed-forward student is empty. With `bf16` convolutions and
    matrix products round their inputs to bfloat16; weights, log-probabilities and values are
    float32 all the same.
    """

    def __init__(self, spec: NetworkSpec, view: View | None = None, bf16: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.view = view
        self.bf16 = bf16
        channels, height, width = view.shape if view else (spec.channels, spec.height, spec.width)
        self.encoder = nn.Sequential()
        for filters in FILTERS:
            stride = 2 if view and max(height, width) > NARROW else 1
            self.encoder.append(nn.Conv2d(channels, filters, 3, stride, padding=1))
            self.encoder.append(nn.ReLU())
            channels, height, width = filters, -(-height // stride), -(-width // stride)
        self.encoder.append(nn.Flatten())
        features = channels * height * width
        if spec.recurrent:
            self.encoder.extend([nn.Linear(features, LSTM_SIZE), nn.ReLU()])
            self.lstm = nn.LSTM(LSTM_SIZE, LSTM_SIZE, LSTM_LAYERS)
            features = LSTM_SIZE
        self.actor = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, spec.actions))
        self.critic = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 1))
        if view:
            # A fifth faster on a CPU, and what tensor cores want.
            self.encoder = self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def initial_state(self, count: int, device: torch.device) -> Tensor:
        size = (count, 2, LSTM_LAYERS, LSTM_SIZE) if self.spec.recurrent else (count, 0)
        return torch.zeros(size, device=device)

    @torch.no_grad()
    def act(
        self, obs: Tensor, state: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One step of N episodes: actions (N,) drawn from the policy, and the new state.

        Beside `action`: its `log_prob`, the `value`, `greedy` (the likeliest action) and the
        `probabilities` (N, A). `generator` lies on the student's device.
        """
        with self._arithmetic(obs.device):
            log_probs, value, state = self._step(obs, state)
        probabilities = log_probs.exp()
        # What torch.multinomial does, without its look at the sums: a GPU would be waited for.
        race = torch.empty_like(probabilities).exponential_(generator=generator)
        action = (probabilities / race).argmax(1, keepdim=True)
        step = {
            "action": action[:, 0],
            "log_prob": log_probs.gather(1, action)[:, 0],
            "value": value,
            "greedy": log_probs.argmax(1),
            "probabilities": probabilities,
        }
        return step, state

    @torch.no_grad()
    def value(self, obs: Tensor, state: Tensor) -> Tensor:
        """The critic's value (N,) of observations that follow a state."""
        with self._arithmetic(obs.device):
            return self._step(obs, state)[1]

    def load(self, weights: dict[str, Tensor], source: object) -> None:
        """Take over weights; UserError, naming their source, if they are of another network."""
        try:
            self.load_state_dict(weights)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise UserError(f"the weights in {source} do not fit the network") from error

    def forward(self, obs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Whole episodes, one after another: (S, W, H, C), lengths (E,) adding up to S.

        Returns log-probabilities (S, A) and values (S,). For a feed-forward student the steps
        may be any, in any order.
        """
        with self._arithmetic(obs.device):
            return self._episodes(obs, lengths)

    def _arithmetic(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bf16)

    def _episodes(self, obs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        features = self._encode(obs)
        if self.spec.recurrent:
            episodes = pack_sequence(features.split(lengths.tolist()), enforce_sorted=False)
            features = torch.cat(unpack_sequence(self.lstm(episodes)[0]))
        return self._heads(features)

    def _step(self, obs: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self._encode(obs)
        if self.spec.recurrent:
            hidden, cell = state.permute(1, 2, 0, 3).contiguous()
            features, carried = self.lstm(features[None], (hidden, cell))
            features, state = features[0], torch.stack(carried).permute(2, 0, 1, 3).float()
        return *self._heads(features), state

    def _encode(self, obs: Tensor) -> Tensor:
        seen = self.view(obs) if self.view else obs.permute(0, 3, 2, 1).float()
        features: Tensor = self.encoder(seen)
        return features

    def _heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, value = self.actor(features).float(), self.critic(features).float()
        return logits.log_softmax(-1), value[:, 0]


class Greedy:
    """An actor that takes its likeliest action instead of drawing one."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def initial_state(self, count: int, device: torch.device) -> Tensor:
        return self.actor.initial_state(count, device)

    def act(
        self, obs: Tensor, state: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        step, state = self.actor.act(obs, state, generator)
        return {**step, "action": step["greedy"]}, state


def save_student(
    path: Path, task: str, iteration: int, spec: NetworkSpec, weights: dict[str, Tensor]
) -> None:
    """Write the student of an iteration with what is needed to build it again."""
    content = {"task": task, "iteration": iteration, "network": asdict(spec), "weights": weights}
    checkpoint.save(path, content)


def load_student(
    path: Path, device: torch.device, make_view: MakeView, bf16: bool = False
) -> tuple[Student, str, int | None]:
    """Build the student of a file; returns it, the name of the task that it was trained on, and
    after how many iterations, if the file tells."""
    content = checkpoint.load(path, "task", "network", "weights")
    try:
        spec = NetworkSpec(**content["network"])
        student = Student(spec, make_view(spec), bf16).to(device)
    except TypeError as error:
        raise UserError(f"{path} describes no network of this project") from error
    student.load(content["weights"], path)
    return student, content["task"], content.get("iteration")
