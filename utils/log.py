"""What a run folder keeps of a run, and what is said in a terminal."""

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import rich
from PIL import Image
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from commands.viewer.frames import SIZE, as_gif
from utils.files import write_text, writing
from utils.run_files import METRICS

GIF_FRAMES = 60


class Log:
    """Where a run tells of itself; each kind takes of it what it can show. Any of these raises
    UserError if what is told cannot be kept."""

    def scalars(self, values: dict[str, float], iteration: int) -> None:
        """The numbers of an iteration."""

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None:
        """Scenes that were asked about, with their plans and probabilities."""

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
        """A film of `GIF_FRAMES` or less."""

    def flush(self) -> None:
        """All that came so far is to last: a checkpoint is about to be written."""

    def close(self) -> None:
        """Nothing comes any more."""


class RunLog(Log):
    """What a run folder keeps, and other logs beside it, as one; what lies beyond `after`
    iterations, of a run that was cut off and is resumed, is taken back."""

    def __init__(self, folder: Path, after: int = 0, also: Sequence[Log] = ()) -> None:
        self.logs = [TensorBoard(folder, after), LineLog(folder / METRICS, after), *also]

    def scalars(self, values: dict[str, float], iteration: int) -> None:
        for log in self.logs:
            log.scalars(values, iteration)

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None:
        for log in self.logs:
            log.plans(plans, iteration)

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
        for log in self.logs:
            log.film(name, frames, iteration)

    def flush(self) -> None:
        for log in self.logs:
            log.flush()

    def close(self) -> None:
        """Of all of them, even if one fails."""
        with ExitStack() as closing:
            for log in self.logs:
                closing.callback(log.close)


class TensorBoard(Log):
    """TensorBoard's events of a run."""

    def __init__(self, folder: Path, after: int = 0) -> None:
        # PyTorch takes seconds to load, and who only says something needs none.
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        with self._writing():
            self.writer = SummaryWriter(str(folder), purge_step=after + 1)

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.folder / "events.out.tfevents")

    def scalars(self, values: dict[str, float], iteration: int) -> None:
        with self._writing():
            for name, value in values.items():
                self.writer.add_scalar(name, value, iteration)

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None:
        lines = ["scene | plan | probability", "--- | --- | ---"]
        for scene, answer in plans.items():
            lines += [f"`{scene}` | `{plan}` | {p:.2f}" for plan, p in answer.items()]
            lines += [] if answer else [f"`{scene}` | no advice |"]
        with self._writing():
            self.writer.add_text("LLM/Plans", "\n".join(lines), iteration)

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        gif = as_gif(frames)
        image = Summary.Image(
            height=SIZE[1] // 2, width=SIZE[0] // 2, colorspace=3, encoded_image_string=gif
        )
        events: Any = self.writer.file_writer
        with self._writing():
            events.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), iteration)

    def flush(self) -> None:
        with self._writing():
            self.writer.flush()

    def close(self) -> None:
        with self._writing():
            self.writer.close()


class LineLog(Log):
    """A file of JSON lines, the scalars of an iteration in each; what is no number is null."""

    def __init__(self, path: Path, after: int = 0) -> None:
        """Lines beyond `after` iterations, and one that was torn, are taken back."""
        self.path = path
        kept = [row for row in read_lines(path) if row["iteration"] <= after]
        write_text(path, "".join(map(_line, kept)))
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def scalars(self, values: dict[str, float], iteration: int) -> None:
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        with writing(self.path):
            self.file.write(_line({"iteration": iteration, **row}))

    def flush(self) -> None:
        with writing(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that `LineLog` wrote; none, if there is no file. What is torn is left
    out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError, RecursionError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict) and "iteration" in row]


class TrainingDisplay:
    """A progress bar in a terminal; elsewhere a plain line after the first iteration, and at every
    evaluation."""

    def __init__(self, name: str, done: int, total: int) -> None:
        self.name = name
        self.total = total
        self.told = False
        self.bar: Progress | None = None
        if rich.get_console().is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[news]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self.row = self.bar.add_task(name, total=total, completed=done, news="")

    def __enter__(self) -> "TrainingDisplay":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, iteration: int, scalars: dict[str, float]) -> None:
        news = (
            f"success {scalars['Train/Success Rate']:.2f}, "
            f"return {scalars['Train/Return Mean']:.2f}, "
            f"k {scalars['Train/Kickstarting Coef']:.2f}"
        )
        test = ""
        if "Test/Success Rate" in scalars:
            test = f"evaluation success {scalars['Test/Success Rate']:.2f}, "
        if self.bar:
            self.bar.update(self.row, completed=iteration, news=news)
        elif test or not self.told:
            speed = f"{scalars['Speed/Total']:.0f} steps/s"
            say(f"{self.name} {iteration}/{self.total}: {test}training {news}, {speed}")
        self.told = True

    def tell(self, news: str) -> None:
        """A line about the run, above the bar."""
        say(f"{self.name}: {news}")


@contextmanager
def waiting(text: str, parts: int) -> Iterator[Callable[[], None]]:
    """Shows what is waited for and how many of its parts are there; gives what to call at each."""
    if not rich.get_console().is_terminal:
        say(text)
        yield lambda: None
        return
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(SpinnerColumn(), *columns, transient=True) as bar:
        row = bar.add_task(text, total=parts)
        yield lambda: bar.advance(row)


def silence() -> None:
    """Tell the terminal nothing from here on: of several ranks one is enough."""
    rich.get_console().quiet = True


def unheard() -> AbstractContextManager[None]:
    """Around what is shown: that nobody sees it any more (`| head`, a closed terminal) ends no
    run."""
    # Of a closed pipe rich makes an exit, and is quiet from then on.
    return suppress(SystemExit, OSError)


def say(line: str) -> None:
    """One line to the terminal, if that is still there."""
    with unheard():
        rich.get_console().print(line, highlight=False, markup=False, soft_wrap=True)


def table(title: str, columns: list[str], rows: list[list[str]], texts: int = 1) -> None:
    """A table to the terminal; all but the first columns, the `texts`, are numbers."""
    # A name with brackets is no markup.
    shown = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        justify: JustifyMethod = "left" if number < texts else "right"
        shown.add_column(escape(column), justify=justify, overflow="fold")
    for row in rows:
        shown.add_row(*map(escape, row))
    console = rich.get_console()
    # Elsewhere than in a terminal nothing needs to be folded.
    (console if console.is_terminal else Console(width=200)).print(shown)
