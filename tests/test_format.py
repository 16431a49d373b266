"""Runs of another version of the format are refused, with the program that can read them."""

import shutil
from pathlib import Path

import pytest
import torch

import main
from algos import checkpoint
from algos.saved_files import FORMAT
from commands.run_files import CONFIG_FORMAT
from tests import running
from utils.errors import UserError

CONFIG = Path(__file__).parent / "data" / "config_of_version_1.json"
COMMIT = "7ebf896f"


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    """A log tree with a run as version 1 wrote it."""
    folder = tmp_path / "ppo" / "simpledoorkey" / "old"
    folder.mkdir(parents=True)
    shutil.copy(CONFIG, folder / "config.json")
    for name in ("acmodel.pt", "checkpoint.pt"):
        torch.save({"format": 1, "task": "SimpleDoorKey", "weights": {}}, folder / name)
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "file"),
    [
        (["eval", "--loaddir", "old"], "config.json"),
        (["eval"], "config.json"),
        (["train", "--resume", "--savedir", "old"], "config.json"),
        (["train", "--config", "{folder}/config.json"], "config.json"),
        (["train", "--loaddir", "old"], "acmodel.pt"),
    ],
)
def test_a_run_of_the_version_before_is_refused(
    logdir: Path, capsys: pytest.CaptureFixture[str], flags: list[str], file: str
) -> None:
    folder = logdir / "ppo" / "simpledoorkey" / "old"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    typed = [flag.format(folder=folder) for flag in flags]
    assert main.main([typed[0], "--logdir", str(logdir), "--device", "cpu", *typed[1:]]) == 1
    error = capsys.readouterr().err
    wanted = FORMAT if file.endswith(".pt") else CONFIG_FORMAT
    words = f"error: {folder / file} is of version 1 of runs' format, not {wanted}; git commit "
    assert error.startswith(words + COMMIT)
    assert error.endswith(", which made the run, can read it\n")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_model_alone_is_refused_without_a_commit(tmp_path: Path) -> None:
    torch.save({"format": 7, "weights": {}}, tmp_path / "model.pt")
    with pytest.raises(UserError, match=rf"is of version 7 of runs' format, not {FORMAT}$"):
        checkpoint.load(tmp_path / "model.pt")


def test_a_run_from_before_there_were_some_settings_goes_on(tmp_path: Path) -> None:
    assert running.train(tmp_path, "--n_itr", "0", "--savedir", "old") == 0
    folder = running.runs_of(tmp_path) / "old"
    content = running.settings_of(folder)
    assert (content["policy_coef"], content["hierarchical"]) == (1.0, False)
    running.write_format_2(folder, {}, without=("policy_coef", "hierarchical"))
    resume = ["--logdir", str(tmp_path), "--savedir", "old", "--resume"]
    assert main.main(["train", *resume, "--n_itr", "1"]) == 0
    assert running.settings_of(folder)["policy_coef"] == 1.0
    assert running.evaluate(tmp_path, "--num_eval", "1") == 0
