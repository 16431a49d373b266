"""The film of an episode, taken whenever a run is saved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from algos.protocols import Observer
from utils.errors import UserError
from utils.terminal import say

NAME = "Episode"
MOST_STEPS = 60


class Screen(Protocol):
    """Shows films."""

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None: ...


@dataclass
class Film(Observer):
    """Films an episode after each save and shows it, unless nothing is learned yet or the user
    waits for the run to stop. `take` plays an episode of the student after an iteration, and
    returns its frames."""

    take: Callable[[int], list[Image.Image]]
    screens: Sequence[Screen]
    stopped: Callable[[], bool]

    def saved(self, iteration: int) -> None:
        if iteration == 0 or self.stopped():
            return
        try:
            frames = self.take(iteration)
        except UserError as error:
            # An environment that does not follow its seed cannot be filmed, but trained in.
            say(f"no film of iteration {iteration}: {error}")
            return
        for screen in self.screens:
            screen.film(NAME, frames, iteration)
