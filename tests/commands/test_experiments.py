"""Tables of experiments: what their files may say, and which command lines they become."""

from pathlib import Path
from typing import Any

import pytest

import main
from commands.experiments.experiment import Experiment, State, examine
from commands.experiments.table import read_table
from commands.run_files import iterations
from commands.settings.flags import parse
from commands.settings.presets import read_preset
from commands.settings.resolve import given_settings, resolve
from planner.task import task_names
from tests import small_rooms
from tests.reproduction import begin, evaluate
from tests.running import ROOT, settings_of, write_format_2

HOMES = """
seeds: [0]
groups:
- label: homes
  methods: [ppo, teacher]
"""
PRESETS = ["smoke", "minigrid", "paper", "homes"]
TABLE = """
seeds: [0, 1]
groups:
- label: tiny
  tasks: [SimpleDoorKey]
  methods: [ppo, ppo-hard, teacher]
  settings: {n_itr: 3, gamma: 0.9}
  of_tasks: {SimpleDoorKey: {gamma: 0.8}}
  of_methods: {ppo: {gamma: 0.7, hard: false}}
"""


def experiments_of(name: str) -> list[Experiment]:
    return read_table(ROOT / "configs" / f"{name}.yaml", Path("log") / name, 1)


@pytest.mark.parametrize("name", PRESETS)
def test_the_project_s_tables_become_commands_with_the_same_settings(name: str) -> None:
    experiments = experiments_of(name)
    students = [experiment for experiment in experiments if experiment.train]
    assert 1 < len(students) < len(experiments)
    for experiment in students:
        args = parse(experiment.train)
        preset = read_preset(args.config, args.task) if args.config else {}
        settings = resolve(given_settings(args, preset.get("task")), preset)
        assert args.savedir == experiment.folder.name == f"{experiment.label}-{experiment.seed}"
        assert args.seed_list == [experiment.settings["seed"]] == [experiment.seed]
        assert experiment.folder.parent == args.logdir / experiment.method / experiment.task.lower()
        for setting, value in experiment.settings.items():
            if setting not in ("task", "policy", "seed", "device", "threads"):
                assert settings[setting] == value
    for experiment in experiments:
        args = parse(experiment.evaluate)
        noisy = "-navigate-1.5-pick-0.8"
        source = {
            "uniform": "-uniform",
            "scored": "-local-score",
            "learned": "-learned",
            "noisy": noisy,
            "careful": f"{noisy}-contacts-1",
        }
        final = "unseen" + ("" if experiment.train else source.get(experiment.label, ""))
        assert (args.eval_teacher, args.savedir) == (not experiment.train, final)
        assert args.loaddir == (experiment.folder.name if experiment.train else None)


@pytest.mark.parametrize(
    ("name", "first"), [("minigrid", 1_000_000), ("paper", 1_000_000), ("homes", 4_000_000)]
)
def test_comparisons_end_with_the_same_fresh_episodes(name: str, first: int) -> None:
    seeds = {experiment.seeds for experiment in experiments_of(name)}
    assert seeds == {range(first, first + 1000)}


def test_students_train_without_teacher_for_the_last_third() -> None:
    for experiment in experiments_of("minigrid"):
        if experiment.train and experiment.settings["schedule"] != "constant":
            assert experiment.settings["kl_until"] <= experiment.n_itr * 2 / 3


def test_a_table_is_not_taken_for_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert not {*task_names()} & {*PRESETS}
    assert main.main(["train", "--task", "minigrid"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown task 'minigrid'; give one of ")


def write(folder: Path, content: str) -> Path:
    path = folder / "table.yaml"
    path.write_text(content)
    return path


def test_experiments_have_the_order_and_the_settings_of_their_file(tmp_path: Path) -> None:
    experiments = read_table(write(tmp_path, TABLE), tmp_path, 2)
    assert [(experiment.method, experiment.seed) for experiment in experiments] == [
        *[("ppo", 0), ("ppo", 1), ("ppo-hard", 0), ("ppo-hard", 1), ("teacher", None)]
    ]
    assert [experiment.settings.get("gamma") for experiment in experiments] == [
        0.7,
        0.7,
        0.8,
        0.8,
        None,
    ]
    assert experiments[0].train[-5:] == ["--n_itr", "3", "--gamma", "0.7", "--soft_planner"]
    assert experiments[2].train[-4:] == ["--n_itr", "3", "--gamma", "0.8"]


def test_flags_get_validated_values(tmp_path: Path) -> None:
    content = TABLE.replace("n_itr: 3", "n_itr: 3.0").replace("hard: false", "gae: 1")
    args = parse(read_table(write(tmp_path, content), tmp_path, 1)[0].train)
    assert (args.n_itr, args.gae) == (3, True)


def test_paths_in_a_table_start_at_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("gamma: 0.5")
    (tmp_path / "slow.yaml").write_text("{description: slow, fixed: {learning_rate: 0.0001}}")
    content = TABLE.replace("[ppo, ppo-hard, teacher]", "[slow.yaml]").replace("ppo:", "slow.yaml:")
    content = content.replace("label: tiny", f"label: tiny\n  config: {tmp_path}/mine.yaml")
    table = write(tmp_path, content.replace("gamma", "lam"))
    experiment = read_table(table, tmp_path, 1)[0]
    assert (experiment.method, experiment.settings["learning_rate"]) == ("slow", 0.0001)
    assert (experiment.settings["gamma"], experiment.settings["lam"]) == (0.5, 0.7)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds: [0, 1]", "seeds: []", "seeds: List should have at least 1 item"),
        (
            "seeds: [0, 1]",
            "seeds: [0, 1]\nnum_evl: 3",
            "num_evl: there is no such setting; do you mean num_eval?",
        ),
        ("methods:", "method:", "groups.0.methods: is missing"),
        ("label: tiny", "label: a b", "groups.0.label: 'a b' is not a name for a run"),
        ("n_itr: 3", "n_iter: 3", "groups.0.settings: there is no setting 'n_iter' here"),
        ("n_itr: 3", "plans: mine.yaml", "no setting 'plans' here; write a task file"),
        ("n_itr: 3", "threads: 3", "no setting 'threads' here; give reproduce its --threads"),
        ("n_itr: 3", "n_itr: many", "groups.0: ppo in SimpleDoorKey: --n_itr: must be a"),
        ("n_itr: 3", "num_envs: null", "groups.0.settings.num_envs: is empty; leave it out"),
        ("n_itr: 3", "depth_size: 32", "ppo in SimpleDoorKey: --depth_size 32: SimpleDoorKey has"),
        (
            "gamma: 0.8",
            "hard: false",
            "ppo-hard in SimpleDoorKey: --soft_planner: the method ppo-h",
        ),
        (
            "{ppo:",
            "{imitate:",
            "groups.0.of_methods: imitate is not one of the group's: ppo, ppo-hard",
        ),
        ("[ppo, ppo-hard,", "[ppo, nonsense,", "nonsense in SimpleDoorKey: unknown method"),
        (
            "[ppo, ppo-hard,",
            "[ppo, ppo,",
            "ppo SimpleDoorKey tiny-0 is there twice; leave one out, or give its group another",
        ),
        (
            "[ppo, ppo-hard,",
            "[ppo, teacher,",
            "teacher SimpleDoorKey is there twice; leave one out\n",
        ),
        (
            "[SimpleDoorKey]",
            "[Nowhere]",
            "of_tasks: SimpleDoorKey is not one of the group's: Nowhere",
        ),
        ("label: tiny", "label: tiny\n  config: no.yaml", "ppo in SimpleDoorKey: cannot read"),
    ],
)
def test_an_error_in_a_table_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    assert old in TABLE
    path = write(tmp_path, TABLE.replace(old, new))
    out = tmp_path / "out"
    code = main.main(["reproduce", str(path), "--out", str(out), "--dry_run"])
    error = capsys.readouterr().err
    assert code == 1
    assert words in error
    assert error.startswith(f"error: {path}: ")
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_run_with_other_settings_is_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = TABLE.replace("[SimpleDoorKey]", f"[{small_rooms.TASK}]").replace(
        "n_itr: 3", "n_itr: 0"
    )
    content = content.replace("of_tasks: {SimpleDoorKey", f"of_tasks: {{{small_rooms.TASK}")
    content = content.replace("[0, 1]", "[0]")
    path = write(tmp_path, content)
    ppo, hard, teacher = read_table(path, tmp_path / "log", 1)
    assert [examine(experiment).stage for experiment in (ppo, hard, teacher)] == [
        "new",
        "new",
        "to evaluate",
    ]
    assert main.main([*ppo.train, "--device", "cpu"]) == 0
    assert examine(ppo).stage == "begun"
    # As an older commit wrote it, whose method file had fewer settings.
    method = settings_of(ppo.folder)["policy"] | {"fixed": {}, "description": "as it was"}
    write_format_2(ppo.folder, {"policy": method})
    assert examine(ppo).stage == "begun"
    other = write(tmp_path, content.replace("gamma: 0.7", "gamma: 0.6"))
    capsys.readouterr()
    assert main.main(["reproduce", str(other), "--out", str(tmp_path / "log"), "--dry_run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"# ppo SimpleDoorKey tiny-0: {ppo.folder}: its gamma is 0.7, the table says 0.6; "
        "move it away, or give another --out"
    )
    assert lines[1] == "# ppo-hard SimpleDoorKey tiny-0: new"
    assert lines[2].startswith("python main.py train --task ")
    assert parse(lines[3].split()[2:]).command == "eval"


def test_a_run_that_began_with_another_model_is_another_experiment(tmp_path: Path) -> None:
    preset = tmp_path / "start.yaml"
    table = write(tmp_path, TABLE.replace("label: tiny", f"label: tiny\n  config: {preset}"))
    preset.write_text("warm_start: first.pt\nthreads: 2")
    begin(read_table(table, tmp_path, 1)[0], "")
    preset.write_text("warm_start: first.pt\nthreads: 3")
    assert examine(read_table(table, tmp_path, 1)[0]).stage == "begun"
    preset.write_text("warm_start: second.pt")
    state = examine(read_table(table, tmp_path, 1)[0])
    assert state.stage == "other"
    assert "its warm_start is 'first.pt', the table says 'second.pt'" in state.why


@pytest.mark.parametrize(
    "said",
    [
        {"success": {"mean": "much"}},
        {"success": {"mean": None}},
        {"episodes": [7]},
        {"episodes": []},
        {"provenance": {"command": ["main.py", "eval", "--hard"]}},
    ],
)
def test_a_damaged_or_different_evaluation_is_made_again(tmp_path: Path, said: Any) -> None:
    teacher = read_table(write(tmp_path, TABLE), tmp_path, 1)[-1]
    evaluate(teacher)
    assert examine(teacher) == State("finished", success=0.75)
    evaluate(teacher, **said)
    assert examine(teacher) == State("to evaluate")


@pytest.mark.parametrize("torn", ["", "[" * 20_000, '{"iteration": Infinity}', '{"iterat', "[1]"])
def test_iterations_are_read_from_the_last_whole_line(tmp_path: Path, torn: str) -> None:
    experiment = read_table(write(tmp_path, TABLE), tmp_path, 1)[0]
    assert iterations(experiment.folder) == 0
    begin(experiment, f'{{"iteration": 1}}\n{{"iteration": 2}}\n{torn}')
    assert iterations(experiment.folder) == 2
