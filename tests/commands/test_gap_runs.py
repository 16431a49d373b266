"""Runs in the tasks on which imitating misleads."""

from pathlib import Path

import pytest

import main
from commands.experiments.table import read_table
from planner.task import CONFIGS
from tests.gaps import TASKS
from tests.running import settings_of

SHORT = [
    *("--rollout_steps", "16", "--num_envs", "2", "--n_itr", "2", "--batch_size", "8"),
    *("--num_eval", "2", "--eval_interval", "2", "--quick", "--threads", "1", "--device", "cpu"),
]


@pytest.mark.parametrize("task", TASKS)
def test_two_iterations_of_each_task(tmp_path: Path, task: str) -> None:
    train = ["train", "--logdir", str(tmp_path), "--task", task, *SHORT, "--savedir", "run"]
    assert main.main(train) == 0
    run = tmp_path / "ppo" / task.lower() / "run"
    assert settings_of(run)["teacher_sees"] == "everything"
    assert (run / "verdict.json").exists()
    assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2", str(run)]) == 0


def test_the_tables_about_teachers_that_mislead_can_be_read(tmp_path: Path) -> None:
    wrong = read_table(CONFIGS / "wrong_teacher.yaml", tmp_path, 1)
    assert {each.settings["wrong_plans"] for each in wrong} == {0.0, 0.25, 0.5, 0.9, "worst"}
    gaps = read_table(CONFIGS / "gaps.yaml", tmp_path, 1)
    assert {each.task for each in gaps} == {*TASKS, "MiniGrid-LavaCrossingS9N2-v0"}
    assert all(each.settings["teacher_sees"] == "everything" for each in gaps if each.task in TASKS)
