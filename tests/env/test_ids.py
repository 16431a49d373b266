import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from env.ids import check_id, find_spec, world_ids
from env.worlds import make_world
from planner.task import load_task
from utils.errors import UserError

ROOT = Path(__file__).parent.parent.parent
MODULE = """
import gymnasium as gym
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.minigrid_env import MiniGridEnv
from minigrid.wrappers import ImgObsWrapper


class Own(MiniGridEnv):
    def __init__(self, words="go to the goal", grid_size=5, **kwargs):
        super().__init__(MissionSpace(lambda: words), grid_size=grid_size, **kwargs)
        self.words = words

    def _gen_grid(self, width, height):
        self.grid = Grid(width, height)
        self.grid.wall_rect(0, 0, width, height)
        self.place_agent()
        self.mission = self.words


class FewActions(Own):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.action_space = gym.spaces.Discrete(3)


class Broken(Own):
    def _gen_grid(self, width, height):
        raise ValueError("no room")


gym.register("Own-v2", Own)
gym.register("Broken-v0", Broken)
gym.register("Strange-v0", Own, kwargs={"words": "sing a song"})
gym.register("FewActions-v0", FewActions)
gym.register("space/Own.room-v0", Own)
gym.register("Large-v0", Own, kwargs={"grid_size": 63})
gym.register("Pictures-v0", Own, additional_wrappers=(ImgObsWrapper.wrapper_spec(),))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_worlds.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_worlds"


def test_every_id_of_minigrid_is_offered_or_left_out_with_a_reason() -> None:
    offered = set(world_ids())
    for env_id, found in gym.registry.items():
        if str(found.entry_point).startswith("minigrid."):
            if env_id not in offered:
                with pytest.raises(UserError, match=f"{env_id} is left out, because"):
                    check_id(env_id)
            else:
                assert check_id(env_id) == env_id
    assert len(offered) == 165


def test_an_id_is_found_in_any_case() -> None:
    assert check_id("minigrid-DOORKEY-8x8-v0") == "MiniGrid-DoorKey-8x8-v0"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("MiniGrid-DorKey-8x8-v0", "there is no environment .*nearest are MiniGrid-DoorKey-8x8-v0"),
        ("MiniGrid-DoorKey-8x8-v7", "has no .*-8x8-v7; use MiniGrid-DoorKey-8x8-v0$"),
        ("BabyAI-GoTo", "has no BabyAI-GoTo; use BabyAI-GoTo-v0$"),
        ("MiniGrid-ObstructedMaze-1Q-v2", "1Q-v0 or MiniGrid-ObstructedMaze-1Q-v1$"),
        ("BabyAI-Zzzzzzzz", "there is no environment BabyAI-Zzzzzzzz; docs/results/worlds.csv"),
        ("MiniGrid-WFC-MazeSimple-v0", "lacks the pictures"),
        ("MiniGrid-Dynamic-Obstacles-5x5-v9", "obstacles move"),
        ("MiniGrid-Playground-v0", "has no goal"),
        ("no_such_module:MiniGrid-X-v0", "cannot import the module of no_such_module:MiniGrid-X"),
        ("CartPole-v1", r"no MiniGrid environment \(it observes Box.*subclass of"),
    ],
)
def test_a_wrong_id_is_one_line(name: str, line: str) -> None:
    with pytest.raises(UserError, match=line) as raised:
        check_id(name)
    assert "\n" not in str(raised.value)


def test_an_environment_of_another_package_must_fit(module: str) -> None:
    assert check_id(f"{module}:Own-v2") == f"{module}:Own-v2"
    assert find_spec(f"{module}:Own-v2").id == "Own-v2"
    with pytest.raises(UserError, match="'sing a song' has the unknown word 'sing'"):
        check_id(f"{module}:Strange-v0")
    with pytest.raises(UserError, match=r"Discrete\(3\); it must have MiniGrid's 7 actions"):
        check_id(f"{module}:FewActions-v0")
    with pytest.raises(UserError, match="63x63 cells; it must have at most 62x62"):
        check_id(f"{module}:Large-v0")
    with pytest.raises(UserError, match="a wrapper of Pictures-v0 changes what it observes"):
        check_id(f"{module}:Pictures-v0")
    with pytest.raises(UserError, match=r"own_worlds.py, line \d+: ValueError: no room$"):
        check_id(f"{module}:Broken-v0")
    with pytest.raises(UserError, match="no environment Own-v3; own_worlds registers Bro"):
        check_id(f"{module}:Own-v3")
    with pytest.raises(UserError, match=f"not its file: {module}:Own-v2$"):
        check_id(f"{module}.py:Own-v2")


def test_an_id_with_a_namespace_is_a_task(module: str) -> None:
    task = load_task(f"{module}:space/Own.room-v0")
    assert task.name == "space-Own-room-v0"
    assert make_world(task.env_id).inner.width == 5


def test_a_module_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_worlds.py").write_text("raise RuntimeError('no\\nfile')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"cannot import the module of .*: no file$"):
        check_id("broken_worlds:Own-v0")


def test_nothing_heavy_is_loaded_for_an_id() -> None:
    code = (
        "import sys; from env.ids import check_id;"
        "assert 'minigrid' not in sys.modules;"
        "check_id('BabyAI-GoTo-v0'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
