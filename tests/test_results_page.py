"""The claims' verdicts, and the tables of README.md and docs/results.md, which are made from
records."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from commands.reports.claims import CLAIMS, cell, methods_of, sources_of
from commands.results_page import PAGES, RECORDS, filled, tables
from tests.trees import RISING, report, write_run
from utils.errors import UserError

BY_NUMBER = {claim.text.split(".")[0]: claim for claim in CLAIMS}
Successes = dict[str, Sequence[int]]
"""Method -> the successes of its runs in 100 episodes, by seed."""


def judged(folder: Path, claim: str, **tasks: Successes) -> str:
    """The cell of a claim about runs in one or more tasks; a teacher succeeds in 75%."""
    for task, methods in tasks.items():
        for method, counts in methods.items():
            for seed, count in enumerate(counts):
                final = [1] * count + [0] * (100 - count)
                name = f"run-{seed}"
                write_run(folder, name, RISING, method=method, task=task, seed=seed, final=final)
    assert report(folder) == 0
    return cell(BY_NUMBER[claim], methods_of(folder / "report" / "records.jsonl"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_the_records(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text, tables(RECORDS)) == text
    assert re.search(r"<!-- (claims|teachers|wrong_teacher steps) -->\n\|", text)


def test_the_page_of_results_is_short() -> None:
    assert len(PAGES[1].read_text(encoding="utf-8").splitlines()) <= 200


def test_the_table_of_wrong_teachers_spans_a_groups_runs(tmp_path: Path) -> None:
    late = [0.5, *[1.0] * 8]
    for name, successes, settings in (
        ("soon-0", [1.0] * 9, {}),
        ("soon-1", late, {}),
        ("soon-2", late, {}),
        ("any-0", [0.5, *late[:-1]], {"llm": "uniform"}),
        ("late-0", late, {"wrong_plans": 0.5, "uniform_share": "auto"}),
        ("doubted-0", late, {"uniform_share": "auto"}),
        ("shaky-0", late, {"wrong_plans": 0.9, "uniform_share": "auto"}),
        ("shaky-1", [0.0] * 9, {"wrong_plans": 0.9, "uniform_share": "auto"}),
        ("never-0", [0.0] * 9, {"wrong_plans": "worst"}),
        ("never-1", late, {"wrong_plans": "worst"}),
        ("never-2", late, {"wrong_plans": "worst"}),
    ):
        write_run(tmp_path, name, successes, seed=int(name[-1]), every=1000, **settings)
    assert report(tmp_path) == 0
    (tmp_path / "report" / "records.jsonl").rename(tmp_path / "wrong_teacher.jsonl")
    assert tables(tmp_path)["wrong_teacher steps"] == [
        "|teacher|doubted|SimpleDoorKey|",
        "|---|---|---|",
        "|every legal plan alike|no|7 (1 run)|",
        "|right|no|≤ 5–6|",
        # The mean of the fastest control is 5 2/3, that of the other is 7.
        "|right|yes|6 (1 run), 1.06|",
        "|50% of scenes wrong|yes|6 (1 run), 0.86|",
        "|90% of scenes wrong|yes|6–never (2 runs)|",
        "|worst plans|no|6–never|",
    ]


def test_two_groups_are_not_put_into_one_cell(tmp_path: Path) -> None:
    for name, share in (("a", "auto"), ("b", 0.5)):
        write_run(tmp_path, name, [1.0] * 9, uniform_share=share)
    assert report(tmp_path) == 0
    (tmp_path / "report" / "records.jsonl").rename(tmp_path / "wrong_teacher.jsonl")
    with pytest.raises(UserError, match="have one cell"):
        tables(tmp_path)


def test_missing_records_say_so(tmp_path: Path) -> None:
    page = "a\n<!-- claims -->\nold\n<!-- end -->\n<!-- homes success -->\nold\n<!-- end -->\nb\n"
    found = filled(page, tables(tmp_path))
    assert "|1. After equal steps, more success than RL alone|no runs yet|no runs yet|" in found
    assert "<!-- homes success -->\nNo runs yet.\n<!-- end -->\nb\n" in found
    one = judged(tmp_path, "4", SimpleDoorKey={"ppo": [90, 91], "ppo-hard": [90]})
    assert one == "fewer than two runs each"


def test_a_teacher_without_an_evaluation_is_not_called_too_few_runs(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path, f"{seed}", RISING, seed=seed)
    assert report(tmp_path) == 0
    records = methods_of(tmp_path / "report" / "records.jsonl")
    assert cell(BY_NUMBER["2"], records) == "evaluations are missing"
    assert cell(BY_NUMBER["4"], records) == "fewer than two runs each"


def test_no_difference_takes_ten_runs_of_each_side(tmp_path: Path) -> None:
    for runs, word in ((9, "not told apart"), (10, "not")):
        found = judged(
            tmp_path / word, "4", SimpleDoorKey={"ppo": [100] * runs, "ppo-hard": [100] * runs}
        )
        assert found.startswith(f"**{word}**, 0/1 tasks: +0.000 [")


def test_a_claim_that_holds_in_all_tasks_is_reproduced(tmp_path: Path) -> None:
    rooms = {"SimpleDoorKey": [96, 97, 98], "LavaDoorKey": [99, 98, 99]}
    found = judged(
        tmp_path,
        "3",
        **{
            task: {"ppo": counts, "hierarchical": [count - 40 for count in counts]}
            for task, counts in rooms.items()
        },
    )
    assert found.startswith("**reproduced**, 2/2 tasks: +0.400 [")
    assert found.endswith("; 6:6 runs")


def test_a_claim_that_holds_in_one_task_of_two_is_partly_so(tmp_path: Path) -> None:
    better = {"ppo": [96, 97, 98], "hierarchical": [50, 51, 52]}
    worse = {"ppo": [50, 51, 52], "hierarchical": [96, 97, 98]}
    found = judged(tmp_path, "3", SimpleDoorKey=better, LavaDoorKey=worse)
    assert found.startswith("**partly**, 1/2 tasks: ")


def test_a_claim_whose_opposite_holds_is_not_reproduced(tmp_path: Path) -> None:
    found = judged(tmp_path, "3", LavaDoorKey={"ppo": [50, 51, 52], "hierarchical": [96, 97, 98]})
    assert found.startswith("**not**, 0/1 tasks: -0.460 [")


def test_runs_that_differ_much_are_not_told_apart(tmp_path: Path) -> None:
    found = judged(tmp_path, "3", LavaDoorKey={"ppo": [99, 99, 99], "hierarchical": [99, 0, 99]})
    assert found.startswith("**not told apart**, 0/1 tasks: +0.330 [")


def test_a_rival_may_be_a_method_with_another_setting(tmp_path: Path) -> None:
    for seed in range(3):
        for name, successes, settings in (
            ("taught", [1.0] * 5, {}),
            ("alone", [0.0] * 5, {"method": "ppo-alone"}),
            ("exploring", [0.6] * 5, {"method": "ppo-alone", "entropy_coef": 0.005}),
        ):
            write_run(tmp_path, f"{name}-{seed}", successes, seed=seed, **settings)
    write_run(tmp_path, "alone-3", [0.0] * 5, method="ppo-alone", seed=3)
    assert report(tmp_path) == 0
    records = methods_of(tmp_path / "report" / "records.jsonl")
    assert cell(BY_NUMBER["1b"], records).startswith("**reproduced**, 1/1 tasks: +0.400 [")


def test_other_settings_than_a_methods_own_are_not_judged(tmp_path: Path) -> None:
    for seed in (0, 1):
        for method in ("ppo", "ppo-hard"):
            write_run(tmp_path, f"{seed}", RISING, method=method, seed=seed, final=[1] * 100)
        write_run(tmp_path, f"odd-{seed}", [0], method="ppo-hard", seed=seed, n_itr=1, clip=0.1)
    assert report(tmp_path) == 0
    records = tmp_path / "report" / "records.jsonl"
    assert len([json.loads(line) for line in records.read_text().splitlines()]) == 6
    assert cell(BY_NUMBER["4"], methods_of(records)).startswith(
        "**not told apart**, 0/1 tasks: +0.000 ["
    )


def test_success_while_training_is_a_mean_over_steps(tmp_path: Path) -> None:
    """Late evaluations lie closer to each other."""
    late = [100, 500, 900, 950, 1000]
    for seed in (0, 1):
        for name, successes, settings in (
            ("recorded", [1.0] * 5, {}),
            ("uniform", [0, 0, 1, 1, 1], {"llm": "uniform"}),
        ):
            write_run(tmp_path, f"{name}-{seed}", successes, seed=seed, steps=late, **settings)
    assert report(tmp_path) == 0
    (tmp_path / "report" / "records.jsonl").rename(tmp_path / "llms.jsonl")
    # Uniform: 0 up to 500 steps, then a line to 1 at 900, then 1: 0.3 of the area.
    found = cell(BY_NUMBER["6a"], sources_of(tmp_path / "llms.jsonl"))
    assert found.startswith("**reproduced**, 1/1 tasks: +0.700 [")


def test_a_claim_about_an_llm_compares_its_students_with_those_of_all_legal_plans(
    tmp_path: Path,
) -> None:
    for seed in range(3):
        for name, successes, settings in (
            ("recorded", [0.5, 0.9, 1.0 - seed / 50], {}),
            ("uniform", [0.1, 0.5, 1.0 - seed / 50], {"llm": "uniform"}),
        ):
            write_run(tmp_path, f"{name}-{seed}", successes, seed=seed, **settings)
    assert report(tmp_path) == 0
    records = tmp_path / "report" / "records.jsonl"
    records.rename(tmp_path / "llms.jsonl")
    found = cell(BY_NUMBER["6a"], sources_of(tmp_path / "llms.jsonl"))
    assert found.startswith("**reproduced**, 1/1 tasks: +0.333 [+0.3")
    assert found.endswith("; 3:3 runs")
    assert sources_of(tmp_path / "none.jsonl") == {}


def test_runs_of_the_papers_schedule_are_shown_beside_their_teacher_and_after_it(
    tmp_path: Path,
) -> None:
    shares = [0.0, *[0.9] * 5, 0.2, 0.1]
    schedule = {"schedule": "linear", "kl_until": 6, "eval_interval": 1}
    write_run(tmp_path, "run", shares, seed=3, final=[1, 0, 0, 0], **schedule)
    write_run(tmp_path, "alone", shares, method="ppo-alone", seed=3, **schedule)
    assert report(tmp_path) == 0
    (tmp_path / "report" / "records.jsonl").rename(tmp_path / "paper.jsonl")
    assert tables(tmp_path)["paper runs"] == [
        "|task|seed|beside its teacher|at the end|",
        "|---|---|---|---|",
        "|SimpleDoorKey|3|0.900|0.250 [0.046, 0.699]|",
    ]
