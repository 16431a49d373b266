"""Tasks of the user's own: what their settings do, and what is wrong with their files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import main
from planner.anonymous_colors import AnonymousColors
from planner.home_scene import THING
from planner.recorded_plans import RecordedPlanner, load_plans
from planner.room_scene import RoomReader
from planner.task import CONFIGS, load_task, task_names
from tests.recordings import TASKS, recorded_planner
from tests.running import settings_of

LITTLE = ["--n_itr", "0", "--device", "cpu", "--num_eval", "1"]


def train(logdir: Path, *flags: str) -> int:
    return main.main(["train", "--logdir", str(logdir), *LITTLE, *flags])


def write_task(path: Path, **changes: Any) -> str:
    content = load_task("SimpleDoorKey").model_dump() | changes
    path.write_text(yaml.safe_dump({n: v for n, v in content.items() if v is not None}))
    return str(path)


def config(logdir: Path, run: str) -> dict[str, Any]:
    return settings_of(logdir / "ppo" / "simpledoorkey" / run)


def test_a_tasks_settings_are_kept_as_the_runs_own_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"gamma": 0.5, "llm_url": "http://u:sesame@localhost/v1"}
    task = write_task(tmp_path / "mine.yaml", settings=settings)
    assert train(tmp_path, "--task", task) == 1
    preset = tmp_path / "preset.yaml"
    preset.write_text("llm_url: http://localhost/v1")
    flags = ["--config", str(preset), "--savedir", "first"]
    assert train(tmp_path, "--task", task, *flags) == 0
    first = config(tmp_path, "first")
    assert (first["gamma"], first["task"]["settings"]) == (0.5, {})
    assert "sesame" not in json.dumps(first)
    again = str(tmp_path / "ppo" / "simpledoorkey" / "first" / "config.json")
    assert train(tmp_path, "--config", again, "--savedir", "second") == 0
    assert config(tmp_path, "second")["gamma"] == 0.5
    # A run goes on with the task that it has, and says so where its file differs by now.
    capsys.readouterr()
    write_task(Path(task), settings={"gamma": 0.4}, instructions="other")
    resume = ["--task", task, "--savedir", "first", "--resume"]
    assert train(tmp_path, *resume) == 0
    said = capsys.readouterr().out
    assert "first keeps the instructions that it began with" in said
    assert "keeps the settings" not in said
    assert config(tmp_path, "first")["gamma"] == 0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": 3}, "the command line chooses the seed"),
        ({"policy": "ppo-hard"}, "the command line chooses the policy"),
        ({"task": "TwoDoor"}, "the command line chooses the task"),
    ],
)
def test_a_task_leaves_to_the_user_what_is_the_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], words: str
) -> None:
    task = write_task(tmp_path / "mine.yaml", settings=settings)
    assert train(tmp_path, "--task", task) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_names_outside_the_domain_are_told_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    task = write_task(path, domain=None, names={"key": "key", "door": "door"})
    assert train(tmp_path, "--task", task) == 1
    place = "names belong under domain; write domain: {kind: minigrid, names: …}"
    assert capsys.readouterr().err == f"error: {path}: {place}\n"


def test_what_is_misspelt_in_plans_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = "Agent sees <key>, holds <nothing>."
    explores = {"Agent sees <nothing>, holds <nothing>.": {"explore": 1.0}}
    plans = {**explores, scene: {"go to <key>, pik up <key>": 0.9, "wait": 0.1}}
    path = tmp_path / "mine.yaml"
    task = ["--task", write_task(path, plans=plans)]
    flags = ["--eval_teacher", "--num_eval", "1", "--logdir", str(tmp_path), "--threads", "1"]
    assert main.main(["eval", *task, *flags]) == 0
    misspelt = (
        f"'go to <key>, pik up <key>' for {scene!r}: the teacher waits at an unknown "
        "option; options are explore, go to, pick up, drop, open, wait"
    )
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "warning" in line] == [
        f"warning: plans of SimpleDoorKey: {misspelt}"
    ]
    # Training, too, warns once, though it makes several teachers.
    assert train(tmp_path, *task, "--savedir", "misspelt") == 0
    assert capsys.readouterr().out.count("warning") == 1
    unseen = "Agent sees <kee>, holds <nothing>."
    plans_file = tmp_path / "plans.yaml"
    plans_file.write_text(yaml.safe_dump({unseen: {"explore": 1}, **plans}, sort_keys=False))
    assert main.main(["eval", "--plans", str(plans_file), *flags]) == 0
    never = f"{unseen!r} never occurs: the task has no <kee> (and 1 more like it)"
    said = capsys.readouterr().out.splitlines()
    expected = [f"warning: plans of SimpleDoorKey: {never}"]
    assert [line for line in said if "warning" in line] == expected


def test_the_plans_that_come_with_the_project_have_nothing_misspelt() -> None:
    with_plans = {name for name in task_names() if load_task(name).plans}
    assert with_plans == {*TASKS, "NavPick"}
    for name in TASKS:
        assert not recorded_planner(name).doubts
    assert not RecordedPlanner(load_task("NavPick").plans, (THING,)).doubts


@pytest.mark.parametrize("name", ["simpledoorkey", "coloreddoorkey"])
def test_the_likeliest_plans_are_those_of_the_answers(name: str) -> None:
    answers = load_plans(CONFIGS / "plans" / f"{name}.yaml")
    likeliest = load_plans(CONFIGS / "plans" / f"{name}_likeliest.yaml")
    assert likeliest == {scene: {max(each, key=each.get): 1} for scene, each in answers.items()}


def test_colours_are_spelt_as_the_plans_call_them() -> None:
    aliases = AnonymousColors.ALIASES
    plans = {f"Agent sees <{color} key>, holds <nothing>.": {} for color in ("color1", "red")}
    (doubt,) = RecordedPlanner(plans, RoomReader({"key": "{color} key"}).nouns(aliases)).doubts
    assert doubt.endswith("the task has no <red key>")
