"""Measures speeds: medians over seven repeats, or fewer, at least three, where they take long."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import gymnasium as gym
import matplotlib
import torch
from gymnasium.vector import VectorEnv
from matplotlib.figure import Figure
from torch import Tensor

from algos.cuda_graphs import Graphed
from algos.protocols import Teacher
from algos.trainer import Trainer
from env.vector import RestingEnv

Result = TypeVar("Result")
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


def repeated(measure: Callable[[], Result]) -> list[Result]:
    """What a function measures in each repeat, after a warm-up."""
    measure()
    began, found = time.perf_counter(), list[Result]()
    while len(found) < REPEATS:
        if len(found) >= FEWEST_REPEATS and time.perf_counter() - began > SECONDS:
            break
        found.append(measure())
    return found


def median_seconds(work: Callable[[], object], device: torch.device) -> float:
    """The median seconds of a call."""

    def once() -> float:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return statistics.median(repeated(once))


def trained_length(count: int, device: torch.device) -> int:
    """How long episodes are in `count` environments while training is measured."""
    return min(max(TRAINED_STEPS[device.type] // count, 1), EPISODE)


def moves(count: int, environments: VectorEnv, device: torch.device) -> list[Tensor]:
    """`count` random actions, (environments, *A) each."""
    action, draws = environments.single_action_space, torch.Generator().manual_seed(0)
    shape = count, environments.num_envs
    if isinstance(action, gym.spaces.Discrete):
        drawn = torch.randint(int(action.n), shape, generator=draws)
    else:
        drawn = torch.rand(*shape, gym.spaces.flatdim(action), generator=draws) * 2 - 1
    return list(drawn.to(device).unbind())


def of_gymnasium(task: str, size: int, environments: VectorEnv) -> Speed:
    """The speed of one of Gymnasium's own vector environments, which reset by themselves."""
    device = torch.device("cpu")
    taken = [move.numpy() for move in moves(EPISODE, environments, device)]

    def walk() -> None:
        environments.reset(seed=0)
        for move in taken:
            environments.step(move)

    steps, seconds = EPISODE * environments.num_envs, median_seconds(walk, device)
    return Speed(task, "Gymnasium's vector", size, environments.num_envs, steps, seconds)


def of_environments(
    task: str, size: int, environments: RestingEnv, teacher: Teacher, device: torch.device
) -> list[Speed]:
    """The speeds of the environment alone, of the teacher's labels alone, and of both together."""
    taken = moves(EPISODE, environments, device)
    # As in training: environments on a GPU are stepped by a CUDA graph.
    advance = Graphed(lambda given: environments.step(given["move"])[0], environments.device)

    def walk() -> None:
        environments.reset(seed=0)
        for move in taken:
            advance({"move": move})

    steps, walking = EPISODE * environments.num_envs, median_seconds(walk, device)
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


def labels(environments: RestingEnv, teacher: Teacher, device: torch.device) -> tuple[int, float]:
    """How many steps of random walks the teacher advises on, and the median seconds for them."""
    length = min(max(LABELLED_STEPS[device.type] // environments.num_envs, 2), EPISODE)
    seen = [environments.reset(seed=0)[0]]
    seen += [environments.step(move)[0] for move in moves(length - 1, environments, device)]
    obs = {name: torch.stack([s[name] for s in seen], 1).flatten(0, 1) for name in seen[0]}
    starts = torch.arange(length * environments.num_envs, device=device) % length == 0
    seconds = median_seconds(lambda: teacher.advise(obs, starts, torch.Generator()), device)
    return len(starts), seconds


def of_training(task: str, size: int, trainer: Trainer) -> list[Speed]:
    """The speeds of a training iteration, each phase and the total, of a student that has learned
    nothing."""

    def once() -> tuple[int, dict[str, float]]:
        before = trainer.progress.steps
        numbers = trainer.iterate().numbers
        speeds = {name: rate for name, rate in numbers.items() if name.startswith("speed/")}
        return trainer.progress.steps - before, speeds

    measured = repeated(once)
    steps, count = measured[-1][0], trainer.settings.environments
    return [
        Speed(
            task,
            f"training, {phase.removeprefix('speed/')}",
            size,
            count,
            steps,
            statistics.median(steps / each[phase] for steps, each in measured),
        )
        for phase in measured[-1][1]
    ]


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
