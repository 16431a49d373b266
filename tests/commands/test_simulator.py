"""Which simulator homes are in: what may be said of it, and what is said where it is missing."""

import json
import re
import sys
from pathlib import Path

import pytest

import main
from commands.domains.homes import maker
from commands.settings.flags import parse
from commands.settings.presets import read_preset
from commands.settings.resolve import check, given_settings, resolve
from tests import small_homes
from tests.running import settings_of, write_format_2
from utils.errors import UserError

HOMES = ["--task", "NavPick"]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--simulator", "habitat"], "--simulator habitat: SimpleDoorKey has no such setting"),
        ([*HOMES, "--simulator", "habitat", "--rooms", "gym"], "--rooms gym: NavPick has no such"),
        (
            [*HOMES, "--simulator", "habitat", "--habitat_config", "a"],
            "habitat_config: only --simulator habitat-rearrange has it",
        ),
    ],
)
def test_a_setting_of_another_world_is_refused(flags: list[str], words: str) -> None:
    for command in ("train", "eval"):
        if not (command == "eval" and "--rooms" in flags):
            teacher = ["--eval_teacher"] if command == "eval" else []
            with pytest.raises(UserError, match=re.escape(words)):
                check(parse([command, *teacher, *flags]))


def test_rooms_have_no_simulator_to_be_measured_in(capsys: pytest.CaptureFixture[str]) -> None:
    measured = ["bench", "--task", "LavaDoorKey", "--simulator", "habitat"]
    assert main.main(measured) == 1
    told = capsys.readouterr().err
    assert told == "error: --simulator habitat: LavaDoorKey has no such setting\n"


@pytest.mark.parametrize("simulator", ["habitat", "habitat-rearrange"])
def test_without_habitat_a_line_says_how_to_get_it_and_nothing_is_lost(
    simulator: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert small_homes.train(tmp_path, "--savedir", "run", "--n_itr", "0") == 0
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    # As if it were not installed.
    for name in ("habitat_sim", "env.nav_pick.habitat_homes", "env.nav_pick.rearrange"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "habitat_sim", None)
    for flags in (
        ["train", "--savedir", "run", "--overwrite"],
        ["eval", "--loaddir", "run"],
        ["eval", "--eval_teacher"],
        ["bench"],
    ):
        where = [] if flags == ["bench"] else ["--logdir", str(tmp_path)]
        task = ["--task", small_homes.TASK]
        assert main.main([*flags, *where, *task, "--simulator", simulator]) == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"error: --simulator {simulator}: ")
        assert re.search("(No module named|import of) '?habitat", error)
        assert "docs/habitat.md" in error
        assert "by conda or by pip install git+https" in error
        assert "--simulator tensor needs neither" in error
    assert sorted(tmp_path.rglob("*")) == before


def test_both_requirements_name_the_same_versions_but_where_habitat_wants_older_ones() -> None:
    ours, theirs = (
        dict(re.findall(r"^([\w-]+)(.*)$", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-habitat.txt")
    )
    differing = {name for name, version in ours.items() if theirs.get(name) != version}
    assert differing == {"numpy", "pillow"}


def test_a_run_with_a_configuration_of_habitat_lab_goes_without_it_elsewhere(
    tmp_path: Path,
) -> None:
    assert small_homes.train(tmp_path, "--savedir", "run", "--n_itr", "1") == 0
    run = small_homes.runs_of(tmp_path) / "run"
    write_format_2(run, {"simulator": "habitat-rearrange", "habitat_config": "my.yaml"})
    told = ["--loaddir", "run", "--num_eval", "2", "--simulator", "tensor"]
    assert small_homes.evaluate(tmp_path, *told) == 0
    assert json.loads((run / "eval-tensor/eval.json").read_text())["simulator"] == "tensor"


def test_rooms_are_as_many_whatever_a_preset_says_of_homes(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("simulator: habitat")
    for task, count in (("SimpleDoorKey", None), ("NavPick", 4)):
        said = read_preset(preset, task)
        assert resolve(given_settings(parse(["train", "--task", task])), said)["num_envs"] == count


def test_simulators_are_fewer_side_by_side_and_play_as_many_episodes() -> None:
    def said(*flags: str) -> tuple[int, int]:
        settings = resolve(given_settings(parse(["train", *HOMES, *flags])), {})
        return settings["num_envs"], settings["traj_per_itr"]

    assert said() == (32, 32)
    assert said("--simulator", "tensor") == (32, 32)
    assert said("--simulator", "habitat") == (4, 32)
    assert said("--simulator", "habitat", "--num_envs", "9") == (9, 32)


def test_a_run_of_before_there_were_simulators_is_one_of_tensors(tmp_path: Path) -> None:
    assert small_homes.train(tmp_path, "--savedir", "run", "--n_itr", "1") == 0
    run = small_homes.runs_of(tmp_path) / "run"
    config = settings_of(run)
    assert (config["simulator"], config["habitat_config"]) == ("tensor", None)
    write_format_2(run, {}, without=("simulator", "habitat_config"))
    assert small_homes.evaluate(tmp_path, "--loaddir", "run", "--num_eval", "2") == 0
    assert json.loads((run / "eval/eval.json").read_text())["simulator"] == "tensor"


def test_a_missing_library_of_the_system_is_one_line_that_names_the_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "habitat_sim.py").write_text('raise OSError("libEGL.so.1: not there")\n')
    for name in ("habitat_sim", "env.nav_pick.habitat_homes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"--simulator habitat: libEGL.so.1: not there; see docs/"):
        maker("habitat")
