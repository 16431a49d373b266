"""Observers of a user's own: what they see, and what their mistakes cost."""

from pathlib import Path

import pytest

from commands.run_files import METRICS, read_lines
from tests.running import done, runs_of, train

NOTES = """
from pathlib import Path

from algos.protocols import Observer


class Notes(Observer):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "notes.txt"

    def note(self, *words: object) -> None:
        with self.path.open("a") as file:
            print(*words, file=file)

    def teacher_tried(self, outcome) -> None:
        self.note("teacher", len(outcome.seeds))

    def iteration(self, iteration) -> None:
        episodes, evaluated = len(iteration.rollout.lengths), iteration.evaluations is not None
        self.note("iteration", iteration.number, iteration.numbers["success"], episodes, evaluated)

    def saved(self, iteration: int) -> None:
        self.note("saved", iteration)

    def ended(self) -> None:
        self.note("ended")


class Fails:
    def __init__(self, folder: Path) -> None:
        pass

    def iteration(self, iteration) -> None:
        if iteration.number == 2:
            raise ValueError("no more,\\nplease")



class FailsAtTheEnd:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def saved(self, iteration) -> None:
        if iteration == 4:
            raise ValueError("too late")

    def ended(self) -> None:
        (self.folder / "closed.txt").touch()


class CannotBeMade:
    pass
"""
SOON = ["--n_itr", "4", "--quick", "--eval_interval", "2", "--savedir", "run"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_observers.py"
    path.write_text(NOTES)
    return path


def test_an_own_observer_sees_what_happens(file: Path, tmp_path: Path) -> None:
    assert train(tmp_path, *SOON, "--observer", f"{file}:Notes") == 0
    folder = runs_of(tmp_path) / "run"
    shares = [row["Train/Success Rate"] for row in read_lines(folder / METRICS)]
    assert (folder / "notes.txt").read_text().splitlines() == [
        *("teacher 5", "saved 0"),
        *(f"iteration {i} {shares[i - 1]} 2 {i % 2 == 0}" for i in range(1, 5)),
        *("saved 4", "ended"),
    ]


def test_a_mistake_in_an_own_observer_ends_the_run_after_saving(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    observers = ["--observer", f"{file}:Fails", "--observer", f"{file}:Notes"]
    assert train(tmp_path, *SOON, *observers) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    place = NOTES.splitlines().index('            raise ValueError("no more,\\nplease")') + 1
    assert f"iteration fails with ValueError in line {place} of my_observers.py" in error
    assert error.endswith("no more, please\n")
    folder = runs_of(tmp_path) / "run"
    assert done([folder]) == [2]
    assert (folder / "notes.txt").read_text().splitlines()[-2:] == ["saved 2", "ended"]


def test_an_observer_that_fails_at_the_end_costs_no_verdict_and_is_still_closed(
    file: Path, tmp_path: Path
) -> None:
    assert train(tmp_path, *SOON, "--observer", f"{file}:FailsAtTheEnd") == 1
    folder = runs_of(tmp_path) / "run"
    assert done([folder]) == [4]
    assert (folder / "verdict.json").exists()
    assert (folder / "closed.txt").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.py:Notes", "there is no file nowhere.py"),
        ("my_observers.py", "give a file and a class, as in my_file.py:MyObserver"),
        ("my_observers.py:Note", "there is no class Note; do you mean Notes?"),
        ("broken.py:Notes", "broken.py fails with SyntaxError"),
        ("my_observers.py:CannotBeMade", "__init__ fails with TypeError"),
    ],
)
def test_what_is_no_observer_is_refused_in_one_line(
    name: str,
    words: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (file.parent / "broken.py").write_text("class Notes(:\n")
    monkeypatch.chdir(file.parent)
    assert train(Path("log"), *SOON, "--observer", name) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
