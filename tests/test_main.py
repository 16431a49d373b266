"""The command line as users type it, on real runs that are small."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import imageio.v3 as iio
import pytest
import rich
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import main
from algos.evaluator import VERDICT_SEEDS, Evaluation
from algos.trainer import Report
from commands import build, speeds
from commands.config import make_config
from commands.flags import parse
from commands.runs import read_config
from commands.settings import fresh_settings
from commands.train import planned_runs
from tests.planner.servers import plans, serve
from utils import checkpoint, seeding
from utils.log import METRICS, RunLog, TrainingDisplay, read_lines
from utils.ranks import Ranks

ROOT = Path(__file__).parent.parent
SMALL = [
    *("--threads", "1", "--device", "cpu", "--traj_per_itr", "2", "--batch_size", "64"),
    *("--eval_interval", "1", "--save_interval", "4", "--num_eval", "2"),
]
SCALARS = (
    *("Train/Return Mean", "Train/Return Std", "Train/Eplen", "Train/Success Rate", "Train/Loss"),
    *("Train/Mean Entropy", "Train/Kickstarting Loss", "Train/Policy Loss", "Train/Value Loss"),
    *("Train/Kickstarting Coef", "Train/Approx KL", "Train/Clip Fraction"),
    *("Train/Explained Variance", "Train/Agreement", "Train/Unanswered Steps"),
    *("Train/Approx KL Largest", "Train/Gradient Norm", "Train/Weight Norm"),
    *("Train/Teacher's Share of the Gradient", "Train/Timed Out", "Train/Failed Early"),
    *("Speed/Environment", "Speed/Policy", "Speed/Teacher", "Speed/Update", "Speed/Total"),
    "Speed/Seconds",
)
TESTS = (
    *("Test/Return", "Test/Eplen", "Test/Success Rate", "Test/Success Rate Deterministic"),
    *("Test/Timed Out", "Test/Failed Early"),
)


def train(logdir: Path, *flags: str) -> int:
    return main.main(["train", "--logdir", str(logdir), *SMALL, *flags])


def evaluate(logdir: Path, *flags: str) -> int:
    return main.main(["eval", "--logdir", str(logdir), "--threads", "1", *flags])


def runs_of(logdir: Path) -> Path:
    return logdir / "ppo" / "simpledoorkey"


def scalars(folder: Path) -> dict[str, list[int]]:
    """Name -> the iterations that TensorBoard shows."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {name: [e.step for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def assert_same_run(one: Path, other: Path) -> None:
    kept = ("acmodel.pt", "weights"), ("checkpoint.pt", "learner"), ("checkpoint.pt", "best")
    for name, key in kept:
        first, second = (checkpoint.load(folder / name)[key] for folder in (one, other))
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    for key in ("selection", "schedule", "teacher_alone"):
        first, second = (checkpoint.load(folder / "checkpoint.pt")[key] for folder in (one, other))
        assert first == second
    unclocked = {"progress": ("iteration", "steps", "episodes")}
    for key, names in unclocked.items():
        first, second = (checkpoint.load(folder / "checkpoint.pt")[key] for folder in (one, other))
        assert [first[name] for name in names] == [second[name] for name in names]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with one finished run of eight iterations."""
    logdir = tmp_path_factory.mktemp("trained")
    assert train(logdir, "--n_itr", "8", "--savedir", "whole") == 0
    return logdir


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
    config = json.loads((folder / "config.json").read_text())
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


def test_a_run_ends_with_a_verdict_in_three_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "5", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    verdict = json.loads((folder / "verdict.json").read_text())
    lines = capsys.readouterr().out.splitlines()[-4:-1]
    names = "last student", f"best, of iteration {verdict['best']['iteration']}", "teacher alone"
    for line, name, who in zip(lines, names, ("last", "best", "teacher"), strict=True):
        outcome = verdict[who]
        success, total, episodes = outcome["success"], outcome["return"], outcome["episodes"]
        assert success["mean"] == sum(e["success"] for e in episodes) / 100
        assert [e["seed"] for e in episodes] == VERDICT_SEEDS
        assert line.startswith(name)
        means = " ".join(line.removeprefix(name).split())
        assert means.startswith(
            f"100 {success['mean']:.3f} [{success['low']:.3f}, {success['high']:.3f}] "
            f"{total['mean']:.3f} [{total['low']:.3f}, {total['high']:.3f}]"
        )
    assert verdict["teacher"]["success"]["mean"] == 1


def test_a_verdict_that_a_kill_has_cost_is_given_when_the_run_is_resumed(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "5", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    names = "acmodel.pt", "best.pt"
    before = [checkpoint.load(folder / name) for name in names]
    verdict = (folder / "verdict.json").read_text()
    for name in (*names, "verdict.json"):
        (folder / name).unlink()
    assert main.main(["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume"]) == 0
    assert (folder / "verdict.json").read_text() == verdict
    for name, kept in zip(names, before, strict=True):
        made = checkpoint.load(folder / name)
        assert made["iteration"] == kept["iteration"]
        torch.testing.assert_close(made["weights"], kept["weights"], rtol=0, atol=0)


@pytest.mark.parametrize("model", ["best", "acmodel"])
def test_an_evaluation_says_which_model_it_is_of(
    trained: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    folder = runs_of(trained) / "whole"
    name = ["--savedir", f"of-{model}"]
    assert evaluate(trained, "--loaddir", "whole", "--loadmodel", model, *name) == 0
    iteration = checkpoint.load(folder / f"{model}.pt")["iteration"]
    said = f"evaluating {folder / f'{model}.pt'}, of iteration {iteration}"
    assert said in capsys.readouterr().out
    content = json.loads((folder / f"of-{model}" / "eval.json").read_text())
    assert (content["model"], content["iteration"]) == (f"{model}.pt", iteration)


def test_a_run_that_falls_below_its_best_says_so_and_keeps_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config(
        fresh_settings({"device": "cpu", "threads": 1, "traj_per_itr": 1, "batch_size": 8})
        | {"seed": 0, "n_itr": 15, "eval_interval": 1, "save_interval": 4},
        "settings",
    )
    parts = build.Parts(config, ExitStack())
    trainer = parts.trainer(tmp_path, parts.teacher(tmp_path), Ranks())
    news = []

    def outcome(iteration: int) -> tuple[Evaluation, Evaluation]:
        success = [iteration <= 6] * 20
        each = Evaluation([*range(20)], success, [not s for s in success], [1.0] * 20, [1] * 20)
        return each, each

    log = RunLog(tmp_path)
    report = Report(log, lambda: (outcome(0)[0], 1.0), outcome, lambda *_: None, news.append, print)
    trainer.train(report, lambda: False)
    log.close()
    assert len(news) == 1
    assert "from 1.00 at iteration 6, which is kept as best.pt" in news[0]
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(
    trained: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *SMALL]
    flags = ["--n_itr", "8", "--savedir", "cut", "--save_interval", "3"]
    process = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if " 4/8: " in line:
            process.send_signal(number)
            break
    rest = process.stdout.read()
    code = process.wait()
    folder = runs_of(tmp_path) / "cut"
    done = checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"]
    if number == signal.SIGKILL:
        assert (code, done) in ((-number, 3), (-number, 6))
    else:
        assert code == 128 + number
        assert "--resume" in rest
        assert 4 <= done < 8
    resume = ["--savedir", "cut", "--resume"]
    assert main.main(["train", "--logdir", str(tmp_path), *resume]) == 0
    assert_same_run(runs_of(trained) / "whole", folder)
    shown = scalars(folder)
    assert all(shown[name] == [*range(1, 9)] for name in SCALARS)
    assert all(shown[name] == [*range(1, 9)] for name in TESTS)
    assert [row["iteration"] for row in read_lines(folder / METRICS)] == [*range(1, 9)]


def test_a_run_goes_on_when_nobody_reads_its_lines(tmp_path: Path) -> None:
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *SMALL]
    process = subprocess.Popen(
        [*command, "--n_itr", "4", "--savedir", "piped"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 0
    assert done([runs_of(tmp_path) / "piped"]) == [4]


@pytest.mark.parametrize(
    "flags",
    [
        ["--recurrent"],
        ["--schedule", "adaptive", "--gae", "--hard"],
        ["--frame_stack", "2", "--kl_until", "3"],
        ["--network", "egocentric", "--schedule", "matched", "--recurrent", "--frame_stack", "2"],
    ],
)
def test_every_kind_of_run_can_be_split(tmp_path: Path, flags: list[str]) -> None:
    assert train(tmp_path, "--savedir", "whole", "--n_itr", "4", *flags) == 0
    assert train(tmp_path, "--savedir", "split", "--n_itr", "1", *flags) == 0
    assert main.main(["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "4"]) == 0
    assert_same_run(runs_of(tmp_path) / "whole", runs_of(tmp_path) / "split")
    assert evaluate(tmp_path, "--loaddir", "split", *(f for f in flags if f == "--recurrent")) == 0


def test_several_seeds_train_and_are_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--seed_list", "0", "1", "--savedir", "train", "--n_itr", "1") == 0
    folders = [runs_of(tmp_path) / f"train-{seed}" for seed in (0, 1)]
    weights = [checkpoint.load(folder / "acmodel.pt")["weights"] for folder in folders]
    assert not torch.equal(weights[0]["actor.0.bias"], weights[1]["actor.0.bias"])
    assert evaluate(tmp_path, "--loaddir", "train") == 0
    assert all((folder / "eval" / "eval.json").is_file() for folder in folders)
    assert "train-1" in capsys.readouterr().out
    resume = ["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2", "--savedir", "train"]
    assert main.main([*resume, "--seed_list", "1"]) == 0
    assert done(folders) == [1, 2]
    assert main.main(resume) == 0
    assert done(folders) == [2, 2]


def done(folders: list[Path]) -> list[int]:
    """The iterations that each run has behind it."""
    saved = [checkpoint.load(folder / "checkpoint.pt") for folder in folders]
    return [content["progress"]["iteration"] for content in saved]


def test_what_was_stopped_before_its_turn_is_resumed_too(tmp_path: Path) -> None:
    flags = ["--seed_list", "4", "5", "--savedir", "two", "--n_itr", "1", "--recurrent"]
    folders = [runs_of(tmp_path) / f"two-{seed}" for seed in (4, 5)]
    args = parse(["train", "--logdir", str(tmp_path), *SMALL, *flags])
    with ExitStack() as owned:
        planned = planned_runs(args, Ranks(), owned)
    assert [folder for folder, _ in planned] == folders
    assert main.main(["train", "--logdir", str(tmp_path), "--savedir", "two", "--resume"]) == 0
    assert done(folders) == [1, 1]
    assert checkpoint.load(folders[1] / "acmodel.pt")["network"]["recurrent"]


def test_the_newest_run_is_the_one_trained_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert train(tmp_path, "--n_itr", "0", "--savedir", name) == 0
    assert evaluate(tmp_path, "--loaddir", "a", "--num_eval", "1") == 0
    capsys.readouterr()
    assert evaluate(tmp_path, "--num_eval", "1") == 0
    assert f"is {runs_of(tmp_path) / 'b'}" in capsys.readouterr().out


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "2", "--savedir", "run") == 0
    path = runs_of(tmp_path) / "run" / "config.json"
    before = path.read_bytes()
    resume = ["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume", "--n_itr"]
    assert main.main([*resume, "1"]) == 0
    assert path.read_bytes() == before
    assert main.main([*resume, "3"]) == 0
    config = json.loads(path.read_text())
    assert config["n_itr"] == 3
    assert len(config["provenance"]["resumed"]) == 1
    assert config["provenance"]["command"] == json.loads(before)["provenance"]["command"]


def test_overwriting_costs_nothing_if_the_new_run_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert train(tmp_path, "--n_itr", "0", "--savedir", name) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for flags in (["--savedir", "b", "--recurrent"], ["--savedir", "a"]):
        assert train(tmp_path, "--n_itr", "0", "--loaddir", "a", "--overwrite", *flags) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert {path: path.read_bytes() for path in before} == before


def test_several_evaluation_seeds_are_taken_as_they_are(trained: Path) -> None:
    seeds = [str(seed) for seed in range(20, 32)]
    flags = ["--loaddir", "whole", "--savedir", "many", "--env_seed_list", *seeds]
    assert evaluate(trained, *flags) == 0
    content = json.loads((runs_of(trained) / "whole" / "many" / "eval.json").read_text())
    assert [str(episode["seed"]) for episode in content["episodes"]] == seeds


def test_a_single_episode_has_no_interval(tmp_path: Path) -> None:
    assert evaluate(tmp_path, "--eval_teacher", "--num_eval", "1") == 0
    content = json.loads((runs_of(tmp_path) / "teacher" / "eval" / "eval.json").read_text())
    assert content["return"]["low"] is None


def test_a_terminal_shows_a_bar_and_everything_else_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"Train/Success Rate": 0.5, "Train/Return Mean": 0.25, "Train/Kickstarting Coef": 9.0}
    values |= {"Speed/Total": 1000.0, "Test/Success Rate": 0.75}
    with TrainingDisplay("run1", 0, 4) as display:
        display.show(1, values)
    assert capsys.readouterr().out.startswith("run1 1/4: evaluation success 0.75, training success")
    screen = Console(force_terminal=True, width=120)
    monkeypatch.setattr(rich, "_console", screen)
    with screen.capture() as shown, TrainingDisplay("run1", 0, 4) as display:
        display.show(3, values)
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


def test_evaluation_is_repeatable_and_seed_0_is_a_seed(trained: Path) -> None:
    results = []
    for name in ("one", "two"):
        flags = ["--loaddir", "whole", "--savedir", name, "--num_eval", "3"]
        assert evaluate(trained, *flags) == 0
        results.append(json.loads((runs_of(trained) / "whole" / name / "eval.json").read_text()))
    assert results[0]["episodes"] == results[1]["episodes"]
    assert [episode["seed"] for episode in results[0]["episodes"]] == [0, 1, 2]
    interval = results[0]["length"]
    assert interval["low"] <= interval["mean"] <= interval["high"]


def test_evaluation_takes_the_newest_run_and_films_it(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--videos", "1", "--num_eval", "1", "--env_seed_list", "7", "--deterministic"]
    assert evaluate(trained, *flags) == 0
    assert f"the newest run of SimpleDoorKey is {runs_of(trained) / 'whole'}" in " ".join(
        capsys.readouterr().out.split()
    )
    film = runs_of(trained) / "whole" / "eval" / "episode-7.mp4"
    meta = iio.immeta(film, plugin="FFMPEG")
    assert meta["codec"] == "h264"
    assert meta["pix_fmt"].startswith("yuv420p")
    episode = json.loads((film.parent / "eval.json").read_text())["episodes"][0]
    assert len(iio.imread(film, plugin="FFMPEG")) > 1
    assert episode["seed"] == 7


def test_the_teacher_is_evaluated_without_a_run(tmp_path: Path) -> None:
    flags = ["--eval_teacher", "--num_eval", "20", "--videos", "1", "--task", "simpleDOORkey"]
    assert evaluate(tmp_path, *flags) == 0
    folder = runs_of(tmp_path) / "teacher" / "eval"
    assert json.loads((folder / "eval.json").read_text())["success"]["mean"] == 1
    assert (folder / "episode-0.mp4").is_file()


def test_the_original_commands(trained: Path, tmp_path: Path) -> None:
    flags = ["--task", "SimpleDoorKey", "--savedir", "train", "--offline_planner"]
    assert train(tmp_path, "--n_itr", "1", "--soft_planner", *flags) == 0
    flags = ["--task", "SimpleDoorKey", "--loaddir", "train", "--savedir", "eval"]
    assert evaluate(tmp_path, *flags) == 0
    assert evaluate(tmp_path, *flags, "--eval_teacher") == 0
    assert (runs_of(tmp_path) / "train" / "eval" / "eval.json").is_file()


def test_training_starts_from_another_run(trained: Path, tmp_path: Path) -> None:
    source = str(runs_of(trained) / "whole")
    assert train(tmp_path, "--loaddir", source, "--n_itr", "0", "--savedir", "warm") == 0
    old, new = (
        checkpoint.load(folder / "acmodel.pt")["weights"]
        for folder in (runs_of(trained) / "whole", runs_of(tmp_path) / "warm")
    )
    torch.testing.assert_close(old, new, rtol=0, atol=0)


def test_a_run_of_before_these_settings_is_the_papers(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ppo" / "simpledoorkey" / "old"
    shutil.copytree(runs_of(trained) / "whole", folder)
    config = json.loads((folder / "config.json").read_text())
    model = checkpoint.load(folder / "acmodel.pt")
    for setting in ("network", "anneal"):
        del config[setting]
    del model["network"]["network"]
    (folder / "config.json").write_text(json.dumps(config))
    checkpoint.save(folder / "acmodel.pt", model)
    assert evaluate(tmp_path, "--loaddir", "old") == 0


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A log tree with a run for each way to be wrong."""
    for name in ("whole", "damaged", "other"):
        assert train(tmp_path, "--n_itr", "0", "--savedir", name) == 0
    for name in ("acmodel.pt", "checkpoint.pt"):
        path = runs_of(tmp_path) / "damaged" / name
        path.write_bytes(path.read_bytes()[:1000])
    path = runs_of(tmp_path) / "other" / "acmodel.pt"
    content = checkpoint.load(path)
    checkpoint.save(path, {**content, "task": "TwoDoor"})
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["train", "--task", "NoSuchTask"], "unknown task 'NoSuchTask'; give one of Colored"),
        (["train", "--task", "base"], "unknown task"),
        (["train", "--batch_size", "1"], "batch_size"),
        (["train", "--n_itr", "-1"], "n_itr"),
        (["train", "--gamma", "2"], "gamma"),
        (["train", "--savedir", "../up"], "no name for a run"),
        (["train", "--savedir", "teacher"], "kept for evaluations"),
        (["train", "--seed_list", "1", "1"], "twice"),
        (["train", "--resume", "--savedir", "nothing"], "there is no run"),
        (
            ["train", "--resume", "--savedir", "whole", "--batch_size", "96"],
            "batch_size 96 differs",
        ),
        (["train", "--resume", "--savedir", "damaged", "--n_itr", "3"], "damaged"),
        (["train", "--config", "missing.json"], "missing.json"),
        (["train", "--device", "abacus"], "no device 'abacus'"),
        (["train", "--device", "cpu:foo"], "no device 'cpu:foo'"),
        (["train", "--device", "cuda:99"], "no device 'cuda:99'"),
        (["train", "--resume", "--seed_list", "0"], "needs the name"),
        (["eval", "--loaddir", "/nowhere/run"], "there is no run /nowhere/run"),
        (["eval", "--loaddir", "whole", "--videos", "-1"], "--videos"),
        (["eval", "--eval_teacher", "--env_seed_list", "4294967290"], "env_seed_list"),
        (["train", "--loaddir", "whole", "--recurrent"], "another network"),
        (["eval", "--loaddir", "nothing"], "there is no run"),
        (["eval", "--task", "TwoDoor"], "train one first"),
        (["eval", "--loaddir", "damaged"], "damaged"),
        (["eval", "--loaddir", "whole", "--loadmodel", "best"], "from its fifth evaluation on"),
        (["eval", "--loaddir", "whole", "--loadmodel", "other"], "there is no checkpoint"),
        (["train", "--loaddir", "whole", "--network", "egocentric"], "another network"),
        (["eval", "--loaddir", "whole", "--network", "egocentric"], "another network"),
        (["eval", "--loaddir", "whole", "--recurrent"], "another network"),
        (["eval", "--loaddir", "other"], "was trained on TwoDoor, not on SimpleDoorKey"),
        (["eval", "--eval_teacher", "--num_eval", "0"], "num_eval"),
        (["eval", "--eval_teacher", "--env_seed_list", "-3"], "env_seed_list"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    broken: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    capsys.readouterr()
    before = {path: path.read_bytes() for path in broken.rglob("*") if path.is_file()}
    short = ["--n_itr", "0"] if flags[0] == "train" and "--n_itr" not in flags else []
    assert main.main([flags[0], "--logdir", str(broken), *short, *flags[1:]]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "flags",
    [
        ["train", "--bathc_size", "3"],
        ["train", "--resume", "--overwrite"],
        ["dance"],
        ["train", "--n_itr", "x"],
    ],
)
def test_a_wrong_flag_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main(flags)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_full_disk_stops_the_run_with_one_line_and_keeps_the_last_checkpoint(
    trained: Path, tmp_path: Path
) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    before = {name: (folder / name).read_bytes() for name in ("acmodel.pt", "checkpoint.pt")}
    # A limit on the size of files stands for the disk: writing fails in the same way.
    process = subprocess.run(
        [sys.executable, "main.py", "train", "--logdir", str(tmp_path), "--resume", "--n_itr", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
    )
    assert process.returncode == 1
    assert process.stderr.startswith("error: cannot write")
    assert process.stderr.count("\n") == 1
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert not list(folder.glob(".*"))


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
        for seed in seeding.training_rooms(run, iteration, 0, 10)
    }
    assert len(rooms) == 1500
    assert min(rooms) >= seeding.FIRST_TRAINING_SEED
    assert seeding.evaluation_rooms([0], 3) == [0, 1, 2]
    assert seeding.evaluation_rooms([5, 3], 3) == [5, 3]
    assert max(seeding.evaluation_rooms([], 50)) < seeding.FIRST_TRAINING_SEED


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--llm_url", "localhost:8000/v1"], "must be like http://localhost:8000"),
        (["--llm_url", "http://me:hunter2@localhost/v1"], "must hold no password"),
        (["--llm_url", "http://localhost/v1?api-key=hunter2"], "must hold no password and no key"),
        (["--llm_url", "http://localhost/v1?a=1&accessToken=hunter2"], "LLM_API_KEY"),
        (["--llm_url", "localhost/v1?key=hunter2"], "must be like http://localhost:8000"),
        (["--llm_temperature", "inf"], "finite number"),
        (["--answers", "."], "Is a directory"),
    ],
)
def test_an_llm_that_cannot_be_asked_costs_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert train(tmp_path, "--n_itr", "0", "--savedir", "old") == 0
    before = sorted(path.name for path in (runs_of(tmp_path) / "old").iterdir())
    again = ["--n_itr", "0", "--savedir", "old", "--overwrite", "--llm", "openai"]
    assert train(tmp_path, *again, *flags) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "hunter2" not in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in (runs_of(tmp_path) / "old").iterdir()) == before


def test_a_url_may_have_a_query_without_a_key(tmp_path: Path) -> None:
    url = "http://localhost:9/v1/chat/completions?api-version=2024-10-21"
    assert train(tmp_path, "--n_itr", "0", "--kl_until", "0", "--savedir", "old") == 0
    config = read_config(runs_of(tmp_path) / "old" / "config.json", llm_url=url)
    assert config.llm_url == url


@pytest.mark.parametrize("command", ["train", "eval", "record"])
def test_the_help_names_the_place_of_the_key(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main([command, "--help"])
    assert "LLM_API_KEY" in capsys.readouterr().out


def test_a_film_asks_nobody(tmp_path: Path) -> None:
    """Without a teacher's weight a strict run needs its server for nothing, its films included."""
    flags = ["--kl_until", "1", "--n_ask", "1", "--llm", "openai", "--savedir", "filmed"]
    with serve(plans) as server:
        assert train(tmp_path, *flags, "--llm_url", server.url, "--n_itr", "1") == 0
    (runs_of(tmp_path) / "filmed" / "answers.jsonl").unlink()
    again = ["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2", "--llm_strict"]
    assert main.main(again) == 0


def test_bench_measures_draws_and_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speeds, "REPEATS", 1)
    monkeypatch.setattr(speeds, "SIZES", (10, 12))
    files = ["--json", str(tmp_path / "speeds.json"), "--plot", str(tmp_path / "speeds.png")]
    flags = ["--task", "simpledoorkey", "--num_envs", "4", "40", "--threads", "1"]
    assert main.main(["bench", *flags, *files]) == 0
    out = capsys.readouterr().out
    for word in ("environment + labels", "Gymnasium's vector", "training, update"):
        assert f"SimpleDoorKey  {word}" in out
    measured = json.loads((tmp_path / "speeds.json").read_text())["speeds"]
    assert all(s["steps_per_second"] * s["seconds"] == pytest.approx(s["steps"]) for s in measured)
    for size, rooms, room_bytes in ((10, 4, 825), (12, 40, 8 * (144 + 1) + 17)):
        alone, labels, both = (
            next(s for s in measured if (s["what"], s["size"], s["rooms"]) == (what, size, rooms))
            for what in ("environment", "labels", "environment + labels")
        )
        cost = 1 / alone["steps_per_second"] + 1 / labels["steps_per_second"]
        assert 1 / both["steps_per_second"] == pytest.approx(cost)
        assert alone["room_bytes"] == room_bytes
    assert {(s["rooms"], s["size"]) for s in measured if s["what"] == "labels"} == {
        (rooms, size) for rooms in (4, 40) for size in (10, 12)
    }
    assert iio.imread(tmp_path / "speeds.png").std() > 0
    assert main.main(["bench", "--num_envs", "0"]) == 1
    assert main.main(["bench", "--plot", str(tmp_path / "speeds.jpgg")]) == 1


def test_a_preset_gives_way_to_flags(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("task: TwoDoor\nnum_envs: 3\ngamma: 0.5\n")
    flags = ["--logdir", str(tmp_path), "--config", str(preset), "--gamma", "0.7", "--n_itr", "0"]
    assert main.main(["train", *flags, "--device", "cpu"]) == 0
    config = json.loads((tmp_path / "ppo/twodoor/run1/config.json").read_text())
    assert (config["num_envs"], config["gamma"], config["traj_per_itr"]) == (3, 0.7, 10)


def test_a_preset_says_more_for_single_tasks(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("gamma: 0.5\nlam: 0.5\ntasks: {twodoor: {gamma: 0.6, lam: 0.6}}\n")
    flags = ["--logdir", str(tmp_path), "--config", str(preset), "--n_itr", "0", "--device", "cpu"]
    for task, expected in (("TwoDoor", (0.6, 0.7)), ("LavaDoorKey", (0.5, 0.7))):
        assert main.main(["train", "--task", task, "--lam", "0.7", *flags]) == 0
        path = tmp_path / "ppo" / task.lower() / "run1" / "config.json"
        config = json.loads(path.read_text())
        assert (config["gamma"], config["lam"]) == expected


def test_the_papers_setting_is_named_where_no_preset_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["train", "--logdir", str(tmp_path), "--n_itr", "0", "--savedir", "run"]
    assert main.main(flags) == 0
    assert "what no flag says is the paper's setting; see configs/best" in capsys.readouterr().out
    assert main.main([*flags, "--overwrite", "--config", "configs/best.yaml"]) == 0
    assert main.main([*flags, "--resume"]) == 0
    assert "the paper's setting" not in capsys.readouterr().out


def test_what_a_preset_gets_wrong_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "preset.yaml"
    flags = ["--logdir", str(tmp_path / "log"), "--config", str(preset)]
    for content, words in (
        ("gama: 0.5", "there is no setting 'gama'"),
        ("tasks: {TwoDoor: {gama: 0.5}}", "tasks: TwoDoor: there is no setting 'gama'"),
        ("tasks: {TwoDoor: 7}", "tasks: TwoDoor must hold settings"),
        ("tasks: {TwoDoor: {task: LavaDoorKey}}", "tasks: TwoDoor must hold settings of that task"),
        ("tasks: {TwoDor: {gamma: 0.5}}", "tasks: TwoDor is no task; there are Colored"),
        ("tasks: [TwoDoor]", "tasks must hold settings by the names of tasks"),
        ("1: 2\ngama: 3", "there is no setting '1'"),
        ("batch_size: big", "batch_size: Input should be a valid integer"),
        ("batch_size: null", "batch_size: Input should be a valid integer"),
        ("policy: 3", "policy: Input should be 'ppo'"),
        ("device: [1]", "device: Input should be a valid string"),
        ("seed: 9223372036854775808", "seed: Input should be less than"),
        ("num_envs: 1000000000000", "num_envs: Input should be less than"),
    ):
        preset.write_text(content)
        assert main.main(["train", *flags]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    assert not (tmp_path / "log").exists()


def test_the_preset_that_comes_along_can_be_trained_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = ROOT / "configs" / "best.yaml"
    flags = ["--logdir", str(tmp_path), "--device", "cpu", "--num_envs", "2", "--num_eval", "1"]
    assert main.main(["train", "--config", str(preset), *flags, "--n_itr", "1"]) == 0
    config = json.loads((tmp_path / "ppo/simpledoorkey/run1/config.json").read_text())
    assert (config["schedule"], config["network"]) == ("matched", "egocentric")
    capsys.readouterr()
    assert evaluate(tmp_path, "--num_eval", "1") == 0
    assert "run1/acmodel.pt, of iteration 1" in capsys.readouterr().out
    # A run goes on with what stands in its folder, whatever the preset says.
    more = ["--config", str(preset), "--logdir", str(tmp_path), "--savedir", "run1", "--resume"]
    assert main.main(["train", *more, "--n_itr", "2"]) == 0
    resumed = json.loads((tmp_path / "ppo/simpledoorkey/run1/config.json").read_text())
    assert (resumed["num_envs"], resumed["n_itr"]) == (2, 2)


def test_more_rooms_at_once_and_fewer_than_episodes(tmp_path: Path) -> None:
    for count, episodes in ((4, 4), (1, 2)):
        name = f"rooms{count}"
        flags = ["--n_itr", "1", "--num_envs", str(count), "--savedir", name]
        assert train(tmp_path, *flags) == 0
        saved = checkpoint.load(runs_of(tmp_path) / name / "checkpoint.pt")
        assert saved["progress"]["episodes"] == episodes


@pytest.mark.parametrize("flags", [["--rooms", "gym"], ["--precision", "bf16"]])
def test_other_rooms_and_arithmetic_train_and_resume(tmp_path: Path, flags: list[str]) -> None:
    assert train(tmp_path, "--savedir", "whole", "--n_itr", "2", *flags) == 0
    assert train(tmp_path, "--savedir", "split", "--n_itr", "1", *flags) == 0
    assert main.main(["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2"]) == 0
    assert_same_run(runs_of(tmp_path) / "whole", runs_of(tmp_path) / "split")
