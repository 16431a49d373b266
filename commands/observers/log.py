"""What a run folder keeps of a run, and what is said in a terminal."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import rich
from PIL import Image
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from commands.observers.metrics import LineLog
from commands.viewer.film import as_gif
from commands.viewer.frames import SIZE
from utils.files import writing
from utils.run_files import METRICS
from utils.terminal import say

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
        self.logs = [TensorBoard(folder, after), cast(Log, LineLog(folder / METRICS, after)), *also]

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
