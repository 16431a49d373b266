"""A run in Weights & Biases; its package is loaded only for a run that asks for it."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

from algos.iteration import Iteration
from algos.protocols import Observer
from commands.run_files import METRICS, WANDB, read_lines
from commands.viewer.film import as_gif
from utils.errors import UserError
from utils.files import write_json
from utils.terminal import say
from utils.validation import read_yaml


def check_login(project: str) -> None:
    """UserError if a project's name or the login is wrong, as far as that shows before a run."""
    wandb = _package()
    with _errors_in_one_line(wandb):
        settings = wandb.setup(wandb.Settings(project=project, silent=True)).settings
        if settings.mode not in ("offline", "dryrun", "disabled"):
            wandb.login()


class WeightsAndBiases(Observer):
    """Shows a run in a project, each iteration once, however often the run is killed and resumed.

    Its numbers are those of metrics.jsonl, also from before the run was first shown. They are sent
    when the run is about to be saved: a killed run repeats what it has done beyond its checkpoint.
    """

    def __init__(self, project: str, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin the run of a folder, or go on with it; UserError if Weights & Biases refuses."""
        self.wandb = wandb = _package()
        self.path, self.metrics = folder / WANDB, folder / METRICS
        known = read_yaml(self.path) if self.path.exists() else {}
        self.id = known.get("id") or uuid.uuid4().hex[:12]
        with _errors_in_one_line(wandb):
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
        # The server knows best which iterations it has; offline there is none to ask.
        self.sent = known.get("iteration", 0) if self.run.offline else self.run.step - 1
        self.complete = self.sent
        self.plans = dict[int, Any]()
        self.saving()
        where = f"offline, in {folder / 'wandb'}" if self.run.offline else self.run.url
        say(f"Weights & Biases shows the run {self.id}: {where}")

    def iteration(self, iteration: Iteration) -> None:
        if plans := iteration.plans:
            rows = [[scene, plan, p] for scene in plans for plan, p in plans[scene].items()]
            table = self.wandb.Table(["scene", "plan", "probability"], rows)
            self.plans[iteration.number] = {"LLM/Plans": table}

    def film(self, name: str, frames: list[Image.Image], iteration: int) -> None:
        film = self.wandb.Video(BytesIO(as_gif(frames)), format="gif")
        self.run.log({name: film}, step=iteration)

    def saving(self) -> None:
        for row in read_lines(self.metrics):
            if (iteration := row.pop("iteration")) > self.sent:
                numbers = {name: value for name, value in row.items() if value is not None}
                self.run.log(numbers | self.plans.pop(iteration, {}), step=iteration)
                # A row is complete when the next one begins: its film may be still to come.
                self.complete, self.sent = self.sent, iteration
        self._note(self.complete)

    def ended(self) -> None:
        self.run.finish()
        self._note(self.sent)

    def _note(self, iteration: int) -> None:
        write_json(self.path, {"id": self.id, "iteration": iteration})


def _package() -> ModuleType:
    """The package, which takes a second to load. UserError if it is not installed."""
    # It writes within a second what it is given, so that a kill costs no more than that.
    os.environ.setdefault("WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL", "1")
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise UserError("--wandb: its package is missing: pip install wandb") from error
    return wandb


@contextmanager
def _errors_in_one_line(wandb: ModuleType) -> Iterator[None]:
    try:
        yield
    except wandb.Error as error:
        raise UserError(f"--wandb: {' '.join(str(error).split())}") from error
