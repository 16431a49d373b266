"""Tasks of MiniGrid and BabyAI by their ids: taught by rules, with every command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import yaml

import main
from algos import checkpoint
from commands.runs import read_config
from commands.trained_student import load_student
from env.worlds import make_world
from planner.task import World, load_task
from tests.pages import read_page
from tests.running import ROOT, settings_of
from utils.errors import UserError

TASK = "BabyAI-GoToObjS4-v0"
LITTLE = ["--n_itr", "1", "--num_envs", "2", "--rollout_steps", "16", "--batch_size", "8"]
QUICK = ["--quick", "--threads", "1", "--device", "cpu"]


def call(logdir: Path, command: str, *flags: str, task: str = TASK) -> int:
    return main.main([command, "--task", task, "--logdir", str(logdir), *flags])


def train(logdir: Path, *flags: str, task: str = TASK) -> int:
    return call(logdir, "train", *LITTLE, *QUICK, *flags, task=task)


def folder(logdir: Path, method: str = "ppo", task: str = TASK) -> Path:
    return logdir / method / task.lower()


def test_an_id_is_a_task_that_rules_teach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--savedir", "run", task=TASK.upper().replace("-V", "-v")) == 0
    assert "teacher: rules, all plans mixed" in capsys.readouterr().out
    settings = settings_of(folder(tmp_path) / "run")
    assert settings["task"]["name"] == settings["task"]["env_id"] == TASK
    assert settings["task"]["plans"] == "rules"
    assert (settings["llm"], settings["network"], settings["memory"]) == (None, "window", "map")
    assert read_config(folder(tmp_path) / "run" / "config.json").task.plans is None


def test_a_run_in_a_world_can_be_evaluated_watched_exported_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--savedir", "run") == 0
    run = folder(tmp_path) / "run"
    assert call(tmp_path, "eval", "--num_eval", "2", "--videos", "1", "--gif") == 0
    assert (run / "eval" / "episode-0.gif").exists()
    assert call(tmp_path, "eval", "--eval_teacher", "--num_eval", "2") == 0
    outcome = json.loads((folder(tmp_path) / "teacher/eval/eval.json").read_text())
    assert outcome["plans"] == "rules"
    assert outcome["unanswered_steps"] == 0
    assert call(tmp_path, "watch", "--num_eval", "2") == 0
    assert "Mission: go to the" in (run / "watch.html").read_text()
    # The file is written only if it does what the student does.
    assert call(tmp_path, "export", "--to", str(tmp_path / "student.pt2")) == 0
    assert call(tmp_path, "export", "--to", str(tmp_path / "student.onnx")) == 0
    assert call(tmp_path, "record", "--dry_run", "--episodes", "2") == 0
    capsys.readouterr()
    assert main.main(["list", str(tmp_path)]) == 0
    assert TASK in capsys.readouterr().out
    assert main.main(["report", str(tmp_path)]) == 0
    records = (tmp_path / "report" / "records.jsonl").read_text()
    assert '"plans": "rules"' in records


@pytest.mark.parametrize(
    ("flags", "evaluated"), [([], [4]), (["--evaluation_share", "99"], [2, 4])]
)
def test_evaluations_that_take_too_many_steps_are_put_off(
    tmp_path: Path, flags: list[str], evaluated: list[int]
) -> None:
    # An evaluation of 5 episodes takes more steps than two iterations of 32.
    assert train(tmp_path, "--n_itr", "4", "--eval_interval", "2", "--savedir", "run", *flags) == 0
    metrics = (folder(tmp_path) / "run" / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in metrics]
    assert [line["iteration"] for line in lines if "Test/Success Rate" in line] == evaluated


@pytest.mark.parametrize("method", ["ppo-hard", "ppo-alone", "imitation", "hierarchical"])
def test_methods_work_in_worlds(tmp_path: Path, method: str) -> None:
    assert train(tmp_path, "--policy", method, "--recurrent", "--precision", "bf16") == 0


def test_a_student_that_chooses_options_is_evaluated_and_watched(tmp_path: Path) -> None:
    task, policy = "MiniGrid-GoToObject-6x6-N2-v0", ["--policy", "hierarchical"]
    assert train(tmp_path, *policy, "--memory", "none", "--savedir", "run", task=task) == 0
    run = folder(tmp_path, "hierarchical", task) / "run"
    assert call(tmp_path, "eval", *policy, "--num_eval", "2", "--videos", "1", task=task) == 0
    assert call(tmp_path, "watch", *policy, "--num_eval", "4", task=task) == 0
    steps = [step for each in read_page(run / "watch.html")["episodes"] for step in each["moments"]]
    held = {step["held"] for step in steps if "held" in step}
    # Its missions end with a wait.
    assert {"explore", "go to <object>", "wait"} <= held


def test_without_a_memory_the_student_sees_its_view_alone(tmp_path: Path) -> None:
    for memory in ("map", "none"):
        assert train(tmp_path, "--memory", memory, "--savedir", memory) == 0
    network = checkpoint.load(folder(tmp_path) / "none" / "acmodel.pt")["network"]
    assert network["obs"] == {"view": (7, 7, 3), "mission": (72,)}
    network = checkpoint.load(folder(tmp_path) / "map" / "acmodel.pt")["network"]
    assert network["obs"].keys() == {"image", "mission", "done", "start"}
    assert call(tmp_path, "eval", "--loaddir", "none", "--num_eval", "2") == 0


def plans_file(path: Path) -> str:
    plans = {
        "Mission: go to the object. Agent sees <object>, holds <nothing>.": {"go to <object>": 1}
    }
    path.write_text(yaml.safe_dump(plans))
    return str(path)


def test_plans_take_the_place_of_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plans = plans_file(tmp_path / "plans.yaml")
    assert train(tmp_path, "--plans", plans, "--savedir", "run") == 0
    assert "teacher: recorded plans" in capsys.readouterr().out
    assert isinstance(settings_of(folder(tmp_path) / "run")["task"]["plans"], dict)


def test_a_run_whose_plans_fit_no_scene_names_a_scene(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "misspelt.yaml"
    path.write_text(yaml.safe_dump({"Mission: go to the object.": {"explore": 1.0}}))
    words = "; the first: 'Mission: go to the object. Agent sees "
    assert train(tmp_path, "--plans", str(path), "--savedir", "run") == 1
    error = capsys.readouterr().err
    assert "error: the teacher has no plan: the plans answer none of " in error
    assert words in error
    assert not (folder(tmp_path) / "run").exists()

    # Without a teacher nothing is missing.
    alone = "--plans", str(path), "--policy", "ppo-alone"
    assert train(tmp_path, *alone, "--savedir", "run") == 0
    assert call(tmp_path, "eval", "--eval_teacher", "--num_eval", "2", "--plans", str(path)) == 1
    assert words in capsys.readouterr().err


def test_a_student_of_a_world_says_what_a_plain_environment_lacks(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "0", "--savedir", "run") == 0
    student = load_student(folder(tmp_path) / "run")
    seen, _ = gym.make(TASK).reset(seed=0)
    with pytest.raises(UserError, match=r"lacks \w+, which .* env.worlds.make_world"):
        student.act(seen)
    environment = make_world(TASK)
    seen, _ = environment.reset(seed=0)
    assert environment.action_space.contains(student.act(seen))


OWN = """
import gymnasium as gym
from minigrid.envs import EmptyEnv
gym.register("Own-Empty-v0", lambda **kwargs: EmptyEnv(size=5, max_steps=10, **kwargs))
"""


def test_a_file_makes_an_environment_of_ones_own_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty_worlds.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    content: dict[str, Any] = {"name": "Own", "domain": {"kind": "world"}}
    content["env_id"] = "empty_worlds:Own-Empty-v0"
    content["settings"] = {"n_itr": 1}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    task = load_task(str(path))
    assert isinstance(task.domain, World)
    assert task.plans is None
    assert train(tmp_path, "--savedir", "run", task=str(path)) == 0
    content["plans"] = plans_file(tmp_path / "plans.yaml")
    path.write_text(yaml.safe_dump(content))
    assert load_task(str(path)).plans
    content["domain"] = {"kind": "minigrid", "names": {"key": "key"}}
    content["plans"] = "rules"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="rules answer in MiniGrid and BabyAI tasks alone"):
        load_task(str(path))


@pytest.mark.parametrize(
    ("task", "flags", "words"),
    [
        ("BabyAI-GoToObjj-v0", [], "there is no environment BabyAI-GoToObjj-v0; the nearest are"),
        ("MiniGrid-DoorKey-8x8-v7", [], "use MiniGrid-DoorKey-8x8-v0"),
        ("MiniGrid-Playground-v0", [], "is left out, because it has no goal"),
        (TASK, ["--frame_stack", "2"], f"--frame_stack 2: {TASK} has no such setting"),
        (TASK, ["--rooms", "gym"], f"--rooms gym: {TASK} has no such setting"),
        (TASK, ["--network", "paper"], f"--network: must be window in {TASK}"),
        ("SimpleDoorKey", ["--memory", "none"], "SimpleDoorKey has no such setting"),
        ("SimpleDoorKey", ["--network", "window"], "must be paper or egocentric in SimpleDoorKey"),
        (TASK, ["record"], "record asks an LLM: name one with --llm"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_before_pytorch_is_loaded(
    tmp_path: Path, task: str, flags: list[str], words: str
) -> None:
    command, *flags = flags if flags[:1] == ["record"] else ["train", *flags]
    words_of_call = [command, "--task", task, "--logdir", str(tmp_path), *flags]
    code = f"import main, sys; code = main.main({words_of_call}); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not any(tmp_path.iterdir())
