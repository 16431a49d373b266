"""`--uniform_share`: advice that is mixed with every legal plan alike."""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import main
from algos import checkpoint
from algos.trials import Doubt
from commands.build import Parts
from commands.experiments.experiment import FINAL
from commands.experiments.table import read_table
from commands.reports.log_tree import read_tree
from commands.reports.run_groups import groups_of
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from planner.task import CONFIGS, load_task
from tests.running import assert_same_run, evaluate, runs_of, train
from utils.ranks import Ranks

WORST = ["--wrong_plans", "worst", "--schedule", "matched"]
AUTO = [*WORST, "--uniform_share", "auto"]


def test_a_teacher_that_is_stuck_gives_way_to_every_legal_plan_and_stays_so_after_a_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*AUTO, "--seed_list", "1", "--save_interval", "1", "--n_itr"]
    assert train(tmp_path, "--savedir", "whole", *flags, "4") == 0
    told = capsys.readouterr().out
    assert "alone it is stuck in 100% of the episodes that do not fail before" in told
    assert told.count("trying the teacher alone") == told.count("\nteacher alone in ") == 1
    assert ": such advice succeeds in " in told
    assert train(tmp_path, "--savedir", "cut", *flags, "2") == 0
    again = ["train", "--logdir", str(tmp_path), "--savedir", "cut", "--resume", "--n_itr", "4"]
    assert main.main(again) == 0
    assert_same_run(*(runs_of(tmp_path) / name for name in ("whole", "cut")))


def test_a_right_teacher_trains_as_with_a_tenth_of_every_legal_plan(tmp_path: Path) -> None:
    for share in ("0.1", "auto"):
        flags = ["--n_itr", "2", "--uniform_share", share]
        assert train(tmp_path, "--savedir", share, *flags) == 0
    one, other = (
        checkpoint.load(runs_of(tmp_path) / share / "checkpoint.pt") for share in ("0.1", "auto")
    )
    for key in ("learner", "schedule", "collector"):
        torch.testing.assert_close(one[key], other[key], rtol=0, atol=0)


def test_a_share_helps_a_teacher_that_is_always_wrong(tmp_path: Path) -> None:
    successes = []
    for share in ("0", "0.5"):
        alone = ["--eval_teacher", "--num_eval", "5", *WORST[:2], "--uniform_share", share]
        assert evaluate(tmp_path, *alone, "--task", "SimpleDoorKey", "--savedir", share) == 0
        (path,) = tmp_path.glob(f"*/*/teacher/{share}/eval.json")
        successes.append(json.loads(path.read_text())["success"]["mean"])
    assert successes[0] == 0
    assert successes[1] > 0.5


def test_a_trial_mixes_nothing_into_the_teacher_alone(tmp_path: Path) -> None:
    alone = ["--eval_teacher", "--task", "SimpleDoorKey", "--num_eval", "6"]
    assert evaluate(tmp_path, *alone, "--savedir", "alone") == 0
    assert evaluate(tmp_path, *alone, "--uniform_share", "0.5", "--savedir", "half") == 0
    few = ["--n_itr", "1", "--num_eval", "2", "--quick", "--savedir", "run-0"]
    assert train(tmp_path, *few, "--uniform_share", "auto") == 0
    (group,) = groups_of(read_tree(tmp_path, "log"))
    assert group.teacher
    assert group.teacher.source.split("/")[1] == "alone"


def test_a_table_evaluates_the_teacher_of_a_preset_with_auto_under_its_usual_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "table.yaml"
    best = CONFIGS / "best.yaml"
    groups = f"[{{label: a, config: {best}, tasks: [SimpleDoorKey], methods: [teacher]}}]"
    path.write_text(f"seeds: [0]\ngroups: {groups}")
    (teacher,) = read_table(path, tmp_path / "log", 1)
    assert (teacher.final, teacher.settings["uniform_share"]) == (FINAL, 0)


def film(folder: Path, doubt: Doubt, **settings: Any) -> np.ndarray:
    """What a run's camera takes, once its teacher is doubted."""
    given: dict[str, Any] = {"task": load_task("SimpleDoorKey"), "device": "cpu"}
    config = make_config(fresh_settings(given | settings), "settings")
    with ExitStack() as owned:
        parts = Parts(config, owned)
        trainer = parts.trainer(folder, parts.teacher(folder / "answers"), Ranks())
        take = parts.camera(trainer, 0)
        trainer.doubt = doubt
        return np.stack([np.asarray(image) for image in take(1)])


def test_a_film_shows_the_advice_that_the_run_gives_after_its_trial(tmp_path: Path) -> None:
    mixed = film(tmp_path, Doubt(0.5), uniform_share="auto")
    assert np.array_equal(mixed, film(tmp_path, Doubt(), uniform_share=0.5))
    usual = film(tmp_path, Doubt())
    assert not np.array_equal(mixed, usual)
    everything = {"teacher_sees": "everything"}
    assert np.array_equal(usual, film(tmp_path, Doubt(narrowed=True), **everything))
    assert not np.array_equal(usual, film(tmp_path, Doubt(), **everything))


def test_watch_shows_the_advice_as_mixed_after_the_trial(tmp_path: Path) -> None:
    assert train(tmp_path, "--savedir", "run", *AUTO, "--n_itr", "1") == 0
    run = runs_of(tmp_path) / "run"
    assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2", str(run)]) == 0
    page = (run / "watch.html").read_text()
    assert ", 100% of it every legal plan alike" in page
    plans = re.findall(r'"plans":(\[\[.*?\]\]\])', page)
    assert plans
    # The worst plan alone would be one.
    assert max(len(json.loads(each)) for each in plans) > 1


ALONE = "alone.yaml"


@pytest.mark.parametrize("flags", [["--llm", "uniform"], ["--policy", ALONE]])
def test_a_run_without_advice_that_could_be_wrong_doubts_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(ALONE).write_text("description: PPO without a teacher\nfixed: {kl_start: 0}")
    doubt = ["--schedule", "matched", "--uniform_share", "auto"]
    assert train(tmp_path, "--savedir", "run", *doubt, *flags, "--n_itr", "1") == 0
    assert "of its advice" not in capsys.readouterr().out
    (checkpoint_file,) = tmp_path.rglob("checkpoint.pt")
    assert checkpoint.load(checkpoint_file)["doubt"] == {"share": 0, "narrowed": False}
    verdict = json.loads((checkpoint_file.parent / "verdict.json").read_text())
    assert verdict["advice"]["every_plan_alike"] == 0


def test_a_run_that_stopped_after_its_trial_goes_on_with_what_the_trial_told(
    tmp_path: Path,
) -> None:
    flags = [*AUTO, "--seed_list", "1", "--n_itr"]
    assert train(tmp_path, "--savedir", "whole", *flags, "2") == 0
    assert train(tmp_path, "--savedir", "cut", *flags, "0") == 0
    again = ["train", "--logdir", str(tmp_path), "--savedir", "cut", "--resume", "--n_itr", "2"]
    assert main.main(again) == 0
    assert_same_run(*(runs_of(tmp_path) / name for name in ("whole", "cut")))


def test_a_doubt_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--savedir", "run", *AUTO, "--n_itr", "1") == 0
    run = runs_of(tmp_path) / "run"
    saved = checkpoint.load(run / "checkpoint.pt")
    checkpoint.save(run / "checkpoint.pt", {**saved, "doubt": {"share": 0.1}})
    assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2", str(run)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "checkpoint.pt is damaged or does not fit this version of the project" in error
    assert error.count("\n") == 1


def test_a_control_with_wrong_plans_is_mixed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--savedir", "run", *AUTO, "--llm", "uniform", "--n_itr", "1") == 0
    assert "100% of its advice is every legal plan alike" in capsys.readouterr().out


def test_a_share_does_not_hide_that_plans_answer_no_scene(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = tmp_path / "plans.yaml"
    plans.write_text('"Agent sees <moon>, holds <nothing>.": {explore: 1.0}')
    share = ["--plans", str(plans), "--uniform_share", "0.5"]
    assert train(tmp_path, "--savedir", "run", *share) == 1
    assert "error: the teacher has no plan: the plans answer none of" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan", "some"])
def test_other_values_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    assert train(tmp_path, f"--uniform_share={share}") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --uniform_share: must be a share from 0 to 1, or auto")
    assert error.count("\n") == 1
