"""Options that are trained, each in a run of its own, and then carry out a teacher's plans."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import running
from tests.running import assert_same_run, done, settings_of
from tests.small_homes import evaluate, resume, runs_of, train

OPTIONS = ("navigate", "pick")


@pytest.fixture(scope="module")
def learned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree in which both options were trained, one of them with a memory."""
    logdir = tmp_path_factory.mktemp("options")
    assert train(logdir, "--train_option", "pick", "--n_itr", "1") == 0
    assert train(logdir, "--train_option", "navigate", "--n_itr", "1", "--recurrent") == 0
    return logdir


@pytest.fixture
def options(learned_once: Path, tmp_path: Path) -> Path:
    """Their folders, and one of another run, for one test alone."""
    folder = shutil.copytree(runs_of(learned_once), tmp_path / "options")
    shutil.copytree(folder / "pick", folder / "run1")
    return folder


def learned(options: Path) -> list[str]:
    return ["--options", "learned", "--option_dir", str(options)]


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_an_option_is_trained_in_a_run_of_its_name(learned_once: Path) -> None:
    folders = {path.name: path for path in runs_of(learned_once).iterdir()}
    assert folders.keys() == set(OPTIONS)
    for name, folder in folders.items():
        assert settings_of(folder)["train_option"] == name
        # Who navigates begins far from the object, who picks it up within reach.
        path = content(folder / "verdict.json")["teacher"]["measures"]["path_length"]
        assert (path["mean"] > 0.15) == (name == "navigate")


def test_the_run_of_an_option_is_not_replaced_unasked(
    learned_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = runs_of(learned_once) / "pick" / "acmodel.pt"
    before = model.read_bytes()
    error = refused(capsys, train(learned_once, "--train_option", "pick", "--n_itr", "0"))
    assert f"{model.parent} holds a run already" in error
    assert model.read_bytes() == before


def test_an_option_goes_on_in_the_run_of_its_name(options: Path, tmp_path: Path) -> None:
    shutil.move(options, runs_of(tmp_path))
    folders = [runs_of(tmp_path) / name for name in OPTIONS]
    assert resume(tmp_path, "--train_option", "pick", "--n_itr", "2") == 0
    assert done(folders) == [1, 2]
    assert resume(tmp_path, "--train_option", "navigate", "--n_itr", "2") == 0
    assert done(folders) == [2, 2]


def test_learned_options_teach_and_stay_with_the_run(options: Path, tmp_path: Path) -> None:
    whole, split = (runs_of(tmp_path) / name for name in ("whole", "split"))
    assert train(tmp_path, *learned(options), "--n_itr", "2", "--savedir", "whole") == 0
    assert train(tmp_path, *learned(options), "--n_itr", "1", "--savedir", "split") == 0
    kept = split / "options"
    models = {path.relative_to(kept) for path in kept.rglob("*") if path.is_file()}
    assert models == {Path(n, file) for n in OPTIONS for file in ("acmodel.pt", "config.json")}
    for path in models:
        assert (kept / path).read_bytes() == (options / path).read_bytes()
    watched = ["--loaddir", "whole", "--videos", "1", "--gif"]
    assert evaluate(tmp_path, *watched, "--savedir", "before") == 0

    shutil.rmtree(options)
    assert resume(tmp_path, "--savedir", "split", "--n_itr", "2") == 0
    assert_same_run(whole, split)
    assert evaluate(tmp_path, *watched, "--savedir", "after") == 0
    before, after = (content(whole / name / "eval.json") for name in ("before", "after"))
    assert before["episodes"] == after["episodes"]
    films = [(whole / name / "episode-0.gif").read_bytes() for name in ("before", "after")]
    assert films[0] == films[1]

    assert evaluate(tmp_path, *watched, "--options", "scripted") == 0
    again = ["--config", str(whole / "config.json"), "--options", "scripted", "--n_itr", "0"]
    assert train(tmp_path, *again, "--savedir", "scripted") == 0
    assert settings_of(runs_of(tmp_path) / "scripted")["option_dir"] is None


def test_a_teacher_with_learned_options_does_what_these_do(options: Path, tmp_path: Path) -> None:
    teacher = ["--eval_teacher", "--num_eval", "4"]
    assert evaluate(tmp_path, *teacher, *learned(options)) == 0
    assert evaluate(tmp_path, *teacher) == 0
    folder = runs_of(tmp_path) / "teacher"
    one, other = (content(folder / name / "eval.json") for name in ("eval-learned", "eval"))
    assert one["unanswered_steps"] == other["unanswered_steps"] == 0
    # What has learned next to nothing comes no nearer to the object.
    assert one["return"]["mean"] < other["return"]["mean"]


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_of_an_option_without_a_model_it_is_said_how_to_train_it(
    options: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(options / "pick")
    flags = [*learned(options), "--n_itr", "0", "--savedir", "new"]
    error = refused(capsys, train(tmp_path, *flags))
    assert f"there is no {options / 'pick' / 'acmodel.pt'}" in error
    assert "python main.py train --task NavPick --train_option pick" in error
    assert not runs_of(tmp_path).exists()
    error = refused(capsys, evaluate(tmp_path, "--eval_teacher", *learned(options)))
    assert "--train_option pick" in error


def test_an_option_that_learned_another_one_is_refused(
    options: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(options / "pick")
    shutil.copytree(options / "navigate", options / "pick")
    error = refused(capsys, train(tmp_path, *learned(options), "--savedir", "new"))
    assert f"{options / 'pick' / 'acmodel.pt'} was not trained with --train_option pick" in error


def test_an_option_that_saw_something_else_is_refused(
    options: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--train_option", "pick", "--depth_size", "9"]
    assert train(tmp_path / "other", "--n_itr", "0", *other) == 0
    rooms = tmp_path / "rooms"
    assert running.train(rooms, "--n_itr", "0", "--savedir", "run") == 0
    for folder, words in (
        (
            runs_of(tmp_path / "other") / "pick",
            "has learned to see depth 9x9x1, state 12; this task shows",
        ),
        (running.runs_of(rooms) / "run", "has learned to see image"),
    ):
        model = options / "pick" / "acmodel.pt"
        shutil.copyfile(folder / "acmodel.pt", model)
        capsys.readouterr()
        error = refused(capsys, train(tmp_path, *learned(options), "--savedir", "new"))
        assert f"{model} {words}" in error
        assert not runs_of(tmp_path).exists()


def test_a_run_does_not_replace_an_option_that_it_needs(
    options: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(options, runs_of(tmp_path))
    folder = runs_of(tmp_path)
    model = folder / "pick" / "acmodel.pt"
    before = model.read_bytes()
    flags = [*learned(folder), "--overwrite", "--n_itr", "0", "--savedir"]
    error = refused(capsys, train(tmp_path, *flags, "pick"))
    assert f"{folder / 'pick'} cannot be overwritten: the new run needs {model}" in error
    assert model.read_bytes() == before
    # Beside them lies what it does not need.
    assert train(tmp_path, *flags, "run1") == 0
