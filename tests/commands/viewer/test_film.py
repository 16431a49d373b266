"""Films: what a frame shows, and how long it stays."""

import io
from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from commands.viewer.film import as_gif, write_film
from commands.viewer.frames import (
    COLORS,
    HEADER,
    INK,
    MARGIN,
    OUTCOME_SIDE,
    SIDE,
    Caption,
    compose,
)
from env.episode import room as single
from env.vector import SerialEnvs
from tests.recordings import task

ACTIONS = ("left", "right", "forward")
AGENT = (255, 0, 0)


@pytest.fixture(scope="module")
def room() -> dict[str, np.ndarray]:
    make = lambda: gym.make(task("SimpleDoorKey").env_id, render_mode="rgb_array")  # noqa: E731
    rooms = SerialEnvs(lambda: single(make), 1)
    rooms.reset(seed=[3])
    return rooms.pictures()


def near(frame: Image.Image, color: tuple[int, int, int], tolerance: int = 0) -> np.ndarray:
    """(height, width) bool: where a frame has a colour."""
    pixels = np.asarray(frame.convert("RGB")).astype(int)
    return (np.abs(pixels - np.array(color)) <= tolerance).all(-1)


def test_the_outcome_fills_the_frame_and_stays(room: dict[str, np.ndarray], tmp_path: Path) -> None:
    moment = compose(room, Caption("step 1", actions=ACTIONS, bars={"teacher": [0.2, 0.3, 0.5]}))
    outcome = compose(room, Caption("success"))
    for frame, side in ((moment, SIDE), (outcome, OUTCOME_SIDE)):
        picture = np.asarray(frame)[HEADER : HEADER + side, MARGIN : MARGIN + side]
        rims = picture[0], picture[-1], picture[:, 0], picture[:, -1]
        assert all((rim < 240).all() for rim in rims)
    write_film(tmp_path / "film.mp4", [moment, moment, outcome])
    assert len(iio.imread(tmp_path / "film.mp4", plugin="FFMPEG")) == 2 + 2 * 4
    gif = Image.open(io.BytesIO(as_gif([moment, moment, outcome])))
    durations = []
    for number in range(gif.n_frames):
        gif.seek(number)
        durations.append(gif.info["duration"])
    assert durations[-1] == 2000
    assert sum(durations[:-1]) == 500


def test_the_agent_is_red_in_a_gif_too(room: dict[str, np.ndarray]) -> None:
    frame = compose(room, Caption("step 1", "Agent sees <key>", [(0.5, "explore")], ACTIONS))
    gif = Image.open(io.BytesIO(as_gif([frame])))
    assert near(gif, AGENT, 90).sum() >= near(frame, AGENT, 90).sum() / 8 > 10


@pytest.mark.parametrize("who", [["teacher"], ["teacher", "student"]])
def test_names_stand_beside_their_bars(who: list[str]) -> None:
    bars = {name: [1.0, 1.0, 1.0] for name in who}
    for action in ACTIONS:
        frame = compose({}, Caption("", actions=ACTIONS, action=action, bars=bars))
        row = SIDE // 3
        top = HEADER + ACTIONS.index(action) * row
        (name,) = np.nonzero(near(frame, INK)[top : top + row].any(1))[0][None]
        colored = np.any([near(frame, COLORS[each]) for each in who], axis=0)
        (bar,) = np.nonzero(colored[top : top + row].any(1))[0][None]
        assert abs((name.min() + name.max()) - (bar.min() + bar.max())) / 2 <= 4


def test_percentages_end_in_one_column() -> None:
    def end(p: float) -> int:
        frame = compose({}, Caption("", "", [(p, "")], ACTIONS))
        return int(np.nonzero(near(frame, INK, 60).any(0))[0].max())

    ends = {end(p) for p in (0.02, 0.22, 1.0)}
    assert max(ends) - min(ends) <= 1


def test_what_the_greys_mean_is_said(room: dict[str, np.ndarray]) -> None:
    assert list(room) == ["as the agent remembers it (light grey: not seen yet)", "as it is"]
