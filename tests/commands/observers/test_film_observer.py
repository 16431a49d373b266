"""Films of a run."""

from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from algos.distributions import Gaussian
from algos.play import play
from algos.student import Student
from commands.observers.film import Film
from commands.viewer.film import film_of
from commands.viewer.replay import Played, Viewer
from env.episode import Episode
from env.vector import SerialEnvs
from tests.point import PointEncoder, PointEnv, PointTeacher
from tests.test_point import CPU, NETWORK
from utils.timing import Stopwatch


class Restless(PointEnv):
    """Begins elsewhere each time, whatever the seed."""

    starts = count()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=next(self.starts), options=options)


@pytest.mark.parametrize(("make", "films"), [(PointEnv, 1), (Restless, 0)])
def test_an_environment_that_does_not_follow_its_seed_is_not_filmed(
    capsys: pytest.CaptureFixture[str], make: type[PointEnv], films: int
) -> None:
    environment, student = (
        SerialEnvs(lambda: Episode(make()), 1),
        Student(NETWORK, PointEncoder(NETWORK)),
    )
    viewer = Viewer(environment, PointTeacher(), Gaussian, ("right", "down"), (), CPU)
    shown: list[np.ndarray] = []

    def take(iteration: int) -> list[Image.Image]:
        rollout = play(environment, student, CPU, [3], torch.Generator(), Stopwatch())
        return film_of(viewer, Played(3, rollout, 0))

    class Screen:
        def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
            shown.extend(map(np.asarray, frames[:1]))

    Film(take, [Screen()], lambda: False).saved(5)
    assert len(shown) == films
    said = capsys.readouterr().out
    assert ("no film of iteration 5: from the seed 3" in " ".join(said.split())) == (not films)
