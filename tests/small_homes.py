"""Short episodes in homes of which next to nothing is seen, from the command line."""

from pathlib import Path

import main
from tests import running

TASK = str(Path(__file__).with_name("small_homes.yaml"))
"""Bears NavPick's name, so that its runs lie where that task's do."""


def train(logdir: Path, *flags: str) -> int:
    return running.train(logdir, "--task", TASK, *flags)


def resume(logdir: Path, *flags: str) -> int:
    return main.main(["train", "--logdir", str(logdir), "--task", TASK, "--resume", *flags])


def evaluate(logdir: Path, *flags: str) -> int:
    return running.evaluate(logdir, "--task", TASK, *flags)


def runs_of(logdir: Path) -> Path:
    return logdir / "ppo" / "navpick"
