"""habitat-lab's numbers in ours and back, by hand: y is up there, and z points backwards."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from env.nav_pick.downloads import DOWNLOADS, check_downloads
from env.nav_pick.mapping import Controls, Pose, joint_moves, to_privileged, to_state
from env.nav_pick.pictures import BACKGROUND, LOW, OBJECT, ROBOT, SCALE, floor_picture
from env.nav_pick.robot_state import (
    ACTIONS,
    GRIP,
    HAND,
    OBJECT_FROM_HAND,
    OWN_JOINTS,
    OWN_OBJECT,
    PATH,
    WAYPOINT,
    action_names,
)
from env.nav_pick.robot_state import OBJECT as LAY
from env.nav_pick.stage import to_scene
from env.nav_pick.tensor_homes import NavPickHomes
from utils.errors import UserError

OURS = Controls(forward=0.05, turn=math.radians(9), hand=0.05)
THEIRS = Controls(forward=1 / 12, turn=1 / 12, hand=0.015)
BY_JOINT = Controls(forward=1 / 12, turn=1 / 12, hand=0.015, joints=7)


def pose_at(
    x: float, y: float, heading: float, hand: tuple[float, ...] = (0.5, 0, 1), turn: float = 0
) -> Pose:
    """A base at a place of a home, and a hand at a place of the base, turned upwards."""
    base = np.eye(4)
    cos, sin = math.cos(heading), math.sin(heading)
    axes = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    base[:3, :3] = to_scene(axes).T
    base[:3, 3] = to_scene(np.array([x, y, 0.1]))
    own = np.eye(4)
    own[:3, 3] = hand
    cos, sin = math.cos(turn), math.sin(turn)
    own[:3, :3] = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return Pose(base, base @ own)


def test_at_the_same_speeds_commands_are_our_own() -> None:
    told = OURS.commands(np.array([0.5, -1, 0.1, -0.2, 0.3, 0.7]))
    assert {name: part.dtype for name, part in told.items()} == dict.fromkeys(told, np.float32)
    assert told["base_vel"] == pytest.approx([0.5, -1])
    assert told["arm_action"] == pytest.approx([0.1, -0.2, 0.3])
    assert told["grip_action"].tolist() == [1]
    assert OURS.metres(np.array([-0.5, 1, 0, 0, 0, 0])) == pytest.approx(0.025)


def test_at_other_speeds_as_many_metres_and_radians_are_told() -> None:
    told = THEIRS.commands(np.array([1, 0.25, 0.15, 1, -1, 0]))
    # 5 cm are 0.6 of a twelfth of a metre, and a quarter of 9 degrees 0.0393 rad.
    assert told["base_vel"] == pytest.approx([0.6, 0.0393 * 12], abs=1e-3)
    assert told["arm_action"] == pytest.approx([0.5, 1, -1])
    assert told["grip_action"].tolist() == [-1]
    assert THEIRS.metres(np.array([1, 0, 0, 0, 0, 0])) == pytest.approx(0.05)


def test_joint_by_joint_commands_are_habitat_labs_own() -> None:
    action = np.array([0.5, -0.5, *np.linspace(-0.9, 0.9, 7), 1])
    told = BY_JOINT.commands(action)
    assert told["base_vel"] == pytest.approx([0.5, -0.5])
    assert told["arm_action"] == pytest.approx(np.linspace(-0.9, 0.9, 7))
    assert told["grip_action"].tolist() == [1]


@given(arrays(np.float64, 6, elements=st.floats(-3, 3)))
def test_no_command_is_more_than_full(action: np.ndarray) -> None:
    for controls in (OURS, THEIRS):
        assert all(np.abs(part).max() <= 1 for part in controls.commands(action).values())


def test_what_there_is_to_see_and_to_do() -> None:
    assert OURS.describe(32, 50) == NavPickHomes.describe(32, 50)
    spec = BY_JOINT.describe(32, 50)
    shapes = {name: space.shape for name, space in spec.observation.spaces.items()}
    assert shapes == {"depth": (32, 32, 1), "state": (19,), "privileged": (9,)}
    assert spec.action.shape == (10,)
    names = action_names(10)
    assert names[:3] == ("forward", "turn", "joint 1")
    assert names[-2:] == ("joint 7", "grip")
    assert names[GRIP] == "grip"
    assert action_names(6) == ACTIONS


def test_a_robot_that_looks_along_y_of_a_home() -> None:
    pose = pose_at(1, 2, math.pi / 2)
    assert pose.base[:3, 3].tolist() == [1, 0.1, -2]
    # Its x points away along the scene's -z, its y to the left.
    assert pose.base[:3, 0] == pytest.approx([0, 0, -1])
    assert pose.base[:3, 1] == pytest.approx([-1, 0, 0])
    assert pose.place.tolist() == [1, 2]
    assert pose.heading == pytest.approx(math.pi / 2)
    assert pose.seen(to_scene(np.array([1, 3, 0.7]))) == pytest.approx([1, 0])
    assert pose.seen(to_scene(np.array([0, 2, 0]))) == pytest.approx([0, 1])


@pytest.mark.parametrize("turn", [0, 0.5, math.pi / 2])
@pytest.mark.parametrize("heading", [0.0, 1.0, -2.5])
def test_the_object_is_seen_from_base_and_hand(heading: float, turn: float) -> None:
    hand, thing = (0.5, 0.1, 0.9), np.array([0.9, -0.1, 0.7])
    pose = pose_at(1, 2, heading, hand, turn)
    # As habitat-lab's sensors tell it: along the axes of the hand.
    sensed = (np.linalg.inv(pose.hand) @ pose.base @ [*thing, 1])[:3]
    flags = (1.0, 0.0, 0.25)
    state = to_state(pose, np.array(hand), sensed, flags, np.empty(0))
    assert state.dtype == np.float32
    assert state[HAND] == pytest.approx(hand)
    assert state[LAY] == pytest.approx(thing)
    assert state[OBJECT_FROM_HAND] == pytest.approx(thing - hand, abs=1e-6)
    assert state[9:].tolist() == [1, 0, 0.25]
    joined = to_state(pose, np.array(hand), sensed, flags, np.arange(7.0))
    assert joined[:12].tolist() == state.tolist()
    assert joined[OWN_JOINTS].tolist() == list(range(7))


def test_a_path_leads_to_its_first_corner_that_has_not_been_reached() -> None:
    pose = pose_at(1, 2, math.pi / 2)
    path = [to_scene(np.array([*at, 0.1])) for at in ((1, 2), (1, 2.04), (1, 3), (0, 3))]
    known = to_privileged(pose, path, 2.0, np.empty(0))
    assert known.dtype == np.float32
    assert known[:3] == pytest.approx([1, 2, math.pi / 2])
    assert known[WAYPOINT] == pytest.approx([1, 0], abs=1e-6)
    assert known[PATH] == 2
    there = to_privileged(pose, path[:2], 0.04, np.array([1.0, 2.0, 3.0]))
    assert there[WAYPOINT] == pytest.approx([0.04, 0], abs=1e-6)
    assert there[OWN_OBJECT].tolist() == [1, 2, 3]


JACOBIAN = np.array([[0.0, 0.5, 0.3, 0.0], [0.7, 0.0, 0.1, 0.0], [0.0, 0.6, 0.2, 0.5]])
"""An arm of four joints that can go anywhere."""


def moved(move: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the joints turn, and the hand with them."""
    turns = joint_moves(JACOBIAN, move, -most, most)
    return turns, JACOBIAN @ turns


def test_joints_turn_as_the_hand_is_to_move() -> None:
    wanted = np.array([0.03, -0.02, 0.01])
    _, found = moved(wanted, np.ones(4))
    assert found == pytest.approx(wanted, abs=0.002)
    assert np.abs(joint_moves(JACOBIAN, np.zeros(3), -np.ones(4), np.ones(4))).max() == 0


def test_others_take_over_from_a_joint_that_is_at_its_stop() -> None:
    wanted = np.array([0.0, 0.0, 0.05])
    turns, _ = moved(wanted, np.ones(4))
    assert turns[3] > 0.02
    most = np.array([1, 1, 1, 0.01])
    stopped, found = moved(wanted, most)
    assert stopped[3] == 0.01
    assert found[2] > JACOBIAN[2] @ np.clip(turns, -most, most)


@given(arrays(np.float64, 3, elements=st.floats(-0.1, 0.1)), st.floats(0.001, 1))
def test_no_joint_turns_farther_than_it_may(move: np.ndarray, most: float) -> None:
    assert np.abs(moved(move, np.full(4, most))[0]).max() <= most


def test_what_is_missing_is_named_with_what_downloads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/replica_cad").mkdir(parents=True)
    robot = "data/robots/hab_fetch/robots/hab_suction.urdf"
    check_downloads(["data/replica_cad/"], "here")
    with pytest.raises(UserError) as refusal:
        check_downloads(["data/replica_cad/", "data/objects/ycb/configs/", robot], "here")
    assert str(refusal.value) == (
        f"here: there is no data/objects/ycb/configs/, no {robot} in {tmp_path}; download with: "
        "python -m habitat_sim.utils.datasets_download --data-path data --uids ycb hab_fetch"
    )
    # What is none of upstream's needs no download, however alike its name is.
    for mine in ("mine.urdf", "data/replica_cad_baked_lighting"):
        with pytest.raises(UserError) as refusal:
            check_downloads([mine], "here")
        assert str(refusal.value) == f"here: there is no {mine} in {tmp_path}"
    assert len(set(DOWNLOADS.values())) == len(DOWNLOADS)


def test_a_floor_is_drawn_with_the_robot_on_it() -> None:
    free = np.ones((2 * SCALE, 3 * SCALE), bool)
    free[:SCALE] = False
    now = {
        "position": torch.tensor([10.5, 5.5]),
        "heading": torch.tensor(0.0),
        "contact": torch.tensor(False),
        "hand": torch.tensor([11.0, 5.5, 1]),
        "object": torch.tensor([12.0, 5.5, 0.7]),
    }
    trail = torch.tensor([[10.5, 5.2], [10.5, 5.5]])
    picture = floor_picture(free, np.array([10.0, 5.0]), 0.06, now, trail)
    assert picture.shape == (2 * SCALE, 3 * SCALE, 3)

    def color(x: float, y: float) -> tuple[int, ...]:
        return tuple(picture[round((7 - y) * SCALE), round((x - 10) * SCALE)].tolist())

    assert color(12.9, 6.5) == LOW
    assert color(12.9, 5.1) == BACKGROUND
    assert color(10.5 + 0.3 - 1 / SCALE, 5.5) == ROBOT
    assert color(12 + 0.06 - 1 / SCALE, 5.5) == OBJECT
