"""The control `--llm uniform`: every legal plan alike, no LLM, with every command."""

import json
from pathlib import Path

import pytest
import torch

import main
from algos import checkpoint
from commands.experiments.experiment import FINAL
from commands.experiments.table import read_table
from commands.reports.log_tree import read_tree
from commands.reports.run_groups import groups_of
from planner.recorded_plans import load_plans
from planner.servers import UNIFORM_MEANS
from tests.running import SMALL, evaluate, runs_of, settings_of, train

UNIFORM = ["--llm", "uniform"]
SCENES = {
    "Agent sees <nothing>, holds <nothing>.": ["explore"],
    "Agent sees <key>, holds <nothing>.": ["go to <key>, pick up <key>", "explore"],
    "Agent sees <door>, holds <key>.": ["go to <door>, open <door>", "explore"],
}


def recorded(folder: Path) -> Path:
    out = folder / "plans.yaml"
    assert main.main(["record", *SMALL[:2], *UNIFORM, "--episodes", "20", "--out", str(out)]) == 0
    return out


def test_a_run_says_where_its_plans_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run", *UNIFORM) == 0
    shown = capsys.readouterr().out
    assert f"teacher: {UNIFORM_MEANS}, all plans mixed" in shown
    assert "had no answer" not in shown
    run = runs_of(tmp_path) / "run"
    assert settings_of(run)["llm"] == "uniform"
    assert not (run / "answers.jsonl").exists()
    assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2"]) == 0
    assert UNIFORM_MEANS in (run / "watch.html").read_text()


def test_the_control_teaches_what_its_recorded_plans_teach(tmp_path: Path) -> None:
    out = recorded(tmp_path)
    plans = load_plans(out)
    for scene, legal in SCENES.items():
        assert plans[scene] == {plan: 1 / len(legal) for plan in legal}
    assert out.read_text().startswith(f"# SimpleDoorKey: {UNIFORM_MEANS}\n")
    for name, source in {"live": UNIFORM, "file": ["--plans", str(out)]}.items():
        assert train(tmp_path, "--n_itr", "2", "--savedir", name, *source) == 0
    live, file = (
        checkpoint.load(runs_of(tmp_path) / name / "acmodel.pt")["weights"]
        for name in ("live", "file")
    )
    for name, weights in live.items():
        assert torch.equal(weights, file[name]), name


def test_the_teacher_alone_is_evaluated_and_belongs_to_its_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = ["--eval_teacher", *SMALL[:2], "--num_eval", "6"]
    assert evaluate(tmp_path, *alone, *UNIFORM, "--savedir", "uniform") == 0
    assert f"evaluating the teacher alone: {UNIFORM_MEANS}" in capsys.readouterr().out
    assert evaluate(tmp_path, *alone, "--savedir", "recorded") == 0
    found = json.loads((runs_of(tmp_path) / "teacher/uniform/eval.json").read_text())
    assert found["teacher"] == UNIFORM_MEANS
    assert (found["llm"]["name"], found["llm"]["model"]) == ("uniform", None)
    assert found["unanswered_steps"] == 0

    few = ["--n_itr", "1", "--num_eval", "2", "--quick"]
    assert train(tmp_path, *few, "--savedir", "plain-0") == 0
    assert train(tmp_path, *few, "--savedir", "control-0", *UNIFORM) == 0
    teachers = {
        group.runs[0].name.split("/")[-1]: (group.label, group.teacher.source)
        for group in groups_of(read_tree(tmp_path, "log"))
        if group.teacher
    }
    sources = {name: source.split("/")[1] for name, (_, source) in teachers.items()}
    assert sources == {"plain-0": "recorded", "control-0": "uniform"}
    assert any(UNIFORM_MEANS in label for label, _ in teachers.values())


@pytest.mark.parametrize("flag", [["--n_ask", "3"], ["--llm_temperature", "0.5"]])
@pytest.mark.parametrize("command", [["train"], ["eval", "--eval_teacher"]])
def test_a_flag_about_an_llm_does_not_go_with_it(
    command: list[str], flag: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([*command, "--logdir", str(tmp_path), *UNIFORM, *flag]) == 1
    assert f"{flag[0]}: --llm uniform asks no LLM" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_table_may_hold_the_recorded_teacher_and_the_control(tmp_path: Path) -> None:
    table = tmp_path / "table.yaml"
    both = "tasks: [SimpleDoorKey]\n  methods: [ppo, teacher]\n"
    table.write_text(
        "seeds: [0]\ngroups:\n"
        f"- label: recorded\n  {both}"
        f"- label: uniform\n  {both}  settings: {{llm: uniform}}\n"
    )
    experiments = read_table(table, tmp_path / "log", 1)
    assert [experiment.name for experiment in experiments] == [
        "ppo SimpleDoorKey recorded-0",
        "teacher SimpleDoorKey",
        "ppo SimpleDoorKey uniform-0",
        f"teacher SimpleDoorKey {FINAL}-uniform",
    ]
    assert experiments[2].train[-2:] == ["--llm", "uniform"]
    assert all("--llm" in each.evaluate for each in experiments[3:])
