"""The teacher: scene -> plans -> options -> advice.

pi_T(a | s) = sum_k Pr(k | text of s) * pi_k(a | s), the planner's uncertainty over plans k mixed
over what their options do (arXiv 2311.13373, section 3).
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from planner.plans import Answer, Option, Planner
from planner.scene import Scenes
from teacher.advice import Advice
from utils.tensors import Tensors


class Reader(Protocol):
    """Reads scenes off observations. What it remembers of N episodes is tensors of N rows."""

    def forget(self, count: int, device: torch.device) -> Tensors:
        """The memory of episodes that have not begun."""

    def read(self, obs: Tensors, memory: Tensors) -> tuple[Scenes, Tensors]:
        """One step of N episodes: their scenes, and the new memory."""

    def read_episodes(self, obs: Tensors, starts: Tensor) -> Scenes:
        """Whole episodes, one after another; `starts` (S,) bool marks their first steps."""


class Options(Protocol):
    """What options do. `count` says how many discrete actions there are, and `wait` is the one that
    stands for no plan."""

    count: int
    wait: int

    def actions(
        self, obs: Tensors, scenes: Scenes, options: list[Option], used: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What each of O options would do on each of S steps, (S, O) int64, and whether it has
        nothing left to do, (S, O) bool; asked where `used` (S, O) bool is set, any elsewhere."""


class PlanTeacher:
    """Follows a planner's answers; "soft" mixes all plans, `hard` draws one at each step."""

    def __init__(
        self, planner: Planner, reader: Reader, options: Options, hard: bool = False
    ) -> None:
        self.planner = planner
        self.reader = reader
        self.options = options
        self.hard = hard

    def advise(self, obs: Tensors, starts: Tensor, generator: torch.Generator) -> Advice:
        """Whole episodes, one after another; `starts` (S,) bool. `generator` draws the plans of a
        hard teacher and lies on the CPU."""
        return self._advise(obs, self.reader.read_episodes(obs, starts), generator)

    def counts(self) -> dict[str, float]:
        """What the planner has cost so far, by name."""
        return self.planner.counts()

    def news(self) -> dict[str, dict[str, float]]:
        """What the planner has learned by asking: scene text -> plan -> probability."""
        return self.planner.news()

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        """What is remembered at the start of `count` episodes, to act step by step."""
        return self.reader.forget(count, device)

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        """One step of N episodes: actions (N,) drawn from the advice, and the new memory.

        Where there is no advice the teacher waits.
        """
        scenes, memory = self.reader.read(obs, state)
        advice = self._advise(obs, scenes, generator)
        advised = advice.by_action(self.options.count)
        probabilities = advised.clone()
        probabilities[~advice.answered, self.options.wait] = 1
        action = torch.multinomial(probabilities.cpu(), 1, generator=generator)[:, 0]
        step = {
            "action": action.to(advised.device),
            "mode": probabilities.argmax(1),
            "unanswered": ~advice.answered,
            "advised": advised,
        }
        return step, memory

    def _advise(self, obs: Tensors, scenes: Scenes, generator: torch.Generator) -> Advice:
        answers, device = self.planner.answers(scenes.distinct), scenes.index.device
        options = list(dict.fromkeys(_options_of(answers)))
        probability, program = (table.to(device) for table in _as_tables(answers, options))
        used = torch.zeros(len(answers), len(options) + 1, dtype=torch.bool, device=device)
        used.scatter_(1, program.flatten(1), True)
        # Behind the options one that does nothing and is finished: what fills short plans up.
        actions, finished = self.options.actions(obs, scenes, options, used[scenes.index, :-1])
        actions = nn.functional.pad(actions, (0, 1), value=self.options.wait)
        finished = nn.functional.pad(finished, (0, 1), value=True)

        # Each plan's options are tried in order: the first that is not finished acts.
        tried = program[scenes.index]
        shape = tried.shape
        over = finished.gather(1, tried.flatten(1)).view(shape)
        first = (~over).to(torch.uint8).argmax(2, keepdim=True)
        acting = tried.gather(2, first)[..., 0]
        chosen = torch.where(over.all(2), self.options.wait, actions.gather(1, acting))
        weights = probability[scenes.index]
        if self.hard:
            weights = _draw(weights, generator)
        return Advice(chosen, weights, scenes.index, scenes.distinct, answers)


def _options_of(answers: list[Answer | None]) -> list[Option]:
    return [option for answer in answers for _, plan in answer or () for option in plan]


def _as_tables(answers: list[Answer | None], options: list[Option]) -> tuple[Tensor, Tensor]:
    """Probabilities (U, plans) float32 and programs (U, plans, length) int64, padded."""
    number = {option: i for i, option in enumerate(options)}
    most = max((len(answer) for answer in answers if answer), default=1)
    longest = max((len(plan) for answer in answers for _, plan in answer or ()), default=1)
    probability = torch.zeros(len(answers), most)
    program = torch.full((len(answers), most, longest), len(options))
    for i, answer in enumerate(answers):
        for j, (p, plan) in enumerate(answer or ()):
            probability[i, j] = p
            program[i, j, : len(plan)] = torch.tensor([number[option] for option in plan])
    return probability, program


def _draw(weight: Tensor, generator: torch.Generator) -> Tensor:
    """(S, plans) probabilities -> one plan a row, zeros where there is none to draw from."""
    answered = weight.any(1, keepdim=True)
    drawn = torch.multinomial((weight + ~answered).cpu(), 1, generator=generator)
    return torch.zeros_like(weight).scatter_(1, drawn.to(weight.device), 1.0) * answered
