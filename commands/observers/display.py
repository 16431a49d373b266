"""What a terminal shows while a run trains."""

import rich
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from algos.evaluation import Evaluation
from algos.iteration import Iteration
from algos.protocols import Observer
from commands.evaluation_table import mean_in_words
from utils.terminal import counted, say


class Display(Observer):
    """A progress bar in a terminal. Elsewhere a line after the first iteration, and one whenever an
    evaluation is due."""

    def __init__(self, name: str, done: int, total: int) -> None:
        """`name` is the run's, which has `done` of `total` iterations behind it."""
        self.name = name
        self.total = total
        self.silent = True
        self.bar: Progress | None = None
        if rich.get_console().is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[news]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeLeftColumn(),
            )
            self.row = self.bar.add_task(name, total=total, completed=done, news="")
            self.bar.start()

    def news(self, line: str) -> None:
        say(f"{self.name}: {line}")

    def teacher_tried(self, outcome: Evaluation) -> None:
        summary, missed = outcome.summary(), outcome.unanswered_steps
        also = f"; {counted(missed, 'step')} unanswered" if missed else ""
        say(
            f"teacher alone in {counted(len(outcome.seeds), 'episode')}: "
            f"success {mean_in_words(summary['success'])}, "
            f"return {mean_in_words(summary['return'])}{also}"
        )

    def iteration(self, iteration: Iteration) -> None:
        numbers = iteration.numbers
        ended = "no training episode has ended"
        if "success" in numbers:
            success, mean = numbers["success"], numbers["return mean"]
            ended = f"training success {success:.2f}, return {mean:.2f}"
        training = f"{ended}, k {numbers['k']:.2f}"
        if self.bar:
            news = training.removeprefix("training ")
            self.bar.update(self.row, completed=iteration.number, news=news)
        elif self.silent or iteration.evaluations or iteration.put_off:
            test, speed = "", f"{numbers['speed/total']:.0f} steps/s"
            if iteration.put_off:
                test = "evaluation put off, "
            if iteration.evaluations:
                test = f"evaluation success {numbers['test/success']:.2f}, "
            say(f"{self.name} {iteration.number}/{self.total}: {test}{training}, {speed}")
        self.silent = False

    def ended(self) -> None:
        if self.bar:
            self.bar.stop()
