import numpy as np
import pytest
import torch

from env.symbols import COLORS, DOOR, KEY, NO_AGENT
from planner.room_scene import NOWHERE, RoomReader
from tests.recordings import TASKS, recording, task
from utils.errors import UserError


def blank(width: int = 6, height: int = 5, agent: tuple[int, int] = (0, 0)) -> np.ndarray:
    obs = np.zeros((width, height, 4), np.uint8)
    obs[..., 3] = NO_AGENT
    obs[agent][3] = 0
    return obs


@pytest.mark.parametrize("name", TASKS)
def test_every_recorded_text_is_reproduced(name: str) -> None:
    rows = recording(name)
    reader = RoomReader(task(name).domain.names)
    scenes = reader.read_episodes(
        {"image": torch.tensor(rows["obs"])}, torch.tensor(rows["t"] == 0)
    )
    texts = np.array(scenes.distinct)
    np.testing.assert_array_equal(texts[scenes.index], rows["text"][rows["text_index"]])


@pytest.mark.parametrize("name", TASKS)
def test_acting_step_by_step_remembers_the_same_as_reading_whole_episodes(name: str) -> None:
    rows = recording(name)
    reader, obs = RoomReader(task(name).domain.names), torch.tensor(rows["obs"])
    whole = reader.read_episodes({"image": obs}, torch.tensor(rows["t"] == 0))
    memory = reader.forget(1, obs.device)
    for i in range(600):
        if rows["t"][i] == 0:
            memory = reader.forget(1, obs.device)
        scenes = reader.read({"image": obs[i : i + 1]}, memory)
        memory = scenes.memory
        assert scenes.distinct == [whole.distinct[whole.index[i]]]
        assert torch.equal(memory["cells"][0], whole.memory["cells"][i])


def test_a_thing_that_was_picked_up_is_remembered_where_it_lay() -> None:
    lying, held = blank(), blank()
    lying[3, 2, :3] = KEY, 0, 0
    held[0, 0, :3] = KEY, 0, 0
    reader = RoomReader({"key": "key"})
    obs = torch.tensor(np.stack([blank(), lying, held, held]))
    scenes = reader.read_episodes({"image": obs}, torch.tensor([True, False, False, True]))
    texts = [scenes.distinct[i] for i in scenes.index]
    assert texts[1] == "Agent sees <key>, holds <nothing>."
    assert texts[2] == texts[3] == "Agent sees <nothing>, holds <key>."
    assert scenes.memory["cells"][:, 0].tolist() == [NOWHERE, 3 * 5 + 2, 3 * 5 + 2, NOWHERE]


def test_numbered_names_go_by_place_and_the_rest_stays_unnamed() -> None:
    obs = blank()
    for x, y in ((4, 1), (2, 3), (2, 1)):
        obs[x, y, :3] = DOOR, 0, 2
    reader = RoomReader({"door": ["door1", "door2"]})
    scenes = reader.read_episodes({"image": torch.tensor(obs)[None]}, torch.tensor([True]))
    assert scenes.distinct[0] == "Agent sees <door1>, <door2>, holds <nothing>."
    assert scenes.memory["cells"].tolist() == [[2 * 5 + 1, 2 * 5 + 3]]


def test_colours_and_order_are_told() -> None:
    obs = blank(agent=(1, 1))
    obs[1, 1, :3] = KEY, COLORS["red"], 0
    obs[0, 0, :3] = DOOR, COLORS["green"], 2
    obs[5, 4, :3] = KEY, COLORS["yellow"], 0
    reader = RoomReader({"key": "{color} key", "door": "{color} door"})
    scenes = reader.read_episodes({"image": torch.tensor(obs)[None]}, torch.tensor([True]))
    text = scenes.distinct[0]
    assert text == "Agent sees <yellow key>, <green door>, holds <red key>."


def test_of_two_things_with_one_name_the_first_by_place_is_remembered() -> None:
    obs = blank()
    for x, y in ((4, 1), (2, 3)):
        obs[x, y, :3] = KEY, 0, 0
    reader = RoomReader({"key": "key"})
    scenes = reader.read_episodes({"image": torch.tensor(obs)[None]}, torch.tensor([True]))
    assert scenes.distinct == ["Agent sees <key>, <key>, holds <nothing>."]
    assert scenes.memory["cells"].tolist() == [[2 * 5 + 3]]


@pytest.mark.parametrize(
    "name",
    [
        "{colour} key",
        "{0.__class__}",
        "{} key",
        "{color",
        "{color!r} key",
        ["{color} door"],
    ],
)
def test_a_name_has_no_other_placeholder_than_its_colour(name: str | list[str]) -> None:
    with pytest.raises(UserError, match=r"names: .*\{color\} is the only placeholder"):
        RoomReader({"key": name})


@pytest.mark.parametrize(
    "names",
    [
        {"key": "key", "door": "key"},
        {"door": ["door1", "door1"]},
        {"key": "{color} thing", "ball": "red thing"},
    ],
)
def test_two_things_of_one_name_are_refused(names: dict[str, str | list[str]]) -> None:
    with pytest.raises(UserError, match="is the name of two things"):
        RoomReader(names)


def test_an_unknown_type_of_thing_is_refused() -> None:
    with pytest.raises(UserError, match="'kye' is not one of the types"):
        RoomReader({"kye": "key"})
