"""Options that are held until they end, and rollouts of choices: by hand, and against loops."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.core.world_object import Key
from torch import Tensor

from algos.hierarchical import Hierarchical, fold, values
from algos.play import play
from algos.rollout import Rollout, discounted_returns, generalized_advantages
from algos.student import AVAILABLE
from env.episode import room
from env.remembered_map import Cell
from env.rooms import DoorKeyRoom
from env.symbols import DROP, FORWARD, LEFT, PICK_UP, RIGHT, TOGGLE
from env.vector import SerialEnvs
from planner.plans import GO_TO, Option
from planner.room_scene import RoomReader
from teacher.choices import Choices
from teacher.room_options import RoomOptions
from tests.choices import Script, room_choices
from utils.errors import UserError
from utils.timing import Stopwatch

CPU = torch.device("cpu")


class HandMade(DoorKeyRoom):
    """Five by five cells within walls; the agent stands at the left and looks right, to where the
    key lies, four cells away, out of sight; the door is in the wall behind, a cell to the left."""

    def choose_doors(self) -> list[Cell]:
        return [(6, 2)]

    def furnish(self, color: str) -> None:
        self.agent_pos, self.agent_dir = (1, 3), 0
        self.put_obj(Key(color), 5, 3)


def hand_made(max_steps: int = 150) -> SerialEnvs:
    size = {"min_size": 7, "max_size": 7}
    return SerialEnvs(lambda: room(lambda: HandMade(max_steps=max_steps, **size)), 1)


def played(choices: Choices, words: Sequence[str], max_steps: int = 150) -> Rollout:
    actor, draws = Hierarchical(Script(choices, words), choices), torch.Generator()
    return play(hand_made(max_steps), actor, CPU, [0], draws, Stopwatch())


def offered(choices: Choices, lesson: Rollout) -> list[set[str]]:
    return [
        {name for name, there in zip(choices.names, row, strict=True) if there}
        for row in lesson.obs[AVAILABLE].tolist()
    ]


def test_options_end_where_they_should() -> None:
    choices = room_choices()
    words = ["explore", "go to <key>", "pick up <key>", "go to <door>", "open <door>"]
    rollout = played(choices, words)
    # Two steps ahead the key comes into view; one more, and the agent stands before it, with the
    # door in view, diagonally behind. Then around the corner, to face that.
    walks = [FORWARD, FORWARD, FORWARD, PICK_UP, FORWARD, LEFT, FORWARD, RIGHT, TOGGLE]
    assert rollout.steps["action"].tolist() == walks
    assert rollout.steps["mode"].tolist() == walks
    assert rollout.steps["chosen"].tolist() == [bool(int(c)) for c in "101110001"]
    lesson = fold(rollout, 0.9)
    assert [choices.names[number] for number in lesson.steps["action"]] == words
    assert lesson.steps["duration"].tolist() == [2, 1, 1, 4, 1]
    assert lesson.steps["value"].tolist() == [0, 1, 2, 3, 4]
    assert values(rollout.steps).tolist() == [0, 0, 1, 2, 3, 3, 3, 3, 4]  # type: ignore[union-attr]
    assert torch.equal(lesson.obs["image"], rollout.obs["image"][[0, 2, 3, 4, 8]])
    # What is finished, not seen, not in reach, or not in hand is not offered; nor is waiting.
    assert offered(choices, lesson) == [
        {"explore"},
        {"explore", "go to <key>"},
        {"explore", "go to <door>", "pick up <key>"},
        {"explore", "go to <door>", "drop <key>"},
        {"explore", "open <door>"},
    ]
    assert lesson.success.tolist() == lesson.terminated.tolist() == [True]
    # 0.9 lost over 150 steps, of which it took 9.
    assert lesson.reward.tolist() == pytest.approx([0, 0, 0, 0, 1 - 0.9 * 9 / 150])
    returns = discounted_returns(lesson, torch.zeros(1), 0.9)
    last = float(lesson.reward[-1])
    assert returns.tolist() == pytest.approx([last * 0.9**steps for steps in (8, 6, 5, 4, 0)])


def test_an_option_ends_at_its_limit() -> None:
    choices = room_choices()
    choices.limits[choices.names.index("go to <door>")] = 3
    words = ["explore", "go to <key>", "pick up <key>", "go to <door>", "go to <door>"]
    lesson = fold(played(choices, words, max_steps=8), 0.9)
    assert lesson.steps["duration"].tolist() == [2, 1, 1, 3, 1]


def test_an_option_that_is_not_there_is_refused() -> None:
    choices = room_choices()
    with pytest.raises(UserError, match="an option that is not there: it has diverged"):
        played(choices, ["explore", "open <door>"])


def test_an_option_can_be_cut_off() -> None:
    choices = room_choices()
    rollout = played(
        choices, ["explore", "go to <key>", "pick up <key>", "go to <door>"], max_steps=6
    )
    lesson = fold(rollout, 0.9)
    assert lesson.steps["duration"].tolist() == [2, 1, 1, 2]
    assert lesson.terminated.tolist() == [False]
    assert torch.equal(lesson.last_obs["image"], rollout.last_obs["image"])
    # The chooser's own state alone, after its last choice: a critic goes on from there.
    assert {name: state.tolist() for name, state in lesson.last_state.items()} == {"turn": [4]}
    returns = discounted_returns(lesson, torch.ones(1), 0.9)
    assert returns.tolist() == pytest.approx([0.9**steps for steps in (6, 4, 3, 2)])


def test_what_is_dropped_can_be_taken_again_but_not_gone_to_while_it_is_held() -> None:
    choices = room_choices()
    words = ["explore", "go to <key>", "pick up <key>", "drop <key>", "pick up <key>", "explore"]
    rollout = played(choices, words, max_steps=20)
    assert rollout.steps["action"][3:6].tolist() == [PICK_UP, DROP, PICK_UP]
    seen = offered(choices, fold(rollout, 0.9))
    assert seen[4] == {"explore", "go to <door>", "pick up <key>"}
    assert all("go to <key>" not in names for names in seen[2:])


def test_where_nothing_is_to_be_done_it_waits() -> None:
    reader = RoomReader({"key": "key"})
    options = [Option(GO_TO, "key")]
    choices = Choices(options, reader, RoomOptions(reader.number, view_size=3))
    lesson = fold(played(choices, ["wait"], max_steps=4), 0.9)
    assert offered(choices, lesson) == [{"wait"}] * 4


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    """Of one to three episodes of up to eight steps, in which choices were made anywhere."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3))
    count, episodes = sum(lengths), len(lengths)

    def each(values: st.SearchStrategy[float], size: int) -> Tensor:
        return torch.tensor(draw(st.lists(values, min_size=size, max_size=size)))

    chosen = each(st.booleans(), count)
    chosen[torch.tensor([0, *lengths]).cumsum(0)[:-1]] = True
    value, numbers = each(st.floats(-2, 2, width=32), count), st.floats(-2, 2, width=32)
    steps = {"chosen": chosen, "choice/value": value, "choice/action": torch.arange(count)}
    steps |= {"choice/available": torch.ones(count, count, dtype=torch.bool)}
    if draw(st.booleans()):
        steps["duration"] = each(st.integers(1, 3), count)
    return Rollout(
        obs={"image": torch.arange(count)},
        reward=each(numbers, count).float(),
        steps=steps,
        lengths=torch.tensor(lengths),
        terminated=each(st.booleans(), episodes),
        truncated=torch.ones(episodes, dtype=torch.bool),
        success=torch.zeros(episodes, dtype=torch.bool),
        last_obs={"image": torch.zeros(episodes)},
        last_state={},
    )


def by_loop(
    rollout: Rollout, last: list[float], gamma: float, lam: float
) -> tuple[list[float], list[float]]:
    """Returns and advantages of each choice, step by step from the front."""
    returns, advantages = [], []
    ends, chosen = rollout.ends.tolist(), rollout.steps["chosen"].tolist()
    durations = rollout.steps.get("duration", torch.ones(len(rollout))).tolist()
    for step in (step for step in range(len(rollout)) if chosen[step]):
        episode = int(rollout.segment[step])
        total, advantage, passed, weight, since = 0.0, 0.0, 0, 1.0, 0
        value, worth = float(rollout.steps["choice/value"][step]), 0.0
        for now in range(step, ends[episode]):
            total += gamma**passed * float(rollout.reward[now])
            worth += gamma**since * float(rollout.reward[now])
            passed, since = passed + durations[now], since + durations[now]
            over = now + 1 == ends[episode]
            if over or chosen[now + 1]:
                after = last[episode] if over else float(rollout.steps["choice/value"][now + 1])
                advantage += weight * (worth + gamma**since * after - value)
                value, worth, weight, since = after, 0.0, weight * lam * gamma**since, 0
        returns.append(total + gamma**passed * last[episode])
        advantages.append(advantage)
    return returns, advantages


@settings(max_examples=80, deadline=None)
@given(rollout=rollouts(), gamma=st.floats(0, 1), lam=st.floats(0, 1), data=st.data())
def test_returns_and_advantages_are_semi_markov(
    rollout: Rollout, gamma: float, lam: float, data: st.DataObject
) -> None:
    after = [0.0 if over else data.draw(st.floats(-2, 2)) for over in rollout.terminated.tolist()]
    lesson, last = fold(rollout, gamma), torch.tensor(after)
    returns, advantages = by_loop(rollout, after, gamma, lam)
    assert lesson.obs["image"].tolist() == rollout.steps["chosen"].nonzero()[:, 0].tolist()
    assert int(lesson.lengths.sum()) == len(lesson) == len(returns)
    found = discounted_returns(lesson, last, gamma)
    torch.testing.assert_close(found, torch.tensor(returns), atol=1e-4, rtol=1e-4)
    found = generalized_advantages(lesson, last, gamma, lam)
    torch.testing.assert_close(found, torch.tensor(advantages), atol=1e-4, rtol=1e-4)


def test_a_rollout_with_a_choice_that_was_not_there_teaches_nothing() -> None:
    choices = room_choices()
    lesson = played(choices, ["explore"], max_steps=3)
    lesson.steps["choice/available"][:] = False
    with pytest.raises(UserError, match="an option that is not there: it has diverged"):
        fold(lesson, 0.9)
