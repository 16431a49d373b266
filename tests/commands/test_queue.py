"""Experiments in a queue, and the table that shows their progress."""

import subprocess
from io import StringIO
from pathlib import Path

from rich.console import Console

from commands.experiments.experiment import Experiment, State, examine
from commands.experiments.process import output_of
from commands.experiments.progress import overview
from commands.experiments.queue import Job, Queue
from commands.experiments.table import read_table
from tests.reproduction import TABLE, begin, evaluate
from utils.files import write_json


def experiments_of(folder: Path, methods: str) -> list[Experiment]:
    path = folder / "table.yaml"
    path.write_text(TABLE.replace("[ppo, teacher]", f"[{methods}]"))
    return read_table(path, folder, 1)


def states(experiments: list[Experiment]) -> dict[Experiment, State]:
    return {experiment: examine(experiment) for experiment in experiments}


def shown(queue: Queue, room: int | None = None) -> list[str]:
    console = Console(width=100, record=True, file=StringIO())
    console.print(overview(queue, room))
    return console.export_text().splitlines()


def test_without_room_for_all_rows_finished_rows_are_hidden_first(tmp_path: Path) -> None:
    experiments = experiments_of(tmp_path, "teacher, ppo, ppo-hard")
    evaluate(experiments[0])
    queue = Queue(states(experiments), tmp_path, 1, lambda experiment, news: None)
    for room, rows in (
        (3, ["teacher", "ppo", "ppo-hard"]),
        (2, ["ppo", "ppo-hard"]),
        (1, ["ppo"]),
    ):
        head, names, *lines = shown(queue, room)
        assert head == "1 of 5 experiments finished, 0 running"
        assert names.split() == ["runs", "task", "method", "seed", "0", "seed", "1"]
        assert [line.split()[2] for line in lines] == rows


def test_the_table_shows_the_progress_of_each_experiment(tmp_path: Path) -> None:
    experiments = experiments_of(tmp_path, "ppo, ppo-hard, teacher")
    trained, running, other, broken, teacher = experiments
    evaluate(teacher)
    begin(trained, '{"iteration": 14}')
    write_json(trained.folder / "verdict.json", {})
    begin(running, '{"iteration": 7}')
    write_json(other.folder / "config.json", {**other.settings, "gamma": 0.1})
    queue = Queue(states(experiments), tmp_path, 1, lambda experiment, news: None)
    assert queue.waiting == [trained, running, broken]
    assert [line.split()[3:] for line in shown(queue)[2:]] == [
        *(["100%", "50%"], ["other", "–"], ["0.750"])
    ]
    queue.waiting = [trained]
    queue.failed[broken] = "no disk"
    queue.paces[running.row] = 240.0
    with subprocess.Popen(["true"]) as process:
        queue.jobs = [Job(running, process, queue.states[running], 0.0)]
        assert [" ".join(line.split()) for line in shown(queue)] == [
            "1 of 5 experiments finished, 1 running, 1 failed, 1 left alone, "
            "about 28 min of training left",
            "runs task method seed 0 seed 1",
            "tiny SimpleDoorKey ppo 100% 50% 28 min",
            "tiny SimpleDoorKey ppo-hard other failed",
            "tiny SimpleDoorKey teacher 0.750",
            "ppo-hard SimpleDoorKey tiny-1: no disk",
        ]


def test_a_finished_experiment_has_not_failed_whatever_its_exit_code(
    tmp_path: Path,
) -> None:
    (teacher,) = experiments_of(tmp_path, "teacher")
    told = list[str]()
    queue = Queue(states([teacher]), tmp_path, 1, lambda experiment, news: told.append(news))
    with subprocess.Popen(["false"]) as process:
        queue.jobs = [Job(teacher, process, queue.states[teacher], 0.0)]
    queue.waiting = []
    evaluate(teacher)
    queue.run(lambda: False, lambda: None)
    assert told == ["finished: success 0.750"]
    assert not queue.failed


def test_an_experiment_whose_output_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    experiments = experiments_of(tmp_path, "teacher, ppo-alone")[:2]
    for experiment in experiments[1:]:
        output_of(experiment, tmp_path).mkdir(parents=True)
    told = list[tuple[str, str]]()
    queue = Queue(
        states(experiments),
        tmp_path,
        2,
        lambda experiment, news: told.append((experiment.method, news)),
    )
    queue.run(lambda: False, lambda: None)
    assert [method for method, news in told if news.startswith("finished: ")] == ["teacher"]
    assert list(queue.failed) == experiments[1:]
    assert queue.failed[experiments[1]].endswith("Is a directory")
