"""A run in Weights & Biases; its package is loaded only where one is asked for."""

import math
import os
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

from commands.observers.log import Log
from commands.observers.metrics import read_lines
from commands.viewer.film import as_gif
from utils.errors import UserError
from utils.files import write_json
from utils.run_files import METRICS, WANDB
from utils.terminal import say
from utils.validation import read_yaml


def check_login(project: str) -> None:
    """UserError if no run can be shown in a project, as far as that can be known before there is
    one: by its name and the login, which the server confirms."""
    wandb = _package()
    with _told_in_a_line(wandb):
        settings = wandb.setup(wandb.Settings(project=project, silent=True)).settings
        if settings.mode not in ("offline", "dryrun", "disabled"):
            wandb.login()


class WandbLog(Log):
    """Shows a run in a project of Weights & Biases, each iteration once, however often the run is
    cut off and resumed, and those before it was first asked for as well.

    Iterations are handed over when they are about to be saved: what a killed run has done beyond
    its checkpoint will be done again.
    """

    def __init__(self, project: str, folder: Path, config: Mapping[str, Any], after: int) -> None:
        """Begin, or go on with, the run of a folder, which is resumed after so many iterations;
        UserError if it cannot be had."""
        self.wandb = wandb = _package()
        self.path = folder / WANDB
        known = read_yaml(self.path) if self.path.exists() else {}
        self.id = known.get("id") or uuid.uuid4().hex[:12]
        with _told_in_a_line(wandb):
            self.run = wandb.init(
                project=project,
                id=self.id,
                resume="allow",
                name="/".join(folder.parts[-3:]),
                dir=folder,
                config=dict(config),
                # A remote's address in git may hold a key.
                settings=wandb.Settings(console="off", silent=True, disable_git=True),
            )
        # What the server has counts; offline there is none to ask.
        self.shown = known.get("iteration", 0) if self.run.offline else self.run.step - 1
        self.kept = self.shown
        self.rows = defaultdict[int, dict[str, Any]](dict)
        for row in read_lines(folder / METRICS):
            if (iteration := row.pop("iteration")) <= after:
                self.scalars(row, iteration)
        self.flush()
        where = f"offline, in {folder / 'wandb'}" if self.run.offline else self.run.url
        say(f"Weights & Biases shows the run {self.id}: {where}")

    def scalars(self, values: Mapping[str, float | None], iteration: int) -> None:
        numbers = {n: v for n, v in values.items() if v is not None and math.isfinite(v)}
        self.rows[iteration] |= numbers

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None:
        rows = [[scene, plan, p] for scene, answer in plans.items() for plan, p in answer.items()]
        table = self.wandb.Table(["scene", "plan", "probability"], rows)
        self.rows[iteration]["LLM/Plans"] = table

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
        film = self.wandb.Video(BytesIO(as_gif(frames)), format="gif")
        self.run.log({name: film}, step=iteration)

    def flush(self) -> None:
        for iteration, row in sorted(self.rows.items()):
            if iteration > self.shown:
                self.run.log(row, step=iteration)
                # A row is kept when the next one begins: its film may be still to come.
                self.kept, self.shown = self.shown, iteration
        self.rows.clear()
        self._note(self.kept)

    def close(self) -> None:
        self.run.finish()
        self._note(self.shown)

    def _note(self, iteration: int) -> None:
        write_json(self.path, {"id": self.id, "iteration": iteration})


def _package() -> ModuleType:
    """The package, which takes a second to load."""
    # Seconds until a row that is kept is on disk, and a kill cannot cost it any more.
    os.environ.setdefault("WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL", "1")
    import wandb

    return wandb


@contextmanager
def _told_in_a_line(wandb: ModuleType) -> Iterator[None]:
    """Around what the package may refuse: UserError if it does."""
    try:
        yield
    except wandb.Error as error:
        raise UserError(f"--wandb: {' '.join(str(error).split())}") from error
