"""Trees of runs beside each other, and several tasks at once."""

from pathlib import Path

import pytest
from matplotlib.textpath import TextPath

from commands.reports.estimates import Number
from commands.reports.figures import Mark, intervals
from commands.reports.pictures import folded
from tests.trees import RISING, numbers, report, table, write_run
from utils.statistics import Estimate, apart, average, share_of


def test_two_trees_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        before, after = tmp_path / "before", tmp_path / "after"
        write_run(before, f"a-{seed}", RISING, seed=seed, final=[1, 0] * 50)
        write_run(after, f"a-{seed}", RISING, seed=seed, every=50, final=[1] * 200, clip=0.1)
    write_run(before, "alone", RISING, method="ppo-alone")
    assert report(after, before) == 0
    folder = after / "report-against-before"
    assert f"wrote {folder / 'index.html'}" in capsys.readouterr().out
    of = {"settings in after": "--clip 0.1", "group": "ppo"}
    success = numbers(folder, "trees", measure="success", **of)
    # Equal runs: only the rooms leave a doubt.
    one, other = share_of(200, 200), share_of(50, 100)
    assert success == {
        "after": pytest.approx(one),
        "before": pytest.approx(other),
        "after minus before": pytest.approx(apart(one, other)),
    }
    lines = [line for line in table(folder) if line["measure"] == "success"]
    assert {line["shows"] for line in lines} == {"more"}
    steps = numbers(folder, "trees", measure="steps to 0.95", **of)
    assert steps["after minus before"] == [-550, -550, -550]
    page = (folder / "index.html").read_text()
    assert "Only in one tree: SimpleDoorKey, ppo-alone (before)." in page
    words = "Final evaluations differ in their number of episodes: "
    assert f"{words}SimpleDoorKey, ppo (200 against 100)." in page


def test_upper_bounds_have_no_difference(tmp_path: Path) -> None:
    for name, every in (("before", 100), ("after", 50)):
        write_run(tmp_path / name, "a", [1] * 6, every=every)
    assert report(tmp_path / "after", tmp_path / "before") == 0
    folder = tmp_path / "after" / "report-against-before"
    assert numbers(folder, "trees", measure="steps to 0.95") == {
        "after": [250, None, None],
        "before": [500, None, None],
        "after minus before": [None, None, None],
    }


def test_trees_without_a_common_group_are_shown_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "mine", "a", RISING)
    write_run(tmp_path / "yours", "a", RISING, method="ppo-alone")
    assert report(tmp_path / "mine", tmp_path / "yours") == 0
    said = capsys.readouterr().out
    assert "note: the trees share no group; each is shown on its own\n" in said
    assert "Final success and return" in said
    assert "Differences between methods" in said


def test_a_method_of_one_tree_is_compared_with_the_other_trees_methods(tmp_path: Path) -> None:
    mine, yours = tmp_path / "mine", tmp_path / "yours"
    write_run(mine, "a", RISING, final=[1, 0])
    write_run(yours, "a", RISING, final=[1, 0])
    write_run(yours, "b", RISING, method="ppo-alone", final=[0, 0])
    write_run(yours, "c", RISING, task="ColoredDoorKey", final=[1, 0])
    assert report(mine, yours) == 0
    folder = mine / "report-against-yours"
    lines = [line for line in table(folder) if line["table"] == "methods"]
    pairs = {(line["tree"], line["group"], line["against"]) for line in lines}
    assert pairs == {
        ("mine against yours", "ppo", "ppo-alone"),
        ("yours", "ppo", "ppo-alone"),
    }
    found = numbers(folder, "methods", tree="mine against yours")
    assert found["success difference"] == [0.5, None, None]


def test_trees_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for place in ("mine", "yours"):
        write_run(tmp_path / place / "log", "a", RISING)
    out = tmp_path / "out"
    assert report(tmp_path / "mine" / "log", tmp_path / "yours" / "log", "--out", out) == 0
    assert {line["tree"] for line in table(out, "runs.csv")} == {"mine/log", "yours/log"}


def test_over_several_tasks_all_tasks_count_alike(tmp_path: Path) -> None:
    for task, final in (("SimpleDoorKey", [1, 1]), ("LavaDoorKey", [0, 0])):
        for method in ("ppo", "ppo-alone"):
            for seed in (0, 1):
                write_run(
                    *(tmp_path, f"{method}-{seed}", RISING),
                    **{"task": task, "method": method, "seed": seed, "final": final},
                )
    write_run(tmp_path, "more", RISING, method="ppo-alone", task="ColoredDoorKey", final=[1, 1])
    assert report(tmp_path) == 0
    of = {"group": "ppo", "tasks": "LavaDoorKey, SimpleDoorKey", "runs": "2 + 2"}
    assert numbers(tmp_path / "report", "overall", **of)["final success"] == pytest.approx(
        average([share_of(2, 2), share_of(0, 2)])
    )
    both = numbers(tmp_path / "report", "methods", task="2 common tasks", runs="4 : 4")
    assert both["success difference"][0] == 0


def test_a_small_difference_is_none_only_within_a_margin(tmp_path: Path) -> None:
    lost = {"ppo": 0, "ppo-hard": 4, "ppo-alone": 300}
    for method, failures in lost.items():
        for seed in range(10):
            final = [0] * (failures + seed % 2) + [1] * (1000 - failures - seed % 2)
            write_run(tmp_path, f"{seed}", RISING, method=method, seed=seed, final=final)
    for margin, small in (("0.02", "no difference"), ("0.005", "not told apart")):
        assert report(tmp_path, "--margin", margin) == 0
        lines = [line for line in table(tmp_path / "report") if line["table"] == "methods"]
        shown = {(line["group"], line["against"]): line["success shows"] for line in lines}
        assert shown["ppo", "ppo-hard"] == small
        assert shown["ppo", "ppo-alone"] == "more"
    assert report(tmp_path, "--margin", "0") == 1


def test_the_axis_of_a_small_difference_has_few_ticks() -> None:
    row = Mark("ppo", Number(Estimate(-0.01, -0.02, 0.0), "difference"))
    drawn = intervals("trees-success", "trees", "success", "mine minus yours", [row], 0)
    assert 2 <= drawn.svg.count('id="xtick_') <= 6


def test_a_tree_that_is_given_twice_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path, tmp_path / "..", "--out", tmp_path / "out") == 1
    assert "two trees must lie apart" in capsys.readouterr().err
    assert report(tmp_path, tmp_path, "--out", tmp_path / "out") == 1
    words = f"error: {tmp_path} is given twice: give one tree, or two that differ\n"
    assert capsys.readouterr().err == words


def test_labels_fold_by_their_width() -> None:
    for text in ("M" * 200, "i" * 200, "ppo --gae " * 20):
        lines = folded(text, 4, 9).split("\n")
        widths = [TextPath((0, 0), line, size=9).get_extents().width for line in lines]
        assert 2 * 72 < max(widths) <= 4 * 72 + 1
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
