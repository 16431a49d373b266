"""Measures speeds: medians over seven repeats, or fewer, at least three, where they take long."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import matplotlib
import torch
from matplotlib.figure import Figure
from torch import Tensor

from algos.cuda_graphs import Graphed
from algos.protocols import Teacher
from algos.trainer import Trainer
from env.vector import RestingEnv

REPEATS, FEWEST_REPEATS = 7, 3
SECONDS = 8.0
"""After so many seconds no repeat beyond the fewest begins."""
EPISODE = 150
SIZES = (10, 20, 40)
LABELLED_STEPS = {"cpu": 50_000, "cuda": 2**20}
TRAINED_STEPS = {"cpu": 4096, "cuda": 2**21}
"""About so many steps are measured. With many environments episodes are shorter, so that resets
weigh more."""


@dataclass(frozen=True)
class Speed:
    """One measurement: `steps` environment steps took `seconds` (a median) in so many
    `environments`. `size` is the width of a room or camera picture; `room_bytes` is the memory of
    one environment, if that is known."""

    task: str
    what: str
    size: int
    environments: int
    steps: int
    seconds: float
    room_bytes: int | None = None

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.steps / self.seconds

    def row(self) -> list[str]:
        """Cells of a table with `COLUMNS`."""
        numbers = [
            f"{self.environments:,}",
            f"{self.seconds / self.steps * 1e6:,.2f}",
            f"{self.rate:,.0f}",
        ]
        memory = f"{self.room_bytes:,}" if self.room_bytes else ""
        return [self.task, self.what, str(self.size), *numbers, memory]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self) | {"steps_per_second": self.rate}


COLUMNS = ["task", "what", "size", "environments", "µs a step", "steps/s", "bytes each"]


class Walkable(Protocol):
    """The part of a vector environment that a random walk needs."""

    num_envs: int
    single_action_space: gym.Space[Any]

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]: ...

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]: ...


def repeats() -> Iterator[None]:
    """Yields once for a warm-up, then once for each repeat."""
    yield
    began = time.perf_counter()
    for number in range(REPEATS):
        if number < FEWEST_REPEATS or time.perf_counter() - began < SECONDS:
            yield


def median_seconds(work: Callable[[], object], device: torch.device) -> float:
    """The median seconds of a call."""
    seconds = []
    for _ in repeats():
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def walk(environments: Walkable, step: Callable[[Any], object], moves: Sequence[Any]) -> None:
    """Reset all environments and take these moves."""
    environments.reset(seed=0)
    for move in moves:
        step(move)


def trained_length(count: int, device: torch.device) -> int:
    """How long episodes are in `count` environments while training is measured."""
    return min(max(TRAINED_STEPS[device.type] // count, 1), EPISODE)


def moves(
    count: int, environments: int, action: gym.Space[Any], device: torch.device
) -> list[Tensor]:
    """`count` random actions, (environments, *A) each."""
    draws, shape = torch.Generator().manual_seed(0), (count, environments)
    if isinstance(action, gym.spaces.Discrete):
        drawn = torch.randint(int(action.n), shape, generator=draws)
    else:
        drawn = torch.rand(*shape, gym.spaces.flatdim(action), generator=draws) * 2 - 1
    return list(drawn.to(device).unbind())


def gymnasium(environments: Walkable, steps: int) -> float:
    """The median seconds of `steps` random steps in one of Gymnasium's own vector environments,
    which reset by themselves."""
    action, count = environments.single_action_space, environments.num_envs
    taken = [move.numpy() for move in moves(steps, count, action, torch.device("cpu"))]
    return median_seconds(lambda: walk(environments, environments.step, taken), torch.device("cpu"))


def labels(environments: Walkable, teacher: Teacher, device: torch.device) -> tuple[int, float]:
    """How many steps of random walks the teacher advises on, and the median seconds for them."""
    length = min(max(LABELLED_STEPS[device.type] // environments.num_envs, 2), EPISODE)
    seen = [environments.reset(seed=0)[0]]
    action, count = environments.single_action_space, environments.num_envs
    seen += [environments.step(move)[0] for move in moves(length - 1, count, action, device)]
    obs = {name: torch.stack([s[name] for s in seen], 1).flatten(0, 1) for name in seen[0]}
    starts = torch.arange(length * environments.num_envs, device=device) % length == 0
    seconds = median_seconds(lambda: teacher.advise(obs, starts, torch.Generator()), device)
    return len(starts), seconds


def with_labels(
    task: str, size: int, environments: RestingEnv, teacher: Teacher, device: torch.device
) -> list[Speed]:
    """The speeds of the environment alone, of the teacher's labels alone, and of both together."""
    steps = EPISODE * environments.num_envs
    action, count = environments.single_action_space, environments.num_envs
    taken = moves(EPISODE, count, action, device)
    # As in training: environments on a GPU are stepped by a CUDA graph.
    place = environments.device
    advance = Graphed(lambda given: environments.step(given["move"])[0], place)
    walking = median_seconds(
        lambda: walk(environments, lambda move: advance({"move": move}), taken), device
    )
    labelled, labelling = labels(environments, teacher, device)
    both = labelling + walking * labelled / steps

    def speed(what: str, steps: int, seconds: float) -> Speed:
        memory = environments.bytes_each
        return Speed(task, what, size, environments.num_envs, steps, seconds, memory)

    return [
        speed("environment", steps, walking),
        speed("labels", labelled, labelling),
        speed("environment + labels", labelled, both),
    ]


def iteration(trainer: Trainer) -> tuple[int, dict[str, float]]:
    """The steps of a training iteration, and the median seconds of each phase and of the total. The
    student has learned nothing."""
    seconds: dict[str, list[float]] = {}
    for _ in repeats():
        before = trainer.progress.steps
        numbers = trainer.iterate().numbers
        steps = trainer.progress.steps - before
        for name, speed in numbers.items():
            if name.startswith("speed/"):
                seconds.setdefault(name.removeprefix("speed/"), []).append(steps / speed)
    return steps, {phase: statistics.median(each[1:]) for phase, each in seconds.items()}


def of_task(
    task: str,
    size: int,
    environments: RestingEnv,
    plain: Walkable | None,
    teacher: Teacher,
    device: torch.device,
) -> list[Speed]:
    """The speeds of environment and labels, and of `plain`, Gymnasium's own vector, if given."""
    found = with_labels(task, size, environments, teacher, device)
    if plain:
        steps, seconds = EPISODE * plain.num_envs, gymnasium(plain, EPISODE)
        found.append(Speed(task, "Gymnasium's vector", size, plain.num_envs, steps, seconds))
    return found


def of_training(task: str, size: int, trainer: Trainer) -> list[Speed]:
    """The speeds of a training iteration: each phase, and the total."""
    steps, phases = iteration(trainer)
    count = trainer.settings.environments
    return [
        Speed(task, f"training, {name}", size, count, steps, seconds)
        for name, seconds in phases.items()
    ]


def growth(
    task: str,
    make: Callable[[int, int], AbstractContextManager[RestingEnv]],
    teacher: Teacher,
    counts: list[int],
    device: torch.device,
) -> list[Speed]:
    """The speeds of environment and labels for each size and count. `make` takes a count and a
    size, and closes the environments afterwards."""
    found = []
    for size in SIZES:
        for count in counts:
            with make(count, size) as environments:
                found += with_labels(task, size, environments, teacher, device)
    return found


def plot(path: Path, speeds: list[Speed], title: str) -> None:
    """Draw the cost of a step against the number of environments as PNG or SVG. Each size has a
    colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.use("Agg")
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.subplots()
    for what, style in (("environment", "o-"), ("labels", "s--")):
        for number, size in enumerate(dict.fromkeys(speed.size for speed in speeds)):
            line = [s for s in speeds if (s.what, s.size) == (what, size)]
            costs = [1e6 / speed.rate for speed in line]
            name = f"{what}, {size}×{size}"
            axes.loglog(
                [s.environments for s in line], costs, style, color=f"C{number}", label=name
            )
    axes.set(xlabel="environments side by side", ylabel="µs a step of one room", title=title)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=110)
