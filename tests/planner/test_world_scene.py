"""Scenes of maps drawn by hand, and of maps from play.

A drawn cell is two characters: "# " a wall, "  " not seen, ". " free, "G " a goal, "~ " lava, "> "
the agent; "k", "b", "x" a key, a ball, a box, and "_", "D", "L" an open, closed, locked door, each
with the first letter of its colour (w for grey). "^r" is an agent with a red ball in its hand.
"""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from env.missions import MOST_CLAUSES, to_numbers
from env.remembered_map import Cell
from env.symbols import BALL, BOX, DOOR, EMPTY, GOAL, KEY, LAVA, NO_AGENT, UNSEEN, WALL
from env.worlds import make_world
from planner.room_scene import NOWHERE
from planner.rules import RulesPlanner
from planner.world_scene import WorldReader
from teacher.teacher import PlanTeacher
from teacher.world_options import WorldOptions
from tests.planner.plain_world_reader import Plain

KINDS = {
    **{"#": WALL, " ": UNSEEN, ".": EMPTY, "G": GOAL, "~": LAVA},
    **{"k": KEY, "b": BALL, "x": BOX, "_": DOOR, "D": DOOR, "L": DOOR},
}
COLORS, STATES, HEADINGS = "rgbpyw", "_DL", ">v<^"


def drawn(mission: str, picture: list[str], done: int = 0) -> dict[str, np.ndarray]:
    """The observation of a map. The agent stands where it started; so many clauses are done."""
    width, height = len(picture[0]) // 2, len(picture)
    image, start = np.zeros((width, height, 4), np.uint8), np.zeros(3, np.uint8)
    image[..., 3] = NO_AGENT
    for x, y in np.ndindex(width, height):
        sign, color = picture[y][2 * x : 2 * x + 2]
        image[x, y, 1] = max(COLORS.find(color), 0)
        image[x, y, 2] = max(STATES.find(sign), 0)
        if sign in HEADINGS:
            image[x, y, 0] = EMPTY if color == " " else BALL
            image[x, y, 3] = HEADINGS.index(sign)
            start[:] = x, y, HEADINGS.index(sign)
        else:
            image[x, y, 0] = KINDS[sign]
    clauses = np.arange(MOST_CLAUSES) < done
    obs = {"image": image, "mission": to_numbers(mission), "start": start}
    return obs | {"done": clauses.astype(np.uint8)}


def read(obs: dict[str, np.ndarray]) -> list[tuple[str, dict[str, Cell]]]:
    """The text of each scene, and the cells of the things that it names."""
    reader = WorldReader()
    scenes = reader.read({name: torch.tensor(each) for name, each in obs.items()}, {})
    height = obs["image"].shape[2]
    named = [
        {
            name: divmod(cell, height)
            for name, cell in zip(reader.vocabulary, cells, strict=True)
            if cell != NOWHERE
        }
        for cells in scenes.memory["cells"].tolist()
    ]
    texts = [scenes.distinct[number] for number in scenes.index]
    return list(zip(texts, named, strict=True))


def scene(mission: str, picture: list[str], done: int = 0) -> tuple[str, dict[str, Cell]]:
    obs = drawn(mission, picture, done)
    ((text, cells),) = read({name: each[None] for name, each in obs.items()})
    return text.removeprefix("Mission: "), cells


ROOM = [
    "# # # # # # # ",
    "# . kr. # . # ",
    "# > . brLrxb# ",
    "# . xg. # . # ",
    "# # # # # # # ",
]
"""The ball keeps the agent from the locked door; behind it is a box."""


def without(picture: list[str], *things: str) -> list[str]:
    return [re.sub("|".join(things), ". ", row) for row in picture]


def test_the_nearest_thing_that_the_mission_means_is_told() -> None:
    text, cells = scene("pick up a ball", ["# # # # # ", "# br> bg# ", "# . . by# ", "# # # # # "])
    assert text == "pick up the object. Agent sees <object>, holds <nothing>."
    # Of two that are as near the first by place counts.
    assert cells == {"object": (1, 1)}


def test_a_thing_on_a_long_free_way_counts_before_a_near_one_on_an_unknown_way() -> None:
    wall, lane = "# " * 61, "# " + ". " * 59 + "# "
    walls = [wall[:2] + ". " + wall[4:], wall[:-4] + ". # "]
    lanes = [row for number in range(28) for row in (lane, walls[(number + 1) % 2])]
    near = ["# br" + "# " * 59, "#   " + "# " * 59]
    ball = "# br" + ". " * 58 + "# "
    picture = [wall, *near, lane.replace(". ", "> ", 1), *lanes[1:], ball, wall]
    assert scene("pick up a ball", picture)[1] == {"object": (1, len(picture) - 2)}


def test_a_color_and_a_place_are_meant() -> None:
    row = ["# # # # # # # ", "# bg. v br. bg# ", "# # # # # # # "]
    row = [line.ljust(16, "#")[:16] for line in row]
    assert scene("go to the green ball", row)[1] == {"object": (1, 1)}
    assert scene("go to a ball on your left", row)[1] == {"object": (4, 1)}
    assert scene("go to the ball on your right", row)[1] == {"object": (1, 1)}


def test_what_helps_is_told_only_if_there_is_no_other_way() -> None:
    assert scene("go to the red key", ROOM)[0] == (
        "go to the object. Agent sees <object>, holds <nothing>."
    )
    text, cells = scene("pick up the blue box", without(ROOM, "br"))
    assert text == ("pick up the object. Agent sees <locked door>, <key>, holds <nothing>.")
    assert cells == {"locked door": (4, 2), "key": (2, 1)}


def test_what_blocks_the_way_to_a_locked_door_is_an_obstacle() -> None:
    text, cells = scene("pick up the blue box", ROOM)
    assert text == ("pick up the object. Agent sees <key>, <obstacle>, holds <nothing>.")
    assert cells == {"key": (2, 1), "obstacle": (3, 2)}


def test_of_two_locked_doors_the_one_with_the_nearer_key_counts() -> None:
    rows = ["# # # # # # # # ", "Lr. . . > . Lb# ", "# kb. . . kr# # ", "# # # # # # # # "]
    assert scene("pick up a ball", rows)[1] == {"locked door": (0, 1), "key": (5, 2)}


def test_a_box_may_hold_the_key_unless_the_mission_needs_the_box() -> None:
    room = without(ROOM, "kr", "br")
    text, cells = scene("open the red door", room)
    assert text == "open the door. Agent sees <locked door>, <box>, holds <nothing>."
    assert cells == {"locked door": (4, 2), "box": (2, 3)}
    # Of both boxes the green one is needed later, and the blue one is behind the door.
    text, cells = scene("open the red door, then pick up the green box", room)
    assert text == "open the door. Agent sees <locked door>, holds <nothing>."
    assert cells == {"locked door": (4, 2)}
    text, _ = scene("open the red door, then pick up a box", room)
    assert text == "open the door. Agent sees <locked door>, holds <nothing>."


def test_the_first_clause_that_is_not_done_counts() -> None:
    mission = "go to the red key, then pick up the green box"
    assert scene(mission, ROOM)[0].startswith("go to the object.")
    assert scene(mission, ROOM, done=1)[0].startswith("pick up the object.")
    assert scene(mission, ROOM, done=2)[0].startswith("pick up the object.")


def test_what_is_in_hand_is_told() -> None:
    room = [row.replace("> ", ">r") for row in without(ROOM, "br")]
    mission = "put the red ball next to the green box"
    text, cells = scene(mission, room)
    assert text == (
        "put the object next to another object. Agent sees <another object>, holds <object>."
    )
    assert cells == {"another object": (2, 3), "object": (1, 2)}
    text, cells = scene("go to the red key", room)
    assert text == "go to the object. Agent sees <object>, holds <thing>."
    assert cells == {"object": (2, 1), "thing": (1, 2)}


def test_a_thing_is_put_next_to_another_after_it_was_picked_up() -> None:
    mission = "put the red ball next to the green box"
    text, cells = scene(mission, ROOM)
    assert text == "pick up the object. Agent sees <object>, holds <nothing>."
    assert cells == {"object": (3, 2)}


@pytest.mark.parametrize("held", [" ", "r"])
def test_a_thing_with_no_room_beside_it_is_moved_before_another_is_put_there(held: str) -> None:
    rows = ["# # # # # # # ", "# br# # . . # ", f"# >{held}. _gkb. # ", "# # # # . . # "]
    text, cells = scene("put a red ball next to the blue key", rows)
    assert "<obstacle>" in text
    assert cells["obstacle"] == (4, 2)
    moved = [row.replace("kb. ", ". kb") for row in rows]
    assert "<obstacle>" not in scene("put a red ball next to the blue key", moved)[0]


def test_the_room_of_the_start_ends_at_a_doorway_in_which_the_agent_stands() -> None:
    rows = ["# # # # # # ", "# . _r. Dr# ", "# # #   # # "]
    obs = drawn("open the door in front of you", rows)
    obs["image"][2, 1, :], obs["start"] = (EMPTY, 0, 0, 0), np.array([1, 1, 0], np.uint8)
    ((_, cells),) = read({name: each[None] for name, each in obs.items()})
    assert cells == {}


def test_cells_that_were_not_seen_may_be_a_way_but_lava_is_none() -> None:
    for between, found in (("  ", {"goal": (3, 1)}), ("~ ", {})):
        picture = ["# # # # # ", f"# > {between}G # ", "# # # # # "]
        assert scene("avoid the lava and get to the green goal square", picture)[1] == found


def test_the_matching_object_is_the_farther_one_of_a_pair() -> None:
    picture = ["# # # # # ", "# bg. kg# ", "# . > . # ", "# . . bg# ", "# # # # # "]
    mission = "go to the matching object at the end of the hallway"
    assert scene(mission, picture)[1] == {"object": (3, 3)}
    assert scene(mission, without(picture, "kg", "bg"))[1] == {}


IDS = [
    "BabyAI-BossLevel-v0",
    "BabyAI-KeyInBox-v0",
    "BabyAI-MiniBossLevel-v0",
    "BabyAI-PutNextS5N2Carrying-v0",
    "BabyAI-SynthS5R2-v0",
    "BabyAI-Unlock-v0",
    "BabyAI-UnlockToUnlock-v0",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-LavaCrossingS9N1-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-ObstructedMaze-2Dlhb-v1",
]


def played(env_id: str, steps: int) -> dict[str, np.ndarray]:
    """What an agent sees that heeds the rules in two of three steps."""
    world, random, reader = make_world(env_id), np.random.default_rng(0), WorldReader()
    teacher, cpu = (
        PlanTeacher(RulesPlanner(), reader, WorldOptions(reader.number)),
        torch.device("cpu"),
    )
    seen, over = [], True
    for step in range(steps):
        if over:
            observation, _ = world.reset(seed=step)
        seen.append(observation)
        batch = {name: torch.tensor(values)[None] for name, values in observation.items()}
        advised, _ = teacher.act(batch, teacher.initial_state(1, cpu), torch.Generator())
        action = int(advised["mode"]) if random.random() < 2 / 3 else int(random.choice(6))
        observation, _, ended, cut, _ = world.step(action)
        over = ended or cut
    return {name: np.stack([each[name] for each in seen]) for name in seen[0]}


@pytest.mark.parametrize("env_id", IDS)
def test_a_batch_from_play_is_read_like_each_observation_by_itself(env_id: str) -> None:
    rows = played(env_id, 150)
    for step, found in enumerate(read(rows)):
        assert found == Plain({name: values[step] for name, values in rows.items()}).read()


MISSIONS = [
    "go to the red ball",
    "go to the door on your left",
    "pick up a box",
    "pick up the key in front of you",
    "get to the green goal square",
    "open the door",
    "open the red door and pick up a blue box",
    "put the red ball next to a box",
    "put a key behind you next to the blue door",
    "go to the matching object at the end of the hallway",
]
SIGNS = [*[". "] * 7, "  ", "  ", "# ", "# ", "~ ", "G "]
SIGNS += [sign + color for sign in "kbx_DL" for color in "rb"]


@st.composite
def observations(draw: st.DrawFn) -> dict[str, np.ndarray]:
    width, height = draw(st.integers(3, 7)), draw(st.integers(3, 7))
    signs = draw(st.lists(st.sampled_from(SIGNS), min_size=width * height, max_size=width * height))
    agent = draw(st.sampled_from(HEADINGS)) + draw(st.sampled_from(" rb"))
    signs[draw(st.integers(0, width * height - 1))] = agent
    rows = ["".join(signs[row * width : (row + 1) * width]) for row in range(height)]
    return drawn(draw(st.sampled_from(MISSIONS)), rows)


@settings(max_examples=300, deadline=None)
@given(observations())
def test_any_map_is_read_like_the_plain_reader_does(obs: dict[str, np.ndarray]) -> None:
    assert read({name: each[None] for name, each in obs.items()}) == [Plain(obs).read()]
