"""What cannot be done is said in one line, and costs nothing that was there before."""

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import main
from algos import checkpoint
from commands.planned_runs import check_ranks
from commands.runs import read_config
from tests.running import ROOT, runs_of, train
from utils.errors import UserError
from utils.ranks import Ranks


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


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with a run for each way to be wrong."""
    logdir = tmp_path_factory.mktemp("broken")
    for name in ("whole", "damaged", "other"):
        assert train(logdir, "--n_itr", "0", "--savedir", name) == 0
    for name in ("acmodel.pt", "checkpoint.pt"):
        path = runs_of(logdir) / "damaged" / name
        path.write_bytes(path.read_bytes()[:1000])
    path = runs_of(logdir) / "other" / "acmodel.pt"
    content = checkpoint.load(path)
    checkpoint.save(path, {**content, "task": "TwoDoor"})
    return logdir


@pytest.fixture
def broken(breakable: Path, tmp_path: Path) -> Path:
    """The same, for one test alone."""
    return shutil.copytree(breakable, tmp_path, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["train", "--task", "NoSuchTask"], "unknown task 'NoSuchTask'; give one of Colored"),
        (["train", "--task", "base"], "unknown task"),
        (["train", "--task", "simpledorkey"], "YAML file; do you mean SimpleDoorKey?"),
        (["train", "--policy", "ppo-hrad"], "YAML file; do you mean ppo-hard?"),
        (["train", "--batch_size", "1"], "batch_size"),
        (["train", "--n_itr", "-1"], "n_itr"),
        (["train", "--gamma", "2"], "gamma"),
        (["train", "--savedir", "../up"], "not a name for a run"),
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
        (["watch", "--loaddir", "whole", "--eval_teacher"], "needs no run; leave whole out"),
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
    tmp_path: Path,
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


def test_ranks_without_a_device_of_their_own_cost_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path, "--n_itr", "0", "--savedir", "old") == 0
    config = read_config(runs_of(tmp_path) / "old" / "config.json", device="cuda:0")
    monkeypatch.setattr("commands.planned_runs.choose_device", lambda name: name)
    ranks = Ranks()
    ranks.count = 2
    with pytest.raises(UserError, match="each rank needs a GPU of its own"):
        check_ranks([config], ranks)


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


def test_what_was_not_installed_is_said_in_one_line() -> None:
    main_file = Path(main.__file__)
    done = subprocess.run(
        [sys.executable, "-S", "-E", main_file, "train"], capture_output=True, text=True
    )
    advice = "install what the project needs with: pip install -r requirements.txt"
    assert done.returncode == 1
    assert re.fullmatch(rf"error: No module named '\w+': {advice}\n", done.stderr)


def without_pytorch(*flags: str) -> subprocess.CompletedProcess[str]:
    """A command in a process that has no PyTorch."""
    script = (
        "import sys; sys.modules['torch'] = None; import main; sys.exit(main.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["eval", "--loaddir", "nope"], "there is no run"),
        (["watch", "nope"], "there is no run"),
        (["export", "nope", "--to", "student.onnx"], "there is no run"),
        (["train", "--resume", "--savedir", "nope"], "there is no run"),
        (["train", "--savedir", "whole"], "holds a run already"),
        (["record", "--show", "configs/simpledoorkey.yaml"], "is no file of plans"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_missing_or_in_the_way_is_told_before_pytorch_is_loaded(
    flags: list[str], why: str, breakable: Path
) -> None:
    done = without_pytorch(*flags, "--logdir", str(breakable))
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_tasks_file_says_where_its_plans_are(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "configs" / "simpledoorkey.yaml"
    assert main.main(["record", "--show", str(path)]) == 1
    assert capsys.readouterr().err == (
        f"error: {path} is no file of plans, as record writes them; "
        f"it names {path.parent / 'plans/simpledoorkey.yaml'}\n"
    )
