"""The teacher: scene -> plans -> options -> advice.

pi_T(a | s) = sum_k Pr(k | text of s) * pi_k(a | s): a mixture of what the plans k do, weighted by
their probabilities (arXiv 2311.13373, section 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from planner.plans import Answer, Option, Planner
from planner.scene import Reader, Scenes
from teacher.advice import Advice, drawn
from teacher.options import Options, Proposal
from utils.tensors import Tensors, group, put, rows, under


@dataclass
class PlanTeacher:
    """Follows a planner's answers. It mixes all plans, or, if `hard`, draws one at each step.

    If it `sees_everything`, its reader and its options get the observation `privileged` as the map,
    which the student does not see. If it is `narrowed`, they get the student's memory all the same.
    """

    planner: Planner
    reader: Reader
    options: Options
    hard: bool = False
    sees_everything: bool = False
    narrowed: bool = False

    def advise(self, obs: Tensors, starts: Tensor, generator: torch.Generator) -> Advice:
        """Advice on whole episodes in a row; `starts` (S,) bool marks first steps. `generator`, on
        the CPU, draws the plans of a hard teacher."""
        obs = self._seen(obs)
        program = Program(self.planner, self.reader.read_episodes(obs, starts))
        state = self.options.initial_state(int(starts.sum()), starts.device)
        if state:
            proposal = self._in_order(obs, starts, program, state)
        else:
            proposal, _ = self._propose(obs, program, state)
        return self._advice(program, proposal, generator)

    def counts(self) -> dict[str, float]:
        """What the planner has cost so far, by name."""
        return self.planner.counts()

    def narrow(self, narrowed: bool) -> None:
        """See only its student's memory from now on, or again what it saw at first."""
        self.narrowed = narrowed

    def doubt(self, share: float) -> bool:
        """Told which share of its advice should be every legal plan alike; returns whether its
        advice has changed."""
        return self.planner.doubt(share)

    def news(self) -> dict[str, dict[str, float]]:
        """The planner's new plans: scene text -> plan -> probability."""
        return self.planner.news()

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        """The state at the start of `count` episodes, to act step by step."""
        scenes, options = (
            part(count, device) for part in (self.reader.forget, self.options.initial_state)
        )
        return {**under("scenes", scenes), **under("options", options)}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        """One step of N episodes: actions (N, *A) drawn from the advice, and the new state. Without
        advice the teacher waits."""
        obs = self._seen(obs)
        scenes = self.reader.read(obs, group("scenes", state))
        program = Program(self.planner, scenes)
        proposal, carried = self._propose(obs, program, group("options", state))
        advice = self._advice(program, proposal, generator)
        step = self.options.choose(advice, obs, generator) | {"unanswered": ~advice.answered}
        return step, {**under("scenes", scenes.memory), **under("options", carried)}

    def _seen(self, obs: Tensors) -> Tensors:
        if self.narrowed or not self.sees_everything:
            return obs
        return {**obs, "image": obs["privileged"]}

    def _propose(
        self, obs: Tensors, program: "Program", state: Tensors
    ) -> tuple[Proposal, Tensors]:
        memory = program.scenes.memory
        return self.options.propose(obs, memory, program.options, program.used, state)

    def _in_order(
        self,
        obs: Tensors,
        starts: Tensor,
        program: "Program",
        state: Tensors,
    ) -> Proposal:
        """All episodes side by side, step after step, for options with a state."""
        first = starts.nonzero()[:, 0]
        lengths = torch.cat([first[1:], first.new_tensor([len(starts)])]) - first
        proposals, places = list[Proposal](), list[Tensor]()
        for time in range(int(lengths.max())):
            going = (time < lengths).nonzero()[:, 0]
            steps = first[going] + time
            memory = rows(program.scenes.memory, steps)
            used, had = program.used[steps], rows(state, going)
            proposal, carried = self.options.propose(
                rows(obs, steps), memory, program.options, used, had
            )
            put(state, going, carried)
            proposals.append(proposal)
            places.append(steps)
        return Proposal.join(proposals, torch.cat(places).argsort())

    def _advice(self, program: "Program", proposal: Proposal, generator: torch.Generator) -> Advice:
        # In each plan the first unfinished option acts.
        shape = program.plans.shape
        over = proposal.finished.gather(1, program.plans.flatten(1)).view(shape)
        first = (~over).to(torch.uint8).argmax(2, keepdim=True)
        acting = program.plans.gather(2, first)[..., 0]
        acting = torch.where(over.all(2), len(program.options), acting)
        each = torch.arange(len(acting), device=acting.device)[:, None]
        weights = program.probability
        if self.hard:
            weights = _draw(weights, generator)
        return Advice(
            actions=proposal.actions[each, acting],
            weights=weights,
            index=program.scenes.index,
            scenes=program.scenes.distinct,
            answers=program.answers,
            under_way=torch.where(over.all(2), over.shape[2], first[..., 0]),
            spread=None if proposal.spread is None else proposal.spread[each, acting],
        )


class Program:
    """The plans for S scenes, as numbers of their `options`.

    `probability` (S, plans) float32. `plans` (S, plans, length) int64; short plans are filled up
    with waits, whose number is the count of options. `used` (S, O) bool: whether an option is in a
    scene's plans.
    """

    def __init__(self, planner: Planner, scenes: Scenes) -> None:
        self.scenes = scenes
        self.answers, device = planner.answers(scenes.distinct), scenes.index.device
        self.options = list(dict.fromkeys(_options_of(self.answers)))
        probability, plans = (table.to(device) for table in _as_tables(self.answers, self.options))
        used = torch.zeros(
            len(self.answers), len(self.options) + 1, dtype=torch.bool, device=device
        )
        used.scatter_(1, plans.flatten(1), True)
        self.probability, self.plans = probability[scenes.index], plans[scenes.index]
        self.used = used[scenes.index, :-1]


def _options_of(answers: list[Answer | None]) -> list[Option]:
    return [option for answer in answers for _, plan in answer or () for option in plan]


def _as_tables(answers: list[Answer | None], options: list[Option]) -> tuple[Tensor, Tensor]:
    """Probabilities (U, plans) float32 and plans (U, plans, length) int64 of U answers, padded."""
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
    """(S, plans) probabilities -> 1 for a drawn plan per row, zeros in rows without plans."""
    answered = weight.any(1, keepdim=True)
    one = drawn(weight + ~answered, generator)[:, None]
    return torch.zeros_like(weight).scatter_(1, one, 1.0) * answered
