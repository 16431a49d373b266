"""`--wrong_plans`: teachers that err on purpose, with every command."""

import json
from pathlib import Path

import pytest

import main
from commands.experiments.experiment import FINAL
from commands.experiments.table import read_table
from commands.reports.log_tree import read_tree
from commands.reports.run_groups import groups_of
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from tests.running import SMALL, assert_same_run, evaluate, runs_of, settings_of, train
from tests.trees import RISING, evaluation, report, table, write_evaluation, write_run
from utils.files import write_json

HALF = ["--wrong_plans", "0.5"]


def test_a_run_says_how_much_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run", *HALF) == 0
    assert "teacher: recorded plans, a share of 0.5 wrong, all" in capsys.readouterr().out
    assert settings_of(runs_of(tmp_path) / "run")["wrong_plans"] == 0.5
    assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2"]) == 0


def test_the_same_scenes_are_wrong_after_a_resume(tmp_path: Path) -> None:
    wrong = ["--wrong_plans", "0.7", "--seed_list", "1", "--save_interval", "1"]
    assert train(tmp_path, *wrong, "--n_itr", "4", "--savedir", "whole") == 0
    assert train(tmp_path, *wrong, "--n_itr", "2", "--savedir", "cut") == 0
    again = ["train", "--logdir", str(tmp_path), "--savedir", "cut", "--resume"]
    assert main.main([*again, "--n_itr", "4"]) == 0
    assert_same_run(*(runs_of(tmp_path) / name for name in ("whole", "cut")))


def test_a_resumed_run_keeps_its_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run", *HALF) == 0
    again = ["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume", "--n_itr", "2"]
    assert main.main([*again, *HALF]) == 0
    assert main.main([*again, "--wrong_plans", "worst"]) == 1
    assert "--wrong_plans" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["-0.1", "1.5", "nan", "bad"])
def test_other_values_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    assert train(tmp_path, f"--wrong_plans={wrong}") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --wrong_plans: must be a share from 0 to 1, or worst")
    assert error.count("\n") == 1


@pytest.mark.parametrize("task", ["SimpleDoorKey", "MiniGrid-DoorKey-5x5-v0", "NavPick"])
def test_the_worst_teacher_never_succeeds(tmp_path: Path, task: str) -> None:
    alone = ["--eval_teacher", "--task", task, "--num_eval", "5"]
    successes = []
    for wrong in ("0", "worst"):
        assert evaluate(tmp_path, *alone, "--wrong_plans", wrong, "--savedir", wrong) == 0
        (path,) = tmp_path.glob(f"*/*/teacher/{wrong}/eval.json")
        successes.append(json.loads(path.read_text())["success"]["mean"])
    assert successes[0] > 0.5
    assert successes[1] == 0


def test_an_evaluation_of_a_wrong_teacher_belongs_to_its_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = ["--eval_teacher", *SMALL[:2], "--num_eval", "6"]
    worst = ["--wrong_plans", "worst"]
    assert evaluate(tmp_path, *alone, *worst, "--savedir", "worst") == 0
    assert "teacher alone: recorded plans, the worst plan" in capsys.readouterr().out
    assert evaluate(tmp_path, *alone, "--savedir", "right") == 0
    few = ["--n_itr", "1", "--num_eval", "2", "--quick"]
    assert train(tmp_path, *few, "--savedir", "right-0") == 0
    assert train(tmp_path, *few, "--savedir", "worst-0", *worst) == 0
    groups = groups_of(read_tree(tmp_path, "log"))
    found = {group.label: group.teacher.source.split("/")[1] for group in groups if group.teacher}
    assert found == {"ppo": "right", "ppo --wrong_plans worst": "worst"}


def test_a_share_of_wrong_plans_makes_another_teacher_of_each_seed(tmp_path: Path) -> None:
    for seed, taught in enumerate(([1] * 4, [0] * 4, [1, 1, 0, 0])):
        run = write_run(tmp_path, f"half-{seed}", RISING, wrong_plans=0.5, seed=seed, final=[1])
        verdict = {"last": evaluation([1]), "teacher": evaluation(taught)}
        content = {name: outcome.to_dict() for name, outcome in verdict.items()}
        write_json(run / "verdict.json", content)
    says = {"actor": "teacher", "wrong_plans": 0.5}
    write_evaluation(run.parent / "teacher", "seed-0", [1] * 50, **says)
    (group,) = groups_of(read_tree(tmp_path, "log"))
    assert group.teacher
    assert (group.teacher.success.value, group.teacher.episodes) == (0.5, 12)
    assert group.teacher.success.low < 0.2


def test_an_older_evaluation_of_a_teacher_belongs_to_runs_whose_plans_are_right(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, "right", RISING)
    run = write_run(tmp_path, "wrong", RISING, wrong_plans=0.5)
    write_evaluation(run.parent / "teacher", "old", [1, 0], actor="teacher")
    groups = groups_of(read_tree(tmp_path, "log"))
    assert [bool(group.teacher) for group in groups] == [True, False]


def test_the_table_of_teachers_tells_wrong_ones_apart(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_run(log, "right", RISING)
    write_run(log, "half", RISING, wrong_plans=0.5)
    write_run(log, "worst", RISING, wrong_plans="worst")
    assert report(log) == 0
    names = {line["teacher"] for line in table(log / "report") if line["table"] == "teachers"}
    assert names == {
        "recorded plans",
        "recorded plans, a share of 0.5 wrong",
        "recorded plans, the worst plan in each scene",
    }


def test_a_wrong_teacher_is_never_the_main_group(tmp_path: Path) -> None:
    write_run(tmp_path, "right", RISING)
    for seed in range(3):
        write_run(tmp_path, f"wrong-{seed}", RISING, wrong_plans=0.5, seed=seed)
    main_group, other = groups_of(read_tree(tmp_path, "log"))
    assert (main_group.label, other.label) == ("ppo", "ppo --wrong_plans 0.5")


def test_a_table_of_experiments_may_hold_several_wrong_teachers(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    group = "tasks: [SimpleDoorKey]\n  methods: [ppo, teacher]\n  settings: {wrong_plans: "
    wrongs = ("0.25", "worst")
    path.write_text(
        "seeds: [0]\ngroups:\n"
        + "".join(f"- label: wrong-{wrong}\n  {group}{wrong}}}\n" for wrong in wrongs)
    )
    found = read_table(path, tmp_path / "log", 1)
    teachers = [each for each in found if not each.train]
    assert [each.final for each in teachers] == [f"{FINAL}-wrong-{wrong}" for wrong in wrongs]
    for each, wrong in zip(teachers, wrongs, strict=True):
        assert each.evaluate[-2:] == ["--wrong_plans", wrong]
    assert found[0].train[-2:] == ["--wrong_plans", "0.25"]


def test_the_share_is_a_setting_like_others() -> None:
    config = make_config(fresh_settings({"wrong_plans": 1, "device": "cpu"}), "settings")
    assert config.wrong_plans == 1.0
