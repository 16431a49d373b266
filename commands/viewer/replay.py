"""Episodes played once more, as they were, to be looked at step by step."""

from dataclasses import dataclass
from typing import Protocol

import torch

from algos.distributions import Distribution
from algos.play import play
from algos.protocols import Environments, Teacher
from algos.rollout import Rollout
from commands.viewer.film import Moment, Recorder, narrate
from utils.drawing import Drawing
from utils.errors import UserError
from utils.tensors import Tensors, count, rows
from utils.timing import Stopwatch

ALIKE = 1e-3
"""Returns that differ by less are the same: beside others an environment may round otherwise."""


class Drawable(Environments, Protocol):
    """A single environment of which a page can be drawn."""

    def drawing(self) -> Drawing: ...


@dataclass
class Replay:
    """An episode of T steps: a drawing of each moment, T + 1 with that after its end, what there is
    to say of each step, and its rollout."""

    seed: int
    drawings: list[Drawing]
    told: list[Moment]
    rollout: Rollout


class Again:
    """An actor that does in every episode the same `steps` (T, ...), as they were recorded."""

    def __init__(self, steps: Tensors) -> None:
        self.steps = steps

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {"time": torch.zeros(count, dtype=torch.int64, device=device)}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        # An episode that goes on for longer is not the same one, which is found out at its end.
        time = state["time"].clamp(max=count(self.steps) - 1)
        return rows(self.steps, time), {"time": time + 1}


def replay(
    environment: Drawable,
    seed: int,
    played: Rollout,
    number: int,
    teacher: Teacher,
    distribution: type[Distribution],
    action_names: tuple[str, ...],
    device: torch.device,
) -> Replay:
    """Do once more, from the same seed, what was done in one episode of those that were played.

    UserError if it does not then end as it did: such an environment does not follow its seed.
    """
    steps = rows(played.steps, (played.episode == number).nonzero()[:, 0])
    recorder = Recorder(environment.drawing, Again(steps))
    rollout = play(environment, recorder, device, [seed], torch.Generator(), Stopwatch())
    now, before = rollout.returns[0], played.returns[number]
    same = rollout.success[0] == played.success[number]
    same &= torch.isclose(now, before, rtol=ALIKE, atol=ALIKE)
    if len(rollout) != count(steps) or not same:
        raise UserError(
            f"from the seed {seed} the environment does not play the same episode again: it takes "
            f"{len(rollout)} steps now, with a return of {now:.3f}, and took {count(steps)} "
            f"before, with one of {before:.3f}"
        )
    told = narrate(rollout, teacher, distribution, action_names)
    return Replay(seed, [*recorder.seen, environment.drawing()], told, rollout)
