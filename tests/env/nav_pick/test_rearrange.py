"""Nav & Pick in habitat-lab itself, with a made-up robot in homes of ours: its play task, and our
configurations. Needs habitat-sim and habitat-lab: docs/habitat.md."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import main
from commands.domains.homes import REARRANGEMENT
from env.episode import Episode
from env.nav_pick.homes import Home
from env.nav_pick.rewards import Rewards
from env.nav_pick.robot_state import FORWARD, GRIP, HAND, HAND_MOVE, HOLDING, OBJECT, TURN
from teacher.home_options import at_hand, navigate, pick
from tests.fetch import PLAY, write_config, write_world
from tests.running import settings_of
from tests.skills import skill_weights, write_skill
from tests.small_homes import TASK
from utils.errors import UserError
from utils.tensors import Tensors

JOINTS = REARRANGEMENT.with_name("joints.yaml")
pytestmark = [pytest.mark.habitat, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to work in, as habitat-lab wants one, with all that it loads."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("world")
        patch.chdir(folder)
        (folder / "data").mkdir()
        # Without the lights that the robot's surface would have, ten seconds are saved.
        lights = {"ibl_blut_filename": "none", "ibl_envmap_filename": "none"}
        (folder / "data/default.pbr_config.json").write_text(json.dumps(lights))
        yield folder


@pytest.fixture(scope="module")
def homes(world: Path) -> list[Home]:
    return write_world(world)


@pytest.fixture(scope="module")
def configs(world: Path, homes: list[Home]) -> dict[str, str]:
    (world / "play_by_hand.yaml").write_text(PLAY)
    bases = {
        "play": world / "play_by_hand.yaml",
        "nav_pick": REARRANGEMENT,
        "joints": JOINTS,
    }
    return {name: str(write_config(world, base)) for name, base in bases.items()}


@pytest.fixture
def make(configs: dict[str, str]) -> Iterator[Callable[..., Episode]]:
    """Makes homes of a configuration, which are closed in the end."""
    from env.nav_pick.rearrange import make_home

    made: list[Episode] = []

    def home(name: str, **settings: object) -> Episode:
        made.append(make_home(configs[name], **settings))  # type: ignore[arg-type]
        return made[-1]

    yield home
    for each in made:
        each.close()


def batched(obs: dict[str, np.ndarray]) -> Tensors:
    return {name: torch.from_numpy(array)[None] for name, array in obs.items()}


def by_rule(obs: dict[str, np.ndarray]) -> np.ndarray:
    seen = batched(obs)
    action = pick(seen) if at_hand(seen["state"]) else navigate(seen)
    return action[0].numpy()


def still(**moves: float) -> np.ndarray:
    action = np.zeros(6, np.float32)
    for name, value in moves.items():
        action[{"forward": FORWARD, "turn": TURN, "grip": GRIP}[name]] = value
    return action


def test_play_goes_from_start_to_success(make: Callable[..., Episode]) -> None:
    home = make("play", depth_size=32, max_steps=250)
    for seed in range(3):
        obs, _ = home.reset(seed=seed)
        rewards = []
        assert home.observation_space.contains(obs)
        first = obs
        while True:
            obs, reward, terminated, truncated, info = home.step(by_rule(obs))
            rewards.append(reward)
            assert home.observation_space.contains(obs)
            if terminated or truncated:
                break
        assert info["success"], f"seed {seed}"
        assert terminated
        assert obs["state"][HOLDING] == 1
        # What there was to earn, less the time.
        worth = Rewards()
        assert sum(rewards) > worth.success + worth.pick
        assert set(info["measures"]) == {"collisions", "path_length", "spl", "clean_success"}
        assert info["measures"]["path_length"] > 0
        pictures = home.pictures()
        assert set(pictures) == {"depth", "map"}
        assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in pictures.values())
        assert not np.array_equal(first["depth"], obs["depth"])


def test_a_seed_is_an_episode_whatever_was_before(make: Callable[..., Episode]) -> None:
    """Its start to the bit; then physics, which remembers, lets it drift by micrometres."""
    home = make("nav_pick", depth_size=16)

    def played(seed: int) -> list[dict[str, np.ndarray]]:
        obs, _ = home.reset(seed=seed)
        return [obs, *(home.step(by_rule(obs))[0] for _ in range(10))]

    one, other, again = played(5), played(6), played(5)
    for name, array in one[0].items():
        assert np.array_equal(array, again[0][name])
        assert not np.array_equal(array, other[0][name])
    for before, after in zip(one, again, strict=True):
        assert before["state"] == pytest.approx(after["state"], abs=1e-3)


def test_commands_are_metres_radians_and_ends(
    make: Callable[..., Episode], homes: list[Home]
) -> None:
    home = make("nav_pick", depth_size=16, max_steps=300, max_collisions=3)
    obs, _ = home.reset(seed=1)
    x, y, heading = obs["privileged"][:3]
    number = int(home.unwrapped.inner.current_episode.episode_id)
    # Where the object lies in the home is where it is seen from the base.
    ahead, left, up = obs["state"][OBJECT]
    cos, sin = math.cos(heading), math.sin(heading)
    place = np.array([x + cos * ahead - sin * left, y + sin * ahead + cos * left, up])
    assert place[:2] == pytest.approx(homes[number].object[:2], abs=0.01)

    turned, *_ = home.step(still(turn=1))
    assert turned["privileged"][2] - heading == pytest.approx(math.radians(9), abs=1e-3)
    assert turned["privileged"][:2] == pytest.approx([x, y], abs=1e-3)

    # To the left and up, as far as we say.
    move = still()
    move[HAND_MOVE] = [0, 0.4, 0.4]
    hand = turned["state"][HAND]
    for _ in range(5):
        obs, *_ = home.step(move)
    obs, *_ = home.step(still())
    assert obs["state"][HAND] - hand == pytest.approx([0, 0.1, 0.1], abs=0.03)

    # Ahead until something is in the way.
    info, over = {}, False
    while not over:
        before = obs["privileged"][:2]
        obs, _, terminated, truncated, info = home.step(still(forward=1))
        gone = np.linalg.norm(obs["privileged"][:2] - before)
        assert (obs["state"][10] == 1) == (gone < 0.048)
        over = terminated or truncated
    assert terminated
    assert info["measures"]["collisions"] == 3
    assert not info["success"]


def test_to_pick_begins_near_the_object(make: Callable[..., Episode]) -> None:
    home = make("nav_pick", subtask="pick", depth_size=16)
    for seed in range(3):
        obs, _ = home.reset(seed=seed)
        x, y, _ = obs["state"][OBJECT]
        assert math.hypot(x, y) < 2.5
        assert abs(math.atan2(y, x)) < 2


def test_to_navigate_ends_before_the_object_and_in_the_other_split(
    make: Callable[..., Episode],
) -> None:
    far = make("nav_pick", subtask="navigate", sparse=True, depth_size=16, unseen=True)
    assert far.unwrapped.inner._dataset.config.split == "val"
    obs, _ = far.reset(seed=0)
    total, over = 0.0, False
    while not over:
        obs, reward, terminated, truncated, info = far.step(by_rule(obs))
        total, over = total + reward, terminated or truncated
    assert info["success"]
    assert total == 1
    assert at_hand(batched(obs)["state"])


def test_joint_by_joint_the_actions_are_habitat_labs(make: Callable[..., Episode]) -> None:
    home = make("joints", depth_size=16)
    obs, _ = home.reset(seed=0)
    assert obs["state"].shape == (19,)
    assert home.action_space.shape == (10,)
    action = np.zeros(10, np.float32)
    action[2:9] = [1, 0, 0, 0, 0, 0, -1]
    before = obs["state"][12:]
    for _ in range(20):
        obs, *_ = home.step(action)
    moved = obs["state"][12:] - before
    assert moved[0] > 0.1
    assert moved[6] < -0.1
    action[:] = 0
    action[FORWARD] = 0.5
    x, y, _ = obs["privileged"][:3]
    again, *_ = home.step(action)
    gone = float(np.hypot(*(again["privileged"][:2] - [x, y])))
    assert gone == pytest.approx(0.5 * 10 / 120, abs=2e-3)


def single(base: Path, folder: Path) -> list[str]:
    """Flags for a configuration in a single home, which is loaded once."""
    folder.mkdir()
    write_world(folder, (0,))
    config = str(write_config(folder, base))
    return ["--simulator", "habitat-rearrange", "--habitat_config", config]


def test_a_run_is_trained_filmed_and_evaluated(world: Path, tmp_path: Path) -> None:
    small = ["--task", TASK, "--logdir", str(tmp_path), "--device", "cpu", "--threads", "1"]
    there = single(REARRANGEMENT, tmp_path / "home")
    brief = ["--num_envs", "1", "--traj_per_itr", "1", "--num_eval", "1", "--n_itr", "1"]
    assert main.main(["train", *small, *there, *brief]) == 0
    run = tmp_path / "ppo/navpick/run1"
    assert settings_of(run)["habitat_config"] == there[-1]
    flags = ["--loaddir", "run1", "--num_eval", "1", "--videos", "1", "--gif"]
    assert main.main(["eval", *small, *flags]) == 0
    assert (run / "eval/episode-0.gif").exists()


def test_skills_of_habitat_baselines_teach_joint_by_joint(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, file in (("navigate", "nav.pth"), ("pick", "pick.pth")):
        write_skill(tmp_path / file, skill_weights(name, 64))
    small = ["--task", TASK, "--logdir", str(tmp_path), "--device", "cpu", "--threads", "1"]
    there = single(JOINTS, tmp_path / "home")
    learned = ["--options", "learned", "--option_dir", str(tmp_path), "--depth_size", "64"]
    assert main.main(["eval", "--eval_teacher", *small, *there, *learned, "--num_eval", "1"]) == 0
    assert (tmp_path / "ppo/navpick/teacher/eval-habitat-rearrange/eval.json").exists()
    # There are no rules for it.
    assert main.main(["eval", "--eval_teacher", *small, *there, "--num_eval", "1"]) == 1
    assert "moves the arm joint by joint; rules cannot do that" in capsys.readouterr().err


def test_missing_data_is_said_in_a_line_with_the_command_that_downloads_it(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--task", "NavPick", "--logdir", str(tmp_path), "--n_itr", "1"]
    assert main.main(["train", *flags, "--simulator", "habitat-rearrange"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {REARRANGEMENT}: there is no data/replica_cad")
    assert error.endswith("--uids replica_cad_dataset rearrange_dataset_v2 ycb hab_fetch")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not a configuration of habitat-lab"),
        ("defaults: [/habitat: nothing]", "is not a configuration of habitat-lab"),
        (
            "# @package _global_\ndefaults: [made_up_nav_pick, _self_]\n"
            "habitat: {task: {actions: {arm_action: {arm_controller: ArmEEAction}}}}",
            "ArmEEAction needs pybullet",
        ),
        (
            "# @package _global_\ndefaults:\n- /benchmark/rearrange/play: play",
            "lacks target_start_sensor and is_holding_sensor",
        ),
    ],
)
def test_a_configuration_that_does_not_do_is_refused_in_a_line(
    text: str, words: str, world: Path, configs: dict[str, str]
) -> None:
    from env.nav_pick.rearrange import describe

    path = world / "refused.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as refusal:
        describe(str(path), 16, 10)
    assert "\n" not in str(refusal.value)
