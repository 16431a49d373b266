"""What a report reads from runs: the evaluation that counts, their teacher, their curves."""

import json
from pathlib import Path

import pytest

from commands.provenance import digest
from commands.reports.estimates import curve
from commands.reports.log_tree import read_tree
from commands.reports.run_groups import groups_of
from planner.task import load_task
from tests import small_rooms
from tests.running import ROOT
from tests.trees import RISING, numbers, report, table, write_evaluation, write_run
from utils.files import write_json


def test_the_final_result_is_the_last_models_evaluation_with_most_episodes(tmp_path: Path) -> None:
    run = write_run(tmp_path, "run", [0.5] * 6, final=[1, 0])
    last = {"model": "acmodel.pt", "iteration": 6}
    assert read_tree(tmp_path, "log").runs[0].final.source == "verdict.json"
    write_evaluation(run, "few", [1], **last)
    write_evaluation(run, "unseen", [1, 1, 0], **last)
    write_evaluation(run, "likeliest", [1] * 9, **last | {"deterministic": True})
    write_evaluation(run, "best", [1] * 9, **last | {"model": "best.pt"})
    write_evaluation(run, "before", [1] * 9, **last | {"iteration": 5})
    write_evaluation(run, "elsewhere", [1] * 9, **last, simulator="habitat")
    (run / "broken").mkdir()
    (run / "broken" / "eval.json").write_text("{")
    tree = read_tree(tmp_path, "log")
    final = tree.runs[0].final
    assert (final.source, final.episodes) == ("unseen/eval.json", 3)
    assert final.success.value == pytest.approx(2 / 3)
    assert len(tree.notes) == 1
    assert "broken/eval.json is left out" in tree.notes[0][1]


def test_a_hierarchical_student_is_judged_with_the_options_of_its_training(tmp_path: Path) -> None:
    homes = {"task": "NavPick", "navigate_noise": 1.5}
    for method, clean in (("hierarchical", "verdict.json"), ("ppo", "clean/eval.json")):
        run = write_run(tmp_path, method, [0.5] * 6, method=method, final=[1, 0], **homes)
        last = {"model": "acmodel.pt", "iteration": 6}
        write_evaluation(run, "clean", [1] * 9, **last, navigate_noise=0.0)
        (found,) = (run for run in read_tree(tmp_path, "log").runs if run.method == method)
        assert found.final.source == clean
        write_evaluation(run, "noisy", [1, 0] * 9, **last, navigate_noise=1.5)
        (found,) = (run for run in read_tree(tmp_path, "log").runs if run.method == method)
        assert found.final.source == "noisy/eval.json"


def test_each_evaluation_seed_is_an_episode(tmp_path: Path) -> None:
    seeds = {"env_seed_list": list(range(100)), "num_eval": 10}
    write_run(tmp_path, "run", [0, 0.87, 0.88, 0.86, 0.88, 0.88], **seeds)
    final = read_tree(tmp_path, "log").runs[0].final
    assert (final.episodes, final.success.value) == (500, pytest.approx(0.874))


def test_of_two_runs_with_one_seed_and_different_files_one_is_left_out(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        write_run(tmp_path, name, [0.5] * 6, warm_start=f"{name}.pt")
    tree = read_tree(tmp_path, "log")
    groups_of(tree)
    assert tree.left_out == [
        (
            "ppo/simpledoorkey/b",
            "it has the settings and the seed of ppo/simpledoorkey/a (both with --loaddir; "
            "which files they read does not count)",
        )
    ]


def test_without_a_final_evaluation_the_last_five_count(tmp_path: Path) -> None:
    write_run(tmp_path, "run", [0, 0.5, 0.6, 0.7, 0.8, 0.9])
    final = read_tree(tmp_path, "log").runs[0].final
    assert (final.episodes, final.success.value) == (50, 0.7)
    assert final.returns.value == pytest.approx(0.63)


def test_a_group_gets_the_evaluation_of_its_own_teacher(tmp_path: Path) -> None:
    run = write_run(tmp_path, "run", RISING, final=[1, 1])
    place = run.parent / "teacher"
    own = digest(load_task("SimpleDoorKey").plans)
    says = {"actor": "teacher", "hard": False, "llm": None, "train_option": None}
    write_evaluation(place, "other_plans", [0] * 9, plans="other", **says)
    write_evaluation(place, "noisy", [0] * 9, navigate_noise=1.0, **says)
    write_evaluation(place, "elsewhere", [0] * 9, simulator="habitat", **says)
    write_evaluation(place, "asked", [0] * 9, **says | {"llm": {"name": "vicuna", "model": None}})
    (group,) = groups_of(read_tree(tmp_path, "log"))
    assert group.teacher
    assert group.teacher.source == "verdict.json"
    write_evaluation(place, "unseen", [1, 1, 1, 1, 0], plans=own, **says)
    (group,) = groups_of(read_tree(tmp_path, "log"))
    assert group.teacher
    assert (group.teacher.source, group.teacher.success.value) == ("teacher/unseen/eval.json", 0.8)
    write_evaluation(place, "hard", [0] * 9, plans=own, **says | {"hard": True})
    (group,) = groups_of(read_tree(tmp_path, "log"))
    assert group.teacher
    assert group.teacher.source == "teacher/hard/eval.json"


def test_a_folder_of_runs_is_not_taken_for_a_broken_run(tmp_path: Path) -> None:
    write_run(tmp_path / "my_table", "run", RISING)
    (tmp_path / "my_table" / "owner.lock").touch()
    tree = read_tree(tmp_path, "log")
    assert [run.name for run in tree.runs] == ["my_table/ppo/simpledoorkey/run"]
    assert not tree.left_out


def test_of_groups_with_equally_many_runs_the_longest_trained_is_the_main_one(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, "a-trial", [0], n_itr=1)
    write_run(tmp_path, "real", RISING, gae=True)
    labels = {
        group.runs[0].iterations: group.label for group in groups_of(read_tree(tmp_path, "log"))
    }
    assert labels[11] == "ppo"
    assert labels[1].startswith("ppo --")


def test_a_curve_is_the_mean_of_the_runs_that_got_so_far(tmp_path: Path) -> None:
    write_run(tmp_path, "long", [0, 1, 1, 1], seed=0, n_itr=4)
    write_run(tmp_path, "quick", [1, 1, 1, 1], seed=1, every=50, n_itr=4)
    write_run(tmp_path, "stopped", [0, 0.5], seed=2, n_itr=4)
    (group,) = groups_of(read_tree(tmp_path, "log"))
    line = curve(group, "steps", "success")
    assert line
    assert (line.x[0], line.x[-1]) == (100, 400)
    at = {round(x): number for number, x in enumerate(line.x.tolist())}
    # Halfway between evaluations: 0.5, the end of the quick one, and 0.25.
    halfway = at[151]
    assert line.value[halfway] == pytest.approx((0.51 + 1 + 0.255) / 3)
    assert line.runs[halfway] == 3
    assert line.runs[-1] == 2
    assert (line.value[-1], line.low[-1], line.high[-1]) == (1, 1, 1)


def test_a_success_at_the_fifth_evaluation_is_an_upper_bound(
    tmp_path: Path,
) -> None:
    for method, every in (("ppo", 100), ("ppo-alone", 200)):
        for seed in (0, 1):
            success = [1] * 11 if method == "ppo" or seed else RISING
            write_run(tmp_path, f"{seed}", success, method=method, seed=seed, every=every)
    assert report(tmp_path) == 0
    folder = tmp_path / "report"
    of = {"group": "ppo", "success": "0.95", "each run": "≤ 0.5 k, ≤ 0.5 k"}
    assert numbers(folder, "thresholds", **of)["steps"] == [500, 500, 500]
    assert "| ≤ 0.5 k [0.5 k, 0.5 k] | ≤ 10 s [10 s, 10 s] |" in (folder / "report.md").read_text()
    late = numbers(folder, "thresholds", success="0.95", **{"each run": "2.2 k, ≤ 1.0 k"})
    assert late["steps"][0] == 1600
    assert "| ≤ 1.6 k [0.0 k, 9.2 k] |" in (folder / "report.md").read_text()
    # A bound has no difference.
    found = numbers(folder, "methods", group="ppo")
    assert found["steps to 0.95 difference"] == [None, None, None]


@pytest.mark.parametrize(
    ("threshold", "episodes", "counts"),
    [(0.95, 24, [23, 23, 23, 23, 22]), (0.8, 30, [25, 25, 25, 22, 23]), (0.8, 10, [8] * 5)],
)
def test_a_success_is_reached_exactly_at_its_threshold(
    tmp_path: Path, threshold: float, episodes: int, counts: list[int]
) -> None:
    shares = [count / episodes for count in counts]
    write_run(tmp_path, "at", shares, num_eval=episodes)
    (run,) = read_tree(tmp_path, "log").runs
    assert run.reached(threshold).steps == 500


def test_a_quick_run_has_the_interval_of_its_few_episodes(tmp_path: Path) -> None:
    write_run(tmp_path, "quick", [0.8] * 5, num_eval=50, quick=True)
    (run,) = read_tree(tmp_path, "log").runs
    assert run.final.episodes == 25
    assert run.final.success.low < 0.4


def test_a_success_that_one_run_never_reached_has_no_bound(tmp_path: Path) -> None:
    for seed, share in ((0, 1), (1, 0.1)):
        write_run(tmp_path, f"{seed}", [share] * 10, seed=seed)
    assert report(tmp_path) == 0
    lines = (tmp_path / "report" / "report.md").read_text()
    assert "| 0.95 | 1 of 2 | ≤ 0.5 k, never | – | – |" in lines


def test_an_impossible_success_is_left_out_with_a_reason(tmp_path: Path) -> None:
    run = write_run(tmp_path, "run", [0.5] * 6, final=[1, 0])
    last = {"model": "acmodel.pt", "iteration": 6}
    write_evaluation(run, "five", [1, 1, 0], **last)
    write_evaluation(run.parent / "teacher", "five", [1], actor="teacher")
    for folder in (run, run.parent / "teacher"):
        file = folder / "five" / "eval.json"
        content = json.loads(file.read_text())
        content["success"]["mean"] = 5
        write_json(file, content)
    tree = read_tree(tmp_path, "log")
    why = "a success of 5 is not between 0 and 1"
    assert tree.runs[0].final.source == "verdict.json"
    assert tree.notes == [(tree.runs[0].name, f"five/eval.json is left out: {why}")]
    assert not tree.teachers
    assert tree.left_out == [("ppo/simpledoorkey/teacher/five", why)]


def test_missing_iterations_are_noted(tmp_path: Path) -> None:
    metrics = write_run(tmp_path, "run", [0.5] * 9, n_itr=9) / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:3] + lines[5:]))
    tree = read_tree(tmp_path, "log")
    note = "metrics.jsonl lacks 2 of 9 iterations, the first is 4"
    assert tree.notes == [("ppo/simpledoorkey/run", note)]


def test_a_teacher_that_kept_to_its_students_memory_is_not_one_that_sees_everything(
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path, "run", [0.5] * 6, final=[1, 0], teacher_sees="everything")
    verdict = json.loads((run / "verdict.json").read_text())
    for advice, narrowed in (
        ({"only_memory": True}, True),
        ({"only_memory": False}, False),
        ([], False),
    ):
        write_json(run / "verdict.json", verdict | {"advice": advice})
        (read,) = read_tree(tmp_path, "log").runs
        assert (read.teacher is None) == narrowed
        assert any("student's memory" in note for note in read.notes) == narrowed


def test_two_prompts_are_two_groups_with_names_of_their_own(tmp_path: Path) -> None:
    task = Path(small_rooms.TASK).read_text().replace("../configs/", f"{ROOT}/configs/")
    asked = {"llm": "local", "llm_mode": "score"}
    for number, goal in enumerate(("Open the door.", "Open it.", "Out!")):
        file = tmp_path / f"task{number}.yaml"
        file.write_text(task.replace("Open the door.", goal))
        run = {"task": str(file), **(asked if number else {})}
        for seed in (0,) if number else (0, 1):
            last = write_run(tmp_path / "log", f"prompt{number}-{seed}", RISING, seed=seed, **run)
        if number:
            says = {"instructions": digest(load_task(str(file)).instructions)}
            says |= {"actor": "teacher", "llm": {"name": "local", "llm_mode": "score"}}
            success = [1] * number + [0] * (4 - number)
            write_evaluation(last.parent / "teacher", f"eval{number}", success, **says)
    groups = groups_of(read_tree(tmp_path / "log", "log"))
    labels = [group.label for group in groups]
    assert labels[0] == "ppo"
    assert len({*labels}) == 3
    for label in labels[1:]:
        assert label.startswith("ppo --llm local --llm_mode score instructions ")
    alone = {group.runs[0].name: group.teacher.success.value for group in groups if group.teacher}
    assert alone == {f"ppo/{last.parent.name}/prompt{n}-0": n / 4 for n in (1, 2)}
    assert report(tmp_path / "log") == 0
    lines = [line for line in table(tmp_path / "log" / "report") if line["table"] == "teachers"]
    found = [line["value"] for line in lines if line["number"] == "teacher's success"]
    assert sorted(found) == ["", "0.25", "0.5"]


def test_a_teacher_whose_evaluation_is_older_than_a_setting_had_its_default(tmp_path: Path) -> None:
    for name, settings in (("any", {}), ("clean", {"max_contacts": 1})):
        run = write_run(tmp_path, name, RISING, task="NavPick", **settings)
    write_evaluation(run.parent / "teacher", "eval", [1, 0], actor="teacher", task="NavPick")
    found = {group.label: group.teacher for group in groups_of(read_tree(tmp_path, "log"))}
    assert found["ppo"]
    assert found["ppo"].success.value == 0.5
    assert found["ppo --max_contacts 1"] is None
