from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.mixture import MixedPlanner
from planner.plans import EXPLORE, PICK_UP, WAIT, Answer, Option, Plan, Planner

FIRST, SECOND, THIRD = ((Option(PICK_UP, thing),) for thing in ("key", "ball", "box"))
OTHER: Plan = (Option(EXPLORE),)
LEGAL = FIRST, SECOND, THIRD


class Fixed(Planner):
    """Knows one scene."""

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        return [((0.75, FIRST), (0.25, OTHER)) if scene == "known" else None for scene in scenes]

    def counts(self) -> dict[str, float]:
        return {"Replies": 3.0}


def legal_plans(scene: str) -> tuple[Plan, ...]:
    return LEGAL


@given(share=st.floats(0, 1))
def test_every_legal_plan_has_its_part_of_the_share(share: float) -> None:
    (answer,) = MixedPlanner(Fixed(), legal_plans, share).answers(["known"])
    assert answer
    shares = {plan: p for p, plan in answer}
    assert len(shares) == len(answer)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[FIRST] == pytest.approx((1 - share) * 0.75 + share / 3)
    assert shares.get(OTHER, 0) == pytest.approx((1 - share) * 0.25)
    for plan in (SECOND, THIRD):
        assert shares.get(plan, 0) == pytest.approx(share / 3)


def test_a_scene_without_an_answer_stays_without_one() -> None:
    answers = MixedPlanner(Fixed(), legal_plans, 0.1).answers(["unknown", "known"])
    assert [len(answer or ()) for answer in answers] == [0, 4]


def test_without_a_share_answers_stay_as_they_are() -> None:
    scenes = ["unknown", "known"]
    mixed = MixedPlanner(Fixed(), legal_plans)
    assert mixed.answers(scenes) == Fixed().answers(scenes)
    assert mixed.counts() == {"Replies": 3.0}


def test_one_that_learns_takes_the_share_that_it_is_told() -> None:
    learns = MixedPlanner(Fixed(), legal_plans, learns=True)
    assert not learns.doubt(0.0)
    assert learns.doubt(0.4)
    assert not learns.doubt(0.4)
    (answer,) = learns.answers(["known"])
    assert {plan: p for p, plan in answer or ()}[SECOND] == pytest.approx(0.4 / 3)
    fixed = MixedPlanner(Fixed(), legal_plans, 0.2)
    assert not fixed.doubt(0.4)
    assert fixed.share == 0.2


def test_waits_of_an_answer_keep_their_part() -> None:
    class Waits(Fixed):
        def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
            return [((1.0, (Option(WAIT),)),) for _ in scenes]

    (answer,) = MixedPlanner(Waits(), legal_plans, 0.5).answers(["known"])
    assert (0.5, (Option(WAIT),)) in (answer or ())
