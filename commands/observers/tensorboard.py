"""TensorBoard's events of a run."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from PIL import Image

from algos.iteration import Iteration
from algos.protocols import Observer
from commands.observers.tags import tagged
from commands.viewer.film import as_gif
from commands.viewer.frames import SIZE
from utils.files import writing


class TensorBoard(Observer):
    """Writes scalars, news, an LLM's plans and films to a run folder."""

    def __init__(self, folder: Path, after: int = 0) -> None:
        """Events beyond iteration `after` count no more: the run goes on from there."""
        # Here, not above: it takes seconds to load.
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self.done = after
        with self._writing():
            self.writer = SummaryWriter(str(folder), purge_step=after + 1)

    def news(self, line: str) -> None:
        with self._writing():
            self.writer.add_text("News", line, self.done)

    def iteration(self, iteration: Iteration) -> None:
        self.done = iteration.number
        with self._writing():
            for name, value in tagged(iteration.numbers).items():
                self.writer.add_scalar(name, value, iteration.number)
            if iteration.plans:
                self.writer.add_text("LLM/Plans", as_table(iteration.plans), iteration.number)

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        gif = as_gif(frames)
        image = Summary.Image(
            height=SIZE[1] // 2, width=SIZE[0] // 2, colorspace=3, encoded_image_string=gif
        )
        events: Any = self.writer.file_writer
        with self._writing():
            events.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), iteration)

    def saving(self) -> None:
        with self._writing():
            self.writer.flush()

    def ended(self) -> None:
        with self._writing():
            self.writer.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.folder / "events.out.tfevents")


def as_table(plans: Mapping[str, Mapping[str, float]]) -> str:
    """Scenes, their plans and probabilities as a table in Markdown."""
    lines = ["scene | plan | probability", "--- | --- | ---"]
    for scene, answer in plans.items():
        lines += [f"`{scene}` | `{plan}` | {p:.2f}" for plan, p in answer.items()]
        lines += [] if answer else [f"`{scene}` | no advice |"]
    return "\n".join(lines)
