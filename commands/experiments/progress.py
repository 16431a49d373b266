"""The progress of a table of experiments, as the terminal shows it."""

import time

import rich
from rich.console import Console, RenderableType
from rich.console import Group as Stack
from rich.live import Live
from rich.table import Table
from rich.text import Text

from commands.experiments.experiment import Experiment
from commands.experiments.queue import Queue
from commands.run_files import iterations
from utils.terminal import WIDTH, counted, say, unheard

REFRESH = 1.0
"""Seconds."""
MARGIN = 6
"""Lines of a terminal that the table leaves free for its heading and for what follows."""


class Progress:
    """In a terminal a live table: a row for each label, task and method, a column for each seed.
    Elsewhere one line an event."""

    def __init__(self) -> None:
        self.console = rich.get_console()
        self.live: Live | None = None
        self.shown = 0.0
        if self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Progress":
        if self.live:
            with unheard():
                self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            with unheard():
                self.live.stop()

    def tell(self, experiment: Experiment, news: str) -> None:
        """Print news of an experiment, unless the live table shows them."""
        if not self.live:
            say(f"{experiment.name}: {news}")

    def show(self, queue: Queue) -> None:
        """Draw the live table again, once a second."""
        if self.live and time.monotonic() - self.shown >= REFRESH:
            queue.measure()
            room = max(self.console.height - MARGIN - len(queue.failed), 3)
            with unheard():
                self.live.update(overview(queue, room), refresh=True)
            self.shown = time.monotonic()


def print_overview(queue: Queue) -> None:
    """Print the whole table."""
    console = rich.get_console()
    wide = console if console.is_terminal else Console(width=WIDTH)
    with unheard():
        wide.print(overview(queue), soft_wrap=True)


def overview(queue: Queue, room: int | None = None) -> RenderableType:
    """The headline, the table and the failures. With `room` for too few rows, finished rows are
    left out first."""
    rows: dict[tuple[str, str, str], list[Experiment]] = {}
    for experiment in queue.experiments:
        rows.setdefault(experiment.row, []).append(experiment)
    if room is not None:
        done = [row for row, inside in rows.items() if all(map(queue.is_finished, inside))]
        hidden = done[: max(len(rows) - room, 0)]
        rows = {row: inside for row, inside in list(rows.items()) if row not in hidden}
    table = Table(box=None, pad_edge=False)
    for column in ("runs", "task", "method"):
        table.add_column(column, no_wrap=True)
    for column in seed_columns(list(rows.values())):
        table.add_column(column, justify="right", no_wrap=True)
    for row, inside in list(rows.items())[:room]:
        table.add_row(*map(Text, row), *(entry(queue, experiment) for experiment in inside))
    failures = [Text(f"{experiment.name}: {why}") for experiment, why in queue.failed.items()]
    return Stack(Text(headline(queue), style="bold"), table, *failures)


def seed_columns(rows: list[list[Experiment]]) -> list[str]:
    """The headings of the columns: a seed, if all rows have the same one there."""
    headings = list[str]()
    for number in range(max(map(len, rows), default=0)):
        found = {row[number].seed for row in rows if number < len(row)} - {None}
        headings.append(f"seed {found.pop()}" if len(found) == 1 else "")
    return headings


def entry(queue: Queue, experiment: Experiment) -> Text:
    """The progress of one experiment in a few characters."""
    state = queue.states[experiment]
    if experiment in queue.failed:
        return Text("failed", style="red")
    if queue.is_left_alone(experiment):
        return Text("other", style="yellow")
    if state.stage == "finished":
        return Text(f"{state.success:.3f}", style="green")
    if experiment in queue.held:
        return Text("elsewhere", style="yellow")
    runs = any(job.experiment is experiment for job in queue.jobs)
    if runs and state.stage == "to evaluate":
        return Text("eval", style="cyan")
    done = iterations(experiment.folder)
    share = f"{done / max(experiment.n_itr, 1):.0%}"
    if not runs:
        return Text(share if done else "–")
    pace = queue.pace(experiment)
    left = f" {duration((experiment.n_itr - done) * pace)}" if pace is not None else ""
    return Text(share + left, style="cyan")


def headline(queue: Queue) -> str:
    finished = sum(map(queue.is_finished, queue.experiments))
    parts = [f"{finished} of {counted(len(queue.experiments), 'experiment')} finished"]
    parts.append(f"{len(queue.jobs)} running")
    if queue.failed:
        parts.append(f"{len(queue.failed)} failed")
    if others := sum(map(queue.is_left_alone, queue.experiments)):
        parts.append(f"{others} left alone")
    left = queue.seconds_left() if queue.jobs else None
    if left:
        parts.append(f"about {duration(left)} of training left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time in the unit that suits it, such as "28 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
