"""The teacher: scene -> plans -> options -> one distribution over the primitive actions.

pi_T(a | s) = sum_k Pr(k | text of s) * pi_k(a | s), the planner's uncertainty over plans k mixed
over what their options do (arXiv 2311.13373, section 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from env.symbols import ACTIONS, DONE, DROP, PICK_UP, TOGGLE
from planner import plans
from planner.plans import Answer, Option, Planner
from planner.scene import NOWHERE, Scene, SceneReader, Scenes
from teacher.options import FINISHED, Maps, explore, go_to

SINGLE_ACTIONS = {
    plans.PICK_UP: PICK_UP,
    plans.DROP: DROP,
    plans.OPEN: TOGGLE,
}


@dataclass
class Labels:
    """The teacher's word on S steps.

    `distribution` (S, 7) float32 over actions, a row of zeros where the scene has no answer;
    `index` (S,) int64 of each step's scene in `scenes`, whose `answers` stand beside it.
    """

    distribution: Tensor
    index: Tensor
    scenes: list[Scene]
    answers: list[Answer | None]

    @property
    def answered(self) -> Tensor:
        """(S,) bool."""
        return self.distribution.any(1)

    def explain(self, step: int) -> tuple[str, list[tuple[float, str]]]:
        """A step's scene in words, and the plans for it with their probabilities."""
        scene = int(self.index[step])
        answer = self.answers[scene] or ()
        return self.scenes[scene].text, [(p, plans.describe(plan)) for p, plan in answer]


class PlanTeacher:
    """Follows a planner's answers; "soft" mixes all plans, `hard` draws one at each step."""

    def __init__(
        self, planner: Planner, reader: SceneReader, view_size: int, hard: bool = False
    ) -> None:
        self.planner = planner
        self.reader = reader
        self.view_size = view_size
        self.hard = hard

    def label(self, obs: Tensor, starts: Tensor, generator: torch.Generator) -> Labels:
        """Whole episodes, one after another: (S, W, H, 4) uint8 maps, `starts` (S,) bool.

        Frame stacks are welcome: their newest four channels are looked at. `generator` draws the
        plans of a hard teacher and lies on the CPU.
        """
        obs = obs[..., -4:]
        return self._label(obs, self.reader.read_episodes(obs, starts), generator)

    def counts(self) -> dict[str, float]:
        """What the planner has cost so far, by name."""
        return self.planner.counts()

    def news(self) -> dict[str, dict[str, float]]:
        """What the planner has learned by asking: scene text -> plan -> probability."""
        return self.planner.news()

    def initial_state(self, count: int, device: torch.device) -> Tensor:
        """What is remembered at the start of `count` episodes, to act step by step."""
        return self.reader.forget(count, device)

    def act(
        self, obs: Tensor, memory: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One step of N episodes: maps -> actions (N,) drawn from the labels, new memory.

        Where there is no label the teacher waits.
        """
        obs = obs[..., -4:]
        scenes, memory = self.reader.read(obs, memory)
        labels = self._label(obs, scenes, generator)
        probabilities = labels.distribution.clone()
        probabilities[~labels.answered, DONE] = 1
        action = torch.multinomial(probabilities.cpu(), 1, generator=generator)[:, 0]
        step = {
            "action": action.to(obs.device),
            "greedy": probabilities.argmax(1),
            "unanswered": ~labels.answered,
            "label": labels.distribution,
        }
        return step, memory

    def _label(self, obs: Tensor, scenes: Scenes, generator: torch.Generator) -> Labels:
        answers = self.planner.answers(scenes.distinct)
        options = list(dict.fromkeys(_options_of(answers)))
        probability, program = _as_tables(answers, options)
        probability, program = probability.to(obs.device), program.to(obs.device)

        uses = torch.zeros(len(answers), len(options) + 1, dtype=torch.bool, device=obs.device)
        uses.scatter_(1, program.flatten(1), True)
        actions = self._actions(obs, scenes, options, uses)

        # Each plan's options are tried in order: the first that is not finished acts.
        tried = actions.gather(1, program[scenes.index].flatten(1))
        tried = tried.view(len(obs), *program.shape[1:])
        first = (tried != FINISHED).to(torch.uint8).argmax(2, keepdim=True)
        chosen = tried.gather(2, first)[..., 0]
        chosen = torch.where(chosen == FINISHED, DONE, chosen)

        weight = probability[scenes.index]
        if self.hard:
            weight = _draw(weight, generator)
        distribution = torch.zeros(len(obs), len(ACTIONS), device=obs.device)
        distribution.scatter_add_(1, chosen, weight)
        return Labels(distribution, scenes.index, scenes.distinct, answers)

    def _actions(self, obs: Tensor, scenes: Scenes, options: list[Option], uses: Tensor) -> Tensor:
        """What each option would do, (S, options + 1) int64; the last column is no option."""
        maps = Maps.of(obs)
        actions = torch.full((len(obs), len(options) + 1), FINISHED, device=obs.device)
        for number, option in enumerate(options):
            steps = uses[scenes.index, number].nonzero()[:, 0]
            if option.thing is not None:
                # A thing that was not seen yet in this episode can only be waited for.
                cell = self._cell(scenes, option.thing)[steps]
                known = cell != NOWHERE
                actions[steps[~known], number] = DONE
                steps, cell = steps[known], cell[known]
            if option.verb == plans.EXPLORE:
                actions[steps, number] = explore(maps, steps, self.view_size)
            elif option.thing is None:
                actions[steps, number] = DONE
            elif option.verb == plans.GO_TO:
                actions[steps, number] = go_to(maps, steps, cell)
            else:
                actions[steps, number] = SINGLE_ACTIONS[option.verb]
        return actions

    def _cell(self, scenes: Scenes, thing: str) -> Tensor:
        """(S,) int64: where a thing was last seen; nowhere, if the task knows no such thing."""
        if thing in self.reader.number:
            return scenes.cells[:, self.reader.number[thing]]
        return torch.full_like(scenes.index, NOWHERE)


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
