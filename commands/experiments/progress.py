"""What is seen of a table of cells while it is worked on."""

import time

import rich
from rich.console import Console, RenderableType
from rich.console import Group as Stack
from rich.live import Live
from rich.table import Table
from rich.text import Text

from commands.experiments.experiment import Cell, iterations
from commands.experiments.queue import Queue
from utils.terminal import say, unheard

REFRESH = 1.0
"""Seconds."""
MARGIN = 6
"""Lines of a terminal that the table leaves to its title, its head and what follows."""


class Board:
    """A live table in a terminal, a row for each label, task and method, a column for each run of
    it; elsewhere a line for each event."""

    def __init__(self) -> None:
        self.console = rich.get_console()
        self.live: Live | None = None
        self.shown = 0.0
        if self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Board":
        if self.live:
            with unheard():
                self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            with unheard():
                self.live.stop()

    def tell(self, cell: Cell, news: str) -> None:
        """News of a cell; a live table shows them itself."""
        if not self.live:
            say(f"{cell.name}: {news}")

    def show(self, queue: Queue) -> None:
        if self.live and time.monotonic() - self.shown >= REFRESH:
            queue.watch()
            room = max(self.console.height - MARGIN - len(queue.failed), 3)
            with unheard():
                self.live.update(overview(queue, room), refresh=True)
            self.shown = time.monotonic()


def overview(queue: Queue, room: int | None = None) -> RenderableType:
    """The table, and below it what failed; of more rows than there is room for, those that are
    finished are left out first."""
    rows: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in queue.cells:
        rows.setdefault(cell.row, []).append(cell)
    if room is not None:
        done = [row for row, cells in rows.items() if all(map(queue.is_finished, cells))]
        hidden = done[: max(len(rows) - room, 0)]
        rows = {row: cells for row, cells in list(rows.items()) if row not in hidden}
    table = Table(box=None, pad_edge=False)
    for column in ("runs", "task", "method"):
        table.add_column(column, no_wrap=True)
    for column in columns(list(rows.values())):
        table.add_column(column, justify="right", no_wrap=True)
    for row, cells in list(rows.items())[:room]:
        table.add_row(*map(Text, row), *(shortly(queue, cell) for cell in cells))
    failures = [Text(f"{cell.name}: {why}") for cell, why in queue.failed.items()]
    return Stack(Text(headline(queue), style="bold"), table, *failures)


def columns(rows: list[list[Cell]]) -> list[str]:
    """What stands over the columns of runs: their seed, if all of a column have the same."""
    heads = list[str]()
    for number in range(max(map(len, rows), default=0)):
        found = {row[number].seed for row in rows if number < len(row)} - {None}
        heads.append(f"seed {found.pop()}" if len(found) == 1 else "")
    return heads


def shortly(queue: Queue, cell: Cell) -> Text:
    """How far one is, in a few characters."""
    state = queue.states[cell]
    if cell in queue.failed:
        return Text("failed", style="red")
    if queue.is_left_alone(cell):
        return Text("other", style="yellow")
    if state.stage == "finished":
        return Text(f"{state.success:.3f}", style="green")
    if cell in queue.held:
        return Text("elsewhere", style="yellow")
    job = next((job for job in queue.jobs if job.cell is cell), None)
    if job and state.stage == "to evaluate":
        return Text("eval", style="cyan")
    done = iterations(cell)
    share = f"{done / max(cell.n_itr, 1):.0%}"
    if not job:
        return Text(share if done else "–")
    pace = queue.pace(cell)
    left = f" {duration((cell.n_itr - done) * pace)}" if pace is not None else ""
    return Text(share + left, style="cyan")


def headline(queue: Queue) -> str:
    finished = sum(map(queue.is_finished, queue.cells))
    parts = [f"{finished} of {len(queue.cells)} cells finished", f"{len(queue.jobs)} under way"]
    if queue.failed:
        parts.append(f"{len(queue.failed)} failed")
    if others := sum(map(queue.is_left_alone, queue.cells)):
        parts.append(f"{others} left alone")
    left = queue.seconds_left() if queue.jobs else None
    if left:
        parts.append(f"about {duration(left)} of training left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def print_overview(queue: Queue) -> None:
    """The whole table, as it stands."""
    console = rich.get_console()
    # Elsewhere than in a terminal nothing needs to be folded.
    wide = console if console.is_terminal else Console(width=200)
    with unheard():
        wide.print(overview(queue), soft_wrap=True)
