import json
import math
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algos import checkpoint
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from planner.task import load_task, task_names
from utils import statistics
from utils.errors import UserError
from utils.files import write_atomically, write_json
from utils.terminal import counted


class Bomb:
    """What a malicious checkpoint could hold."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, (str(self.target), 0o700)


def test_nothing_that_could_run_code_is_unpickled(tmp_path: Path) -> None:
    path, target = tmp_path / "bomb.pt", tmp_path / "exploded"
    torch.save({"format": 1, "weights": Bomb(target)}, path)
    with pytest.raises(UserError, match="damaged or no checkpoint"):
        checkpoint.load(path)
    assert not target.exists()


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", {"weights": {}})
    with pytest.raises(UserError, match="lacks task, network"):
        checkpoint.load(tmp_path / "a.pt", "task", "network", "weights")
    torch.save([1, 2], tmp_path / "b.pt")
    with pytest.raises(UserError, match="is not a checkpoint of this project"):
        checkpoint.load(tmp_path / "b.pt")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"value": 1})

    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left on device"):
        write_atomically(path, fail)
    assert json.loads(path.read_text()) == {"value": 1}
    assert list(tmp_path.iterdir()) == [path]


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_the_interval_of_a_share_holds_it(outcomes: list[bool]) -> None:
    share, low, high = statistics.share_of(sum(outcomes), len(outcomes))
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_intervals_known_from_tables() -> None:
    share, low, high = statistics.share_of(8, 10)
    assert (share, round(low, 3), round(high, 3)) == (0.8, 0.49, 0.943)
    mean, low, high = statistics.mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (mean, round(low, 3), round(high, 3)) == (3, 1.037, 4.963)
    mean, *interval = statistics.mean([7.0])
    assert mean == 7
    assert all(math.isnan(end) for end in interval)


def test_every_task_file_is_valid_and_found_in_any_case() -> None:
    rooms = ["ColoredDoorKey", "LavaDoorKey", "SimpleDoorKey", "TwoDoor"]
    hidden_keys = ["DynamicDoorKey", "KeyInBox", "RandomBoxKey"]
    misleading = ["FaultySwitch", "MisledLavaCrossing", "PoisonedDoors", "SwitchOnce"]
    assert task_names() == sorted([*rooms, *hidden_keys, *misleading, "NavPick"])
    for name in task_names():
        assert load_task(name.upper()) == load_task(name)


TASK = "name: X\nenv_id: X\ndomain: {kind: minigrid, names: {key: key}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            TASK + "plans: {}\nextra: 1",
            "extra: there is no such setting$",
        ),
        (
            TASK + "plans: {}\nsetings: {n_itr: 1}",
            "setings: there is no such setting; do you mean settings\\?$",
        ),
        (
            TASK + "plans: {a: {explore: 0.5}}",
            "do not add up to 1",
        ),
        ("name: [", "line 1: expected the node content, but found '<stream end>'$"),
        (TASK.replace("minigrid", "hall") + "plans: {}", "domain.kind: must be one of 'mini"),
        ("just words", "names and values"),
        (
            TASK + "plans: nowhere.yaml",
            "cannot read",
        ),
    ],
)
def test_what_is_wrong_with_a_task_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_task(str(path))


def test_unknown_and_missing_settings_are_refused() -> None:
    with pytest.raises(UserError, match="task: is missing"):
        make_config({"seed": 0}, "settings")
    with pytest.raises(UserError, match="gama: there is no such setting; do you mean gamma"):
        make_config(fresh_settings({"device": "cpu"}) | {"gama": 0.9}, "settings")


def test_one_thing_is_counted_in_the_singular() -> None:
    assert [counted(number, "step") for number in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
