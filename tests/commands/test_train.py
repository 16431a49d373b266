"""Training as users start it: what a run writes, what it says, and what it is called."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as iio
import pytest
import rich
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import main
from algos import checkpoint
from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer
from commands import build
from commands.observers.display import Display
from commands.observers.metrics import Metrics
from commands.run_files import METRICS, read_lines
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from planner.task import load_task
from tests import small_rooms
from tests.planner.servers import plans, serve
from tests.running import (
    ROOT,
    SCALARS,
    SMALL,
    TESTS,
    assert_same_run,
    done,
    observed,
    runs_of,
    scalars,
    settings_of,
    train,
)
from utils import seeding
from utils.ranks import Ranks


def test_a_run_folder_holds_what_is_needed(trained: Path) -> None:
    folder = runs_of(trained) / "whole"
    names = {path.name.split(".")[0] for path in folder.iterdir()}
    kept = {"acmodel", "best", "checkpoint", "config", "events", "metrics", "owner", "verdict"}
    assert names == kept
    shown = scalars(folder)
    assert {name: shown[name] for name in SCALARS} == {name: [*range(1, 9)] for name in SCALARS}
    for name in TESTS:
        assert shown[name] == [*range(1, 9)]
    assert shown["Test/Success Rate of the Best"] == [5, 6, 7, 8]
    config = settings_of(folder)
    assert config["n_itr"] == 8
    assert config["task"]["name"] == "SimpleDoorKey"
    assert {"command", "git_commit", "versions"} <= config["provenance"].keys()


def test_metrics_are_what_tensorboard_shows(trained: Path) -> None:
    folder = runs_of(trained) / "whole"
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    shown = {
        (name, event.step): event.value
        for name in events.Tags()["scalars"]
        for event in events.Scalars(name)
    }
    written = {
        (name, row["iteration"]): value
        for row in read_lines(folder / METRICS)
        for name, value in row.items()
        if name != "iteration"
    }
    assert written == pytest.approx(shown)


class Falling(NamedTuple):
    """An evaluator that finds success in the first six iterations only."""

    trials: int = 20

    def try_teacher(self) -> Trial:
        return Trial(self.evaluate_student(0)[0], success=1.0, stuck=0.0)

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        success = [iteration <= 6] * 20
        each = Evaluation([*range(20)], success, [not s for s in success], [1.0] * 20, [1] * 20)
        return each, each


class News(Observer):
    """Keeps the lines that a run announces."""

    def __init__(self) -> None:
        self.lines = list[str]()

    def news(self, line: str) -> None:
        self.lines.append(line)


def test_a_run_that_falls_below_its_best_says_so_and_keeps_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"device": "cpu", "threads": 1, "traj_per_itr": 1, "batch_size": 8}
    config = make_config(
        fresh_settings(small | {"task": load_task(small_rooms.TASK)})
        | {"seed": 0, "n_itr": 15, "eval_interval": 1, "save_interval": 4},
        "settings",
    )
    parts = build.Parts(config, ExitStack())
    trainer = parts.trainer(tmp_path, parts.teacher(tmp_path), Ranks())
    trainer.begin(Falling())
    metrics, news = Metrics(tmp_path / METRICS), News()
    trainer.train(lambda: False, Falling(), [metrics, news])
    metrics.ended()
    assert len(news.lines) == 1
    assert "from 1.00 at iteration 6, which is kept as best.pt" in news.lines[0]
    assert checkpoint.load(tmp_path / "best.pt")["iteration"] == 6
    fallen = {r["iteration"]: r["Test/Fallen Below the Best"] for r in tail(tmp_path)}
    first = min(iteration for iteration, value in fallen.items() if value)
    assert first > 10
    assert all(fallen[iteration] == (iteration >= first) for iteration in fallen)


def tail(folder: Path) -> list[dict[str, float]]:
    """The rows of a run from the fifth evaluation on."""
    return read_lines(folder / METRICS)[4:]


def test_films_of_training_are_animated_images(trained: Path) -> None:
    events = EventAccumulator(str(runs_of(trained) / "whole"))
    events.Reload()
    films = events.Images("Episode")
    assert [film.step for film in films] == [4, 8]
    frames = iio.imread(films[-1].encoded_image_string, extension=".gif")
    assert len(frames) > 1
    assert frames.shape[1:3] == (films[-1].height, films[-1].width)


def test_a_config_starts_the_same_run_again(trained: Path, tmp_path: Path) -> None:
    folder = runs_of(trained) / "whole"
    flags = ["train", "--logdir", str(tmp_path), "--config", str(folder / "config.json")]
    assert main.main(flags) == 0
    assert_same_run(folder, runs_of(tmp_path) / "run1")


def test_a_run_goes_on_when_nobody_reads_its_lines(tmp_path: Path) -> None:
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *SMALL]
    process = subprocess.Popen(
        [*command, "--n_itr", "2", "--savedir", "piped"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 0
    assert done([runs_of(tmp_path) / "piped"]) == [2]


def test_a_terminal_shows_a_bar_and_everything_else_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    display = Display("run1", 0, 4)
    display.iteration(observed(1, evaluated=True))
    display.ended()
    assert capsys.readouterr().out.startswith("run1 1/4: evaluation success 0.75, training success")
    screen = Console(force_terminal=True, width=120)
    monkeypatch.setattr(rich, "_console", screen)
    with screen.capture() as shown:
        display = Display("run1", 0, 4)
        display.iteration(observed(3, evaluated=True))
        display.ended()
    for words in ("3/4", "success 0.50, return 0.25, k 9.00"):
        assert words in re.sub(r"\x1b\[[\d;?]*\w", "", shown.get())


def test_names_of_runs(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert train(tmp_path, "--n_itr", "0") == 0
    assert train(tmp_path, "--n_itr", "0", "--seed_list", "3", "4") == 0
    names = {path.name for path in runs_of(tmp_path).iterdir()}
    assert names == {"run1", "run2", "run3-3", "run3-4"}
    capsys.readouterr()
    before = (runs_of(tmp_path) / "run1" / "acmodel.pt").read_bytes()
    assert train(tmp_path, "--n_itr", "0", "--savedir", "run1") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--resume" in error
    assert "--overwrite" in error
    assert (runs_of(tmp_path) / "run1" / "acmodel.pt").read_bytes() == before
    overwrite = ["--savedir", "run1", "--overwrite", "--seed_list", "9"]
    assert train(tmp_path, "--n_itr", "0", *overwrite) == 0
    assert (runs_of(tmp_path) / "run1" / "acmodel.pt").read_bytes() != before


def test_training_starts_from_another_run(trained: Path, tmp_path: Path) -> None:
    source = str(runs_of(trained) / "whole")
    assert train(tmp_path, "--loaddir", source, "--n_itr", "0", "--savedir", "warm") == 0
    old, new = (
        checkpoint.load(folder / "acmodel.pt")["weights"]
        for folder in (runs_of(trained) / "whole", runs_of(tmp_path) / "warm")
    )
    torch.testing.assert_close(old, new, rtol=0, atol=0)


def test_training_starts_from_one_run_not_from_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = ["--seed_list", "0", "1"]
    assert train(tmp_path, "--n_itr", "0", "--savedir", "base", *seeds) == 0
    capsys.readouterr()
    assert train(tmp_path, "--n_itr", "0", "--loaddir", "base", *seeds) == 1
    error = "error: --loaddir: base is several runs; name one, say base-0\n"
    assert capsys.readouterr().err == error


def test_no_secret_of_the_environment_reaches_the_run_folder(tmp_path: Path) -> None:
    os.environ["LLM_API_KEY"] = "sesame-4711"
    try:
        assert train(tmp_path, "--n_itr", "0") == 0
    finally:
        del os.environ["LLM_API_KEY"]
    assert all(b"sesame" not in path.read_bytes() for path in tmp_path.rglob("*.*"))


def test_training_rooms_are_never_those_of_evaluation() -> None:
    rooms = {
        seed
        for run in range(3)
        for iteration in range(50)
        for seed in seeding.training_seeds(run, iteration, 0, 10)
    }
    assert len(rooms) == 1500
    assert min(rooms) >= seeding.FIRST_TRAINING_SEED
    assert seeding.evaluation_seeds([0], 3) == [0, 1, 2]
    assert seeding.evaluation_seeds([5, 3], 3) == [5, 3]
    assert max(seeding.evaluation_seeds([], 50)) < seeding.FIRST_TRAINING_SEED


def test_a_film_asks_nobody(tmp_path: Path) -> None:
    """Without a teacher's weight a strict run needs its server for nothing, its films included."""
    flags = ["--kl_until", "1", "--n_ask", "1", "--llm", "openai", "--savedir", "filmed"]
    with serve(plans) as server:
        assert train(tmp_path, *flags, "--llm_url", server.url, "--n_itr", "1") == 0
    (runs_of(tmp_path) / "filmed" / "answers.jsonl").unlink()
    again = ["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2", "--llm_strict"]
    assert main.main(again) == 0


def test_more_rooms_at_once_and_fewer_than_episodes(tmp_path: Path) -> None:
    for count, episodes in ((4, 4), (1, 2)):
        name = f"rooms{count}"
        flags = ["--n_itr", "1", "--num_envs", str(count), "--savedir", name]
        assert train(tmp_path, *flags, "--batch_size", "2") == 0
        saved = checkpoint.load(runs_of(tmp_path) / name / "checkpoint.pt")
        assert saved["progress"]["episodes"] == episodes


def test_a_quick_run_takes_few_episodes_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "1", "--num_eval", "20", "--quick", "--savedir", "run") == 0
    out = capsys.readouterr().out
    assert "--quick: evaluations, trial and verdict take at most 5 episodes each" in out
    assert "trying the teacher alone in 5 episodes" in out
    assert "judging its students in 5 episodes each" in out
    verdict = json.loads((runs_of(tmp_path) / "run" / "verdict.json").read_text())
    for who in ("last", "teacher"):
        assert len(verdict[who]["episodes"]) == 5


def test_there_is_no_speed_of_a_teacher_that_does_not_teach(tmp_path: Path) -> None:
    flags = ["--n_itr", "3", "--kl_until", "2", "--quick", "--savedir", "run"]
    assert train(tmp_path, *flags) == 0
    rows = read_lines(runs_of(tmp_path) / "run" / METRICS)
    assert ["Speed/Teacher" in row for row in rows] == [True, True, False]
