"""`main.py report`: what it reads, counts, leaves out and writes."""

import json
import re
import shutil
import subprocess
import sys
from math import hypot
from pathlib import Path

import imageio.v3 as iio
import pytest

from tests.running import ROOT, write_format_2
from tests.trees import RISING, numbers, report, table, write_run
from utils.files import write_json
from utils.statistics import share_of

VERSION_1 = Path(__file__).parent.parent / "data" / "config_of_version_1.json"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods of two runs, and an ablation of one."""
    logdir = tmp_path_factory.mktemp("tree") / "log"
    write_run(logdir, "a-0", RISING, seed=0, final=[1, 1, 1, 1])
    write_run(logdir, "a-1", RISING, seed=1, every=200, final=[1, 1, 0, 0])
    write_run(logdir, "b-0", RISING[:8], seed=0, method="ppo-alone", final=[1, 0, 0, 0])
    write_run(logdir, "b-1", RISING[:8], seed=1, method="ppo-alone", final=[1, 1, 0, 0])
    write_run(logdir, "c", RISING, gae=True, final=[0, 0, 0, 0])
    return logdir


@pytest.fixture(scope="module")
def written(tree: Path) -> Path:
    assert report(tree) == 0
    return tree / "report"


def test_intervals_are_those_counted_by_hand(written: Path) -> None:
    # Two runs: Student's t for one degree of freedom is 12.7, so a success's interval is cut.
    found = numbers(written, "final", group="ppo")
    assert found["final success"] == [0.75, 0, 1]
    # That of returns, 0.9 and 0.45, is not: in homes they may be anything. Rooms make it longer.
    value, low, high = found["final return"]
    assert value == pytest.approx(0.675)
    assert low is not None
    assert high is not None
    assert value - 1.1 * 12.7 * 0.225 < low < value - 12.7 * 0.225
    assert value + 12.7 * 0.225 < high < value + 1.1 * 12.7 * 0.225
    assert numbers(written, "final", group="ppo-alone")["final success"] == [0.375, 0, 1]


def test_a_success_is_held_at_the_last_of_five_evaluations(written: Path) -> None:
    early = numbers(written, "thresholds", group="ppo", success="0.8")
    assert early["steps"] == pytest.approx([1050, 0, 1050 + 12.706 * 350], abs=1)
    assert early["seconds"] == [14, 14, 14]
    late = numbers(written, "thresholds", group="ppo", success="0.95")
    assert late["steps"][0] == 1650
    missed = {"reached by": "0 of 2"}
    never = numbers(written, "thresholds", group="ppo-alone", success="0.95", **missed)
    assert never["steps"] == [None, None, None]


def test_methods_are_compared_within_as_many_steps_as_the_shortest_run_had(written: Path) -> None:
    # 800 steps: of ppo the evaluations 4 to 8 of one run, 1 to 4 of the other.
    found = numbers(written, "budget", group="ppo", steps="0.8 k")
    assert found["success"][0] == pytest.approx((0.84 + 0.525) / 2)
    found = numbers(written, "budget", group="ppo-alone", steps="0.8 k")
    # Both runs have 0.84, so only the ten rooms of an evaluation leave a doubt.
    low, high = share_of(8, 10)[1:]
    assert found["success"] == pytest.approx([0.84, low, high])


def test_methods_are_compared_by_pairs_of_seeds(written: Path) -> None:
    found = numbers(written, "methods", group="ppo", against="ppo-alone")
    # The pairs differ by 0.75 and 0.
    assert found["success difference"] == pytest.approx([0.375, -1, 1])
    assert found["success difference within equal steps"][0] == pytest.approx((0 - 0.315) / 2)
    assert found["steps to 0.95 difference"] == [None, None, None]
    (line,) = {line["success shows"] for line in table(written) if line["table"] == "methods"}
    assert line == "not told apart"


def test_student_against_teacher(written: Path) -> None:
    found = numbers(written, "teacher", group="ppo")
    assert found["teacher's success"][0] == 0.75
    # The student's [0, 1], with the interval of 3 of 4 episodes.
    low, high = share_of(3, 4)[1:]
    ends = [-hypot(0.75, high - 0.75), hypot(0.25, 0.75 - low)]
    assert found["success difference"] == pytest.approx([0, *ends])


def test_an_ablation_is_named_by_what_differs_and_one_run_has_no_interval(written: Path) -> None:
    found = numbers(written, "ablations", group="ppo --gae", runs="1 : 2")
    assert found["success difference"] == [-0.75, None, None]
    single = [line for line in table(written) if line["group"] == "ppo --gae"]
    over_seeds = {line["number"] for line in single if line["interval"] == "seeds"}
    assert not over_seeds
    assert "A single run has no interval over seeds" in (written / "index.html").read_text()


def test_the_page_shows_the_numbers_of_the_csv_and_loads_nothing(written: Path) -> None:
    page, markdown = ((written / name).read_text() for name in ("index.html", "report.md"))
    for line in table(written):
        shown = [float(line[end]) for end in ("value", "low", "high") if line[end]]
        is_success = line["number"] in ("final success", "success difference")
        if line["table"] in ("final", "methods") and is_success and len(shown) == 3:
            form = "{:+.3f}" if line["table"] == "methods" else "{:.3f}"
            text = f"{form} [{form}, {form}]".format(*shown)
            assert text in page
            assert text in markdown
    assert not re.search(r"""(src|href|url|@import)[=\s("']+(https?:)?//""", page)
    assert "<script" not in page
    assert page.count("<svg") == page.count("</svg>") == len(list(written.glob("figures/*.svg")))
    identities = re.findall(r'\bid="([^"]+)"', page)
    for used in re.findall(r'(?:url\(|href=")#([^")]+)', page):
        assert identities.count(used) == 1
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", markdown):
        assert iio.imread(written / link).std() > 0


def test_the_same_tree_gives_the_same_bytes(tree: Path, written: Path, tmp_path: Path) -> None:
    assert report(tree, "--out", tmp_path / "again") == 0
    files = sorted(path.relative_to(written) for path in written.rglob("*.*"))
    assert files == sorted(p.relative_to(tmp_path / "again") for p in tmp_path.glob("again/**/*.*"))
    for file in files:
        assert (written / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_an_older_report_is_replaced_whole_and_nothing_else_is(
    tree: Path, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written, out)
    (out / "figures" / "old.png").touch()
    assert report(tree, "--out", out) == 0
    assert not (out / "figures" / "old.png").exists()
    (out / "thesis.tex").touch()
    before = sorted(out.rglob("*"))
    assert report(tree, "--out", out) == 1
    assert "holds thesis.tex, which is not part of a report" in capsys.readouterr().err
    assert sorted(out.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_is_no_whole_report_stays(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "paper" / "figures" / "own.png"
    own.parent.mkdir(parents=True)
    own.touch()
    assert report(tree, "--out", tmp_path / "paper") == 1
    assert "holds figures but no curves.csv, so it is not a report" in capsys.readouterr().err
    assert own.exists()


def test_links_are_followed_and_no_run_counts_twice(tmp_path: Path) -> None:
    tree = tmp_path / "log"
    run = write_run(tree, "run", RISING)
    (run.parent / "latest").symlink_to(run)
    (tree / "loop").symlink_to(tree)
    far = write_run(tmp_path / "far", "run", RISING, seed=1)
    (run.parent / "other").symlink_to(far)
    assert report(tree) == 0
    names = [line["run"] for line in table(tree / "report", "runs.csv")]
    assert names == ["ppo/simpledoorkey/run", "ppo/simpledoorkey/other"]


def test_tasks_of_nearly_one_name_have_figures_of_their_own(tmp_path: Path) -> None:
    text = (
        Path("configs/simpledoorkey.yaml").read_text().replace("plans/", f"{ROOT}/configs/plans/")
    )
    for name in ("My_Room", "My-Room"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text.replace("name: SimpleDoorKey", f"name: {name}"))
        write_run(tmp_path / "log", "a", RISING, task=str(file))
    assert report(tmp_path / "log") == 0
    figures = tmp_path / "log" / "report" / "figures"
    for name in ("my_room", "my-room"):
        assert (figures / f"curves-{name}-success-steps.png").is_file()


def test_each_teacher_is_named_where_there_are_several(tmp_path: Path) -> None:
    for noise in (0.0, 1.0):
        settings = {"task": "NavPick", "final": [1], "navigate_noise": noise}
        write_run(tmp_path / f"noise-{noise:.0f}", "a", RISING, **settings)
    assert report(tmp_path / "noise-0", tmp_path / "noise-1") == 0
    figures = tmp_path / "noise-0" / "report-against-noise-1" / "figures"
    for name in ("final-success", "curves-navpick-success-steps"):
        drawn = (figures / f"{name}.svg").read_text()
        assert "teacher alone, of ppo, noise-0" in drawn
        assert "teacher alone, of ppo, noise-1" in drawn


def test_what_cannot_be_read_is_listed_and_the_rest_is_reported_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_run(tmp_path, "good", RISING, n_itr=20)
    with (good / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 12, "Train/St')
    place = good.parent
    write_run(tmp_path, "begun", [])
    metrics = write_run(tmp_path, "early", [0.1]) / "metrics.jsonl"
    metrics.write_text('{"iteration": 1, "Train/Steps": 100, "Speed/Seconds": 2.0}\n')
    (place / "claimed").mkdir()
    (place / "lost").mkdir()
    shutil.copy(metrics, place / "lost")
    (place / "old").mkdir()
    shutil.copy(VERSION_1, place / "old" / "config.json")
    changed = {"nobody": {"task": 7}, "untested": {"num_eval": 0}}
    for name, settings in changed.items():
        write_format_2(write_run(tmp_path, name, RISING), settings)
    (place / "torn").mkdir()
    (place / "torn" / "config.json").write_text('{"format": 2, "seed"')
    write_run(tmp_path, "twin", RISING[:9], n_itr=20)
    assert report(tmp_path) == 0
    out = capsys.readouterr().out
    page = (tmp_path / "report" / "index.html").read_text()
    for name, why in {
        "begun": "it has no iteration yet",
        "early": "it has no evaluation yet",
        "claimed": "it is empty",
        "lost": "there is no config.json in it",
        "old": f"{place}/old/config.json is of version 1 of runs' format, not 3; git commit",
        "torn": "cannot read config.json: ",
        "nobody, ppo/simpledoorkey/untested": "config.json does not hold the settings of a run",
        "twin": "it has the settings and the seed of ppo/simpledoorkey/good",
    }.items():
        assert f"left out: ppo/simpledoorkey/{name}: {why}" in out
        places = f"ppo/simpledoorkey/{name}".replace(", ", "</code>, <code>")
        assert f"left out: <code>{places}</code>: {why}".replace("'", "&#39;") in page
    for place, what in (
        ("ppo/simpledoorkey/good", "1 of 12 lines of metrics.jsonl cannot be read"),
        ("ppo/simpledoorkey/good (11 of 20 iterations)", "unfinished"),
    ):
        assert f"note: {place}: {what}" in out
        assert f"note: <code>{place}</code>: {what}" in page
    (run,) = table(tmp_path / "report", "runs.csv")
    assert (run["iterations"], run["planned"], run["steps_to_0.8"]) == ("11", "20", "700.0")
    assert "1 (1 unfinished)" in page


def test_a_folder_without_runs_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path) == 1
    words = "holds no run to report on, as <method>/<task>/<run>"
    assert capsys.readouterr().err == f"error: {tmp_path} {words}\n"
    nowhere = tmp_path / "nowhere"
    assert report(nowhere) == 1
    assert capsys.readouterr().err == f"error: {nowhere}: there is no such folder or file\n"
    (tmp_path / "ppo").mkdir()
    assert report(tmp_path) == 1
    assert capsys.readouterr().err == f"error: {tmp_path} {words}; left out: ppo: it is empty\n"
    assert report(tmp_path, tmp_path / "ppo") == 1
    assert "two trees must lie apart" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_the_error_for_a_folder_of_records_names_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).touch()
    assert report(tmp_path) == 1
    advice = "for the records of an earlier report give the file, such as"
    assert capsys.readouterr().err.endswith(f"; {advice} {tmp_path / 'a.jsonl'}\n")


def test_runs_that_were_trained_are_reported_on(trained: Path) -> None:
    assert report(trained) == 0
    (run,) = table(trained / "report", "runs.csv")
    verdict = json.loads((trained / run["run"] / "verdict.json").read_text())
    assert float(run["success"]) == verdict["last"]["success"]["mean"]
    assert (run["from"], run["iterations"]) == ("verdict.json", "8")


def test_an_evaluation_without_its_numbers_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path, "run", RISING)
    none = {"mean": None, "low": None, "high": None}
    write_json(run / "verdict.json", {"last": {"success": none, "return": none, "episodes": []}})
    other = write_run(tmp_path, "other", [*RISING, 7], seed=1)
    write_json(other / "verdict.json", {"last": {"success": "high"}})
    torn = write_run(tmp_path, "torn", RISING, seed=2)
    (torn / "verdict.json").write_text('{"last"')
    write_json(run.parent / "teacher" / "eval" / "eval.json", {"actor": "teacher"})
    assert report(tmp_path) == 0
    lines = table(tmp_path / "report", "runs.csv")
    assert {line["run"].rpartition("/")[2] for line in lines} == {"run", "other", "torn"}
    assert "torn: verdict.json is left out: " in capsys.readouterr().out
    for line in lines:
        assert (line["success"], line["from"]) == ("0.96", "the last 5 of metrics.jsonl")


def test_a_report_needs_no_pytorch() -> None:
    code = "import commands.report, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
