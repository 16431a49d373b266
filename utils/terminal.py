"""Output to the terminal: lines, tables and a sign that something is awaited."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import rich
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

WIDTH = 200
"""Columns of a table that goes to a file or a pipe, where nothing needs to be folded."""


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 step", "2 steps"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say(line: str) -> None:
    """Print one line, if the terminal is still there."""
    with unheard():
        rich.get_console().print(line, highlight=False, markup=False, soft_wrap=True)


def table(title: str, columns: list[str], rows: list[list[str]], texts: int = 1) -> None:
    """Print a table. The first `texts` columns hold text; the others hold numbers."""
    # Escaped: a name may hold brackets, which rich would read as markup.
    shown = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        justify: JustifyMethod = "left" if number < texts else "right"
        shown.add_column(escape(column), justify=justify, overflow="fold")
    for row in rows:
        shown.add_row(*map(escape, row))
    console = rich.get_console()
    console = console if console.is_terminal else Console(width=WIDTH)
    # A title of the table itself would be folded to the table's width.
    console.print(escape(title), style="italic", highlight=False, soft_wrap=True)
    console.print(shown)


@contextmanager
def waiting(text: str, parts: int) -> Iterator[Callable[[], None]]:
    """Show what is awaited while the block runs; call the yielded function when a part is done."""
    if not rich.get_console().is_terminal:
        say(text)
        yield lambda: None
        return
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(SpinnerColumn(), *columns, transient=True) as bar:
        row = bar.add_task(text, total=parts)
        yield lambda: bar.advance(row)


def silence() -> None:
    """Print nothing from here on. Of several ranks only one talks."""
    rich.get_console().quiet = True


def unheard() -> AbstractContextManager[None]:
    """Let a run go on when its reader is gone (`| head`, a closed terminal)."""
    # On a closed pipe rich raises SystemExit, and is quiet from then on.
    return suppress(SystemExit, OSError)
