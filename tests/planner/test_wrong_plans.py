"""Plans that are wrong on purpose."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.legal_plans import room_plans, world_plans
from planner.plans import DROP, EXPLORE, GO_TO, OPEN, PICK_UP, Answer, Option, Plan, Planner
from planner.rules import RulesPlanner, plan_for
from planner.uniform import UniformPlanner
from planner.world_words import SceneWords
from planner.wrong_plans import WORST, Wrong, WrongPlanner, probability
from tests.planner.test_world_words import scenes
from tests.running import ROOT

FETCH: Plan = (Option(GO_TO, "key"), Option(PICK_UP, "key"))
LEAVE: Plan = (Option(GO_TO, "door"), Option(OPEN, "door"))
STAY: Plan = (Option(DROP, "key"),)
LOOK: Plan = (Option(EXPLORE),)
MANY = [f"Scene {number}" for number in range(2000)]

wrongs = st.floats(0, 1) | st.just(WORST)
seeds = st.integers(0, 2**63 - 1)


class Says(Planner):
    """One answer to every scene."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        return [self.answer] * len(scenes)


def wrong(answer: Answer | None, share: Wrong, seed: int = 0, *legal: Plan) -> WrongPlanner:
    plans = legal or (FETCH, LEAVE, STAY)
    return WrongPlanner(Says(answer), lambda _: plans, share, seed)


def of_world(share: Wrong, seed: int = 0) -> WrongPlanner:
    return WrongPlanner(RulesPlanner(), world_plans, share, seed)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9, 1.0])
def test_about_the_share_of_the_scenes_is_wrong(share: float) -> None:
    right: Answer = ((1.0, FETCH),)
    found = sum(answer != right for answer in wrong(right, share).answers(MANY)) / len(MANY)
    # A binomial share is farther away than this once in two million times.
    assert abs(found - share) <= 5 * sqrt(share * (1 - share) / len(MANY))


@given(st.lists(scenes.map(str), unique=True, min_size=1), wrongs, seeds, st.randoms())
def test_order_and_company_of_a_scene_do_not_matter(
    texts: list[str], share: Wrong, seed: int, order: random.Random
) -> None:
    planner = of_world(share, seed)
    together = dict(zip(texts, planner.answers(texts), strict=True))
    order.shuffle(texts)
    for text in texts:
        assert of_world(share, seed).answers([text]) == [together[text]]


def test_the_same_scenes_are_wrong_in_every_process() -> None:
    code = (
        "import json; from tests.planner.test_wrong_plans import FETCH, MANY, wrong;"
        "print(json.dumps(wrong(((1.0, FETCH),), 0.5, 7).answers(MANY)))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": number, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    here = wrong(((1.0, FETCH),), 0.5, 7).answers(MANY)
    assert json.loads(outputs[0]) == json.loads(json.dumps(here))


def test_another_seed_makes_other_scenes_wrong() -> None:
    one, other = (wrong(((1.0, FETCH),), 0.5, seed).answers(MANY) for seed in (0, 1))
    assert one != other


@given(scenes, st.floats(0, 1), st.floats(0, 1), seeds)
def test_a_scene_stays_wrong_in_the_same_way_when_the_share_grows(
    scene: SceneWords, one: float, other: float, seed: int
) -> None:
    few, many = (of_world(share, seed).answers([str(scene)]) for share in sorted([one, other]))
    right = RulesPlanner().answers([str(scene)])
    assert few in (right, many)


@given(scenes, wrongs, seeds)
def test_a_wrong_plan_is_legal_or_explores_and_begins_otherwise(
    scene: SceneWords, share: Wrong, seed: int
) -> None:
    text = str(scene)
    right = plan_for(text)
    (answer,) = of_world(share, seed).answers([text])
    assert answer
    ((p, plan),) = answer
    assert p == 1
    if plan != right:
        assert plan in (*world_plans(text), LOOK)
        shorter = min(len(plan), len(right))
        assert plan[:shorter] != right[:shorter]


def test_a_plan_that_begins_as_the_likeliest_is_no_alternative() -> None:
    answer: Answer = ((0.6, FETCH + LEAVE), (0.4, LOOK))
    for text in MANY[:50]:
        ((_, plan),) = wrong(answer, 1.0, 0, FETCH, LEAVE).answers([text])[0] or ()
        assert plan in (LEAVE, LOOK)


@pytest.mark.parametrize("share", [0.5, 1.0, WORST])
def test_a_scene_without_an_alternative_or_an_answer_keeps_what_it_has(share: Wrong) -> None:
    only: Answer = ((1.0, LOOK),)
    assert wrong(only, share, 0, LOOK).answers(MANY[:9]) == [only] * 9
    assert wrong(None, share).answers(MANY[:9]) == [None] * 9


def test_the_worst_plan_is_the_one_that_the_answer_finds_least_probable() -> None:
    answer: Answer = ((0.5, FETCH), (0.2, LEAVE), (0.1, STAY), (0.2, LOOK))
    assert wrong(answer, WORST).answers(MANY) == [((1.0, STAY),)] * len(MANY)
    tied: Answer = ((0.5, FETCH), (0.3, LEAVE), (0.1, STAY), (0.1, LOOK))
    # The first of equal ones, whatever the scene and the seed.
    found = {answer for seed in (0, 1) for answer in wrong(tied, WORST, seed).answers(MANY)}
    assert found == {((1.0, STAY),)}


def test_probabilities_of_plans_that_begin_alike_count_together() -> None:
    answer: Answer = ((0.5, FETCH + LEAVE), (0.2, FETCH), (0.3, LEAVE))
    assert probability(FETCH, answer) == pytest.approx(0.7)
    assert probability(STAY, answer) == 0


def test_the_control_can_be_wrong_too() -> None:
    kinds = {"key": 5, "door": 4}
    planner = UniformPlanner(lambda scene: room_plans(scene, kinds))
    scene = "Agent sees <key>, <door>, holds <nothing>."
    (answer,) = WrongPlanner(planner, planner.legal_plans, 1.0, 0).answers([scene])
    assert answer == ((1.0, LOOK),)


def test_the_planner_behind_it_says_what_it_costs() -> None:
    class Costly(Says):
        def counts(self) -> dict[str, float]:
            return {"Requests": 3}

        def news(self) -> dict[str, dict[str, float]]:
            return {"Scene": {"explore": 1.0}}

        def problem(self) -> str:
            return "no answer"

    planner = WrongPlanner(Costly(None), lambda _: (LOOK,), 0.5, 0)
    assert planner.counts() == {"Requests": 3}
    assert planner.news() == {"Scene": {"explore": 1.0}}
    assert planner.problem() == "no answer"
