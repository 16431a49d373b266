from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from torch import Tensor

from algos.play import Uniform, play
from commands.build import Parts
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from env.packed_maps import flood, pack, pack_cell, touched
from env.symbols import CARRIED, DONE, KEY, TYPES, WALL
from planner.home_scene import HomeReader, in_words
from planner.legal_plans import MOST, home_plans, room_plans, world_plans
from planner.plan_parser import parse_plan
from planner.plans import DROP, EXPLORE, GO_TO, OPEN, WAIT, Option, Plan, describe
from planner.task import load_task, task_names
from planner.uniform import UniformPlanner
from planner.world_scene import WorldReader
from planner.world_words import PUT, SceneWords
from teacher.surroundings import is_any
from tests.planner.test_world_words import scenes
from utils.tensors import Tensors
from utils.timing import Stopwatch

IDS = [
    "MiniGrid-DoorKey-6x6-v0",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-ObstructedMaze-1Dlhb-v0",
    "BabyAI-GoToSeqS5R2-v0",
    "BabyAI-OpenDoorsOrderN4-v0",
    "BabyAI-PutNextS6N3Carrying-v0",
    "BabyAI-UnlockToUnlock-v0",
]
EPISODES, STEPS = 6, 150
KINDS = {"door": TYPES["door"], "key": KEY, "box": TYPES["box"]}


class State(NamedTuple):
    """A state of an episode, and a legal plan of its scene.

    `action` is what the plan does there (rooms), and `is_over` says whether all of its options are
    finished. `cell` is where the thing of its first option was last seen.
    """

    scene: str
    plan: Plan
    action: Tensor
    is_over: bool
    image: Tensor | None
    cell: Tensor | None


def played(name: str) -> Iterator[State]:
    """All legal plans in all states of episodes with random actions, and with legal plans drawn
    alike."""
    settings = fresh_settings({"task": load_task(name), "device": "cpu"})
    with ExitStack() as owned:
        parts = Parts(make_config(settings, "settings"), owned)
        teacher = parts.domain.teacher(UniformPlanner(parts.domain.legal_plans))
        environments = parts.domain.single_environments(EPISODES)
        network = parts.network()
        for actor in (Uniform(network.actions, network.continuous), teacher):
            draws, seeds = torch.Generator().manual_seed(0), list(range(EPISODES))
            rollout = play(
                *(environments, actor, torch.device("cpu"), seeds, draws, Stopwatch()), limit=STEPS
            )
            advice = teacher.advise(rollout.obs, rollout.starts, draws)
            memory = teacher.reader.read_episodes(rollout.obs, rollout.starts).memory
            for step, scene in enumerate(advice.index.tolist()):
                for number, (_, plan) in enumerate(advice.answers[scene]):
                    yield State(
                        advice.scenes[scene],
                        plan,
                        advice.actions[step, number],
                        int(advice.under_way[step, number]) >= len(plan),
                        *image_and_cell(rollout.obs, memory, step, plan, teacher.reader),
                    )


def image_and_cell(
    obs: Tensors, memory: Tensors, step: int, plan: Plan, reader: object
) -> tuple[Tensor | None, Tensor | None]:
    if isinstance(reader, HomeReader):
        return None, None
    thing = plan[0].thing
    cell = memory["cells"][step, reader.number[thing]] if thing else None
    return obs["image"][step], cell


def is_shut_off(image: Tensor, cell: Tensor) -> bool:
    """Whether keys, balls and boxes, not walls, keep the agent from a cell of a room's map."""
    kind, height = image[None, ..., 0], image.shape[1]
    movable = is_any(kind, *CARRIED)
    agent = pack_cell((image[..., 3].flatten().argmin())[None], height, pack(movable))
    solid = is_any(kind, WALL, TYPES["door"], TYPES["unseen"])
    place = pack_cell(cell[None], height, agent)
    ways = (flood(pack(~(solid | movable)), agent), flood(pack(~solid), agent))
    shut, would_be_open = ((touched(cells) & place).any() for cells in ways)
    return bool(would_be_open and not shut)


@pytest.mark.parametrize("name", [*task_names(), *IDS])
def test_no_legal_plan_waits(name: str) -> None:
    """But exploring, where all was seen, and a walk in a room whose way another thing blocks: the
    words of rooms do not tell of ways."""
    acted = shut_off = 0
    for state in played(name):
        assert all(option.verb != WAIT for option in state.plan)
        if state.plan == (Option(EXPLORE),) and state.is_over:
            continue
        assert not state.is_over, (state.scene, describe(state.plan))
        if state.image is None:
            continue
        acted += 1
        if state.action == DONE:
            assert load_task(name).domain.kind == "minigrid", (state.scene, describe(state.plan))
            assert state.plan[0].verb == GO_TO
            assert is_shut_off(state.image, state.cell)
            shut_off += 1
    assert shut_off <= 0.02 * acted
    assert acted or name == "NavPick"


@pytest.mark.parametrize(
    ("scene", "plans"),
    {
        "Agent sees <nothing>, holds <nothing>.": ["explore"],
        "Agent sees <nothing>, holds <key>.": ["explore"],
        "Agent sees <door>, holds <nothing>.": ["explore"],
        "Agent sees <key>, <door>, holds <nothing>.": ["go to <key>, pick up <key>", "explore"],
        "Agent sees <door>, holds <key>.": ["go to <door>, open <door>", "explore"],
        "Agent sees <box>, <key>, <key>, holds <nothing>.": [
            "go to <box>, pick up <box>",
            "go to <box>, open <box>",
            "go to <key>, pick up <key>",
            "explore",
        ],
        "Agent sees <box>, <door>, holds <key>.": [
            "drop <key>, go to <box>, pick up <box>",
            "go to <box>, open <box>",
            "go to <door>, open <door>",
            "explore",
        ],
    }.items(),
)
def test_legal_plans_in_rooms(scene: str, plans: list[str]) -> None:
    assert [*map(describe, room_plans(scene, KINDS))] == plans


def test_a_room_without_keys_has_doors_that_open_at_once() -> None:
    plans = room_plans("Agent sees <door>, holds <nothing>.", {"door": TYPES["door"]})
    assert [*map(describe, plans)] == ["go to <door>, open <door>", "explore"]


def test_a_list_is_bounded_and_keeps_exploring() -> None:
    names = [f"{number} key" for number in range(30)]
    scene = f"Agent sees {', '.join(f'<{name}>' for name in names)}, holds <nothing>."
    plans = room_plans(scene, dict.fromkeys(names, KEY))
    assert len(plans) == MOST
    assert plans[-1] == (Option(EXPLORE),)


def test_legal_plans_in_homes() -> None:
    fetch, pick_up = "go to <object>, pick up <object>", "pick up <object>"
    for near, held, plans in (
        (False, False, [fetch]),
        (True, False, [fetch, pick_up]),
        (True, True, [pick_up]),
    ):
        scene = in_words(near, faced=True, bumped=False, held=held)
        assert [*map(describe, home_plans(scene))] == plans


@pytest.mark.parametrize(
    ("scene", "plans"),
    {
        "go to the object. Agent sees <object>, holds <nothing>.": [
            "go to <object>",
            "go to <object>, pick up <object>",
        ],
        "go to the goal. Agent sees <goal>, holds <thing>.": ["go to <goal>"],
        "go to the goal. Agent sees <nothing>, holds <thing>.": [
            "drop <thing>, explore",
            "explore",
        ],
        "pick up the object. Agent sees <nothing>, holds <object>.": [
            "drop <object>, go to <object>, pick up <object>"
        ],
        "pick up the object. Agent sees <obstacle>, holds <nothing>.": [
            "go to <obstacle>, pick up <obstacle>",
            "explore",
        ],
        "open the door. Agent sees <locked door>, <box>, holds <nothing>.": [
            "go to <box>, pick up <box>",
            "go to <box>, open <box>",
            "explore",
        ],
        "open the door. Agent sees <locked door>, holds <key>.": [
            "go to <locked door>, open <locked door>"
        ],
        "open the door. Agent sees <locked door>, holds <thing>.": [
            "drop <thing>, explore",
            "explore",
        ],
        "put the object next to the door. Agent sees <door>, holds <object>.": [
            "drop <object> next to <door>"
        ],
        "put the object next to the door. Agent sees <locked door>, <key>, holds <object>.": [
            "drop <object>, go to <key>, pick up <key>"
        ],
    }.items(),
)
def test_legal_plans_in_worlds(scene: str, plans: list[str]) -> None:
    assert [*map(describe, world_plans(f"Mission: {scene}"))] == plans


@given(scenes)
def test_any_scene_of_a_world_has_some_plans_of_what_it_names(scene: SceneWords) -> None:
    plans = world_plans(str(scene))
    assert 1 <= len(plans) <= MOST
    assert len({*plans}) == len(plans)
    for plan in plans:
        for number, option in enumerate(plan):
            assert option.verb != WAIT
            assert {option.thing, option.other} <= {*scene.sees, scene.holds, None}
            # What is held is dropped only if something follows, or where the mission wants it.
            follows = number + 1 < len(plan)
            wanted = scene.verb == PUT and option.other == scene.other
            assert option.verb != DROP or follows or wanted
            if option.verb == OPEN and "locked" in str(option.thing):
                assert scene.holds == "key"
        assert parse_plan(describe(plan), WorldReader().nouns()) == plan


@given(scenes)
def test_the_control_takes_every_legal_plan_alike(scene: SceneWords) -> None:
    (answer,) = UniformPlanner(world_plans).answers([str(scene)])
    assert answer
    assert [plan for _, plan in answer] == [*world_plans(str(scene))]
    assert {p for p, _ in answer} == {1 / len(answer)}
