"""Navigate and Pick, by rule and learned, and a teacher that mixes them."""

from functools import cache

import pytest
import torch
from torch import Tensor

from algos.evaluator import evaluate
from algos.play import play
from algos.rollout import Rollout
from env.nav_pick.robot_state import (
    ACTIONS,
    GRIP,
    HOLDING,
    OBJECT,
    STATE_SIZE,
    is_faced,
    is_held,
    is_near,
)
from planner.home_scene import THING, HomeReader, in_words
from planner.plans import GO_TO, PICK_UP, Option
from planner.recorded_plans import RecordedPlanner
from planner.task import load_task
from teacher.home_options import (
    LEAST_SPREAD,
    RULES,
    HomeOptions,
    Policy,
    Scripted,
    navigate,
    pick,
    waiting,
)
from teacher.teacher import PlanTeacher
from tests.env.nav_pick.pilot import make
from utils.tensors import Tensors, rows
from utils.timing import Stopwatch

CPU = torch.device("cpu")
BOTH = [Option(GO_TO, THING), Option(PICK_UP, THING)]


class Counting:
    """A policy that does how many steps it has done, with a spread of a tenth of that."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {"done": torch.zeros(count, 1)}

    def act(self, obs: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        mean = state["done"].expand(-1, len(ACTIONS))
        return {"mean": mean, "spread": mean / 10}, {"done": state["done"] + 1}


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def home_teacher(
    policies: dict[str, Policy] | None = None, hard: bool = False, **plans: dict[str, float]
) -> PlanTeacher:
    options = HomeOptions(policies or {name: Scripted(rule) for name, rule in RULES.items()})
    planner = RecordedPlanner(plans or load_task("NavPick").plans, (THING,))
    return PlanTeacher(planner, HomeReader(), options, hard)


def succeeded(teacher: PlanTeacher, **options: object) -> float:
    """The share of 200 episodes in layouts of their own."""
    homes = make(100, **options)
    outcome = evaluate(homes, teacher, list(range(200)), draws(), CPU)
    return sum(outcome.success) / 200


@cache
def rollout() -> Rollout:
    """Four episodes in which the teacher acts."""
    return play(make(4), home_teacher(), CPU, [1, 2, 3, 4], draws(), Stopwatch())


def states(*objects: tuple[float, float], held: bool = False) -> Tensors:
    state = torch.zeros(len(objects), STATE_SIZE)
    state[:, OBJECT] = torch.tensor([[x, y, 0.7] for x, y in objects])
    state[:, HOLDING] = float(held)
    return {"state": state, "privileged": torch.zeros(len(objects), 6)}


@pytest.mark.parametrize("subtask", ["navigate", "pick"])
def test_each_scripted_option_succeeds_alone_in_unseen_layouts(subtask: str) -> None:
    assert succeeded(home_teacher(), first_layout=10, subtask=subtask) >= 0.95


def test_both_together_solve_the_task_and_noise_is_a_handicap() -> None:
    assert succeeded(home_teacher(), first_layout=10) >= 0.95
    noisy = {"navigate": Scripted(navigate, 2.0), "pick": Scripted(pick, 1.0)}
    assert 0.2 < succeeded(home_teacher(dict(noisy)), first_layout=10) < 0.9


def test_a_hard_teacher_solves_the_task_too() -> None:
    assert succeeded(home_teacher(hard=True), first_layout=10) >= 0.9


def test_advice_is_a_mixture_of_gaussians_that_are_not_narrow() -> None:
    obs, starts = rollout().obs, rollout().starts
    advice = home_teacher().advise(obs, starts, draws())
    steps, plans = advice.weights.shape
    assert advice.actions.shape == (steps, plans, len(ACTIONS))
    assert advice.spread is not None
    assert advice.spread.shape == advice.actions.shape
    assert advice.spread.min() == pytest.approx(LEAST_SPREAD)
    torch.testing.assert_close(advice.weights.sum(1), torch.ones(steps))
    best = advice.actions[torch.arange(steps), advice.weights.argmax(1)]
    near = is_near(obs["state"]) & is_faced(obs["state"]) | is_held(obs["state"])
    torch.testing.assert_close(best[near], pick(obs)[near])
    torch.testing.assert_close(best[~near], navigate(obs)[~near])


def test_to_wait_keeps_hold_of_what_is_held() -> None:
    assert waiting(states((2.0, 0.0)))[0].tolist() == [0, 0, 0, 0, 0, -1]
    assert waiting(states((2.0, 0.0), held=True))[0].tolist() == [0, 0, 0, 0, 0, 1]


def test_without_an_answer_the_teacher_waits() -> None:
    teacher = home_teacher(**{in_words(True, True, False, False): {"pick up <object>": 1.0}})
    obs = states((3.0, 0.0), (0.5, 0.0))
    step, _ = teacher.act(obs, teacher.initial_state(2, CPU), draws())
    assert step["unanswered"].tolist() == [True, False]
    assert step["action"][0].tolist() == step["mode"][0].tolist() == [0, 0, 0, 0, 0, -1]
    assert step["mode"][1, GRIP] == 1
    assert not step["advised"][0].any()


def test_a_word_that_homes_do_not_know_is_a_wait() -> None:
    options = HomeOptions({name: Scripted(rule) for name, rule in RULES.items()})
    used = torch.ones(1, 1, dtype=torch.bool)
    obs = states((3.0, 0.0))
    proposal, _ = options.propose(obs, {}, [Option("open", THING)], used, {})
    assert torch.equal(proposal.actions[:, 0], waiting(obs))
    assert proposal.finished.tolist() == [[False, True]]


def acting(teacher: PlanTeacher, played: Rollout) -> Tensor:
    """What is advised to who goes through recorded episodes step by step, (S, 6)."""
    first = (played.ends - played.lengths).tolist()
    advised = torch.zeros(len(played), len(ACTIONS))
    for begin, length in zip(first, played.lengths.tolist(), strict=True):
        state = teacher.initial_state(1, CPU)
        for place in range(begin, begin + length):
            step, state = teacher.act(rows(played.obs, torch.tensor([place])), state, draws())
            advised[place] = step["advised"][0]
    return advised


@pytest.mark.parametrize("limit", [None, 5])
def test_what_options_remember_is_the_same_in_whole_episodes_and_step_by_step(
    limit: int | None,
) -> None:
    policies: dict[str, Policy] = {"navigate": Counting(limit), "pick": Counting(limit)}
    teacher, played = home_teacher(policies), rollout()
    advice = teacher.advise(played.obs, played.starts, draws())
    whole = (advice.weights[..., None] * advice.actions).sum(1)
    torch.testing.assert_close(whole, acting(teacher, played))


def test_an_option_begins_anew_when_it_is_set_to_work_and_ends_at_its_limit() -> None:
    options = HomeOptions({"navigate": Counting(2), "pick": Counting(2)})
    far, near = (3.0, 0.0), (0.5, 0.0)
    state, used = options.initial_state(1, CPU), torch.ones(1, 2, dtype=torch.bool)
    told = []
    for place in (far, far, far, near, near, near, far, near):
        proposal, state = options.propose(states(place), {}, BOTH, used, state)
        told.append(
            [(float(proposal.actions[0, i, 0]), bool(proposal.finished[0, i])) for i in (0, 1)]
        )
    walks, picks = zip(*told, strict=True)
    assert walks[:3] == ((0, False), (1, False), (2, True))
    assert all(finished for _, finished in walks[3:6])
    assert walks[6] == (0, False)
    assert picks == (
        *[(0, False)] * 3,
        *[(0, False), (1, False), (2, True)],
        *[(0, False), (0, False)],
    )
