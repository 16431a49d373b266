"""One rank of two iterations of training, and in which rooms it played; run by torchrun, or alone.

torchrun --nproc_per_node=2 -m tests.algos.split_rollout OUT
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from algos.evaluator import Evaluation
from algos.rollout import Rollout
from commands.build import Parts
from commands.config import make_config
from commands.settings import fresh_settings
from planner.task import load_task
from utils.ranks import Ranks
from utils.timing import Stopwatch


class Tried(NamedTuple):
    """A report of a teacher's trial."""

    outcome: Evaluation
    log: None = None

    def try_teacher(self) -> tuple[Evaluation, float]:
        return self.outcome, self.outcome.summary()["success"][1][0]


def run() -> None:
    out, ranks = Path(sys.argv[1]), Ranks()
    torch.set_num_threads(1)
    small = {"traj_per_itr": 3, "batch_size": 64, "threads": 1, "device": "cpu"}
    small |= {"schedule": "matched"}
    given = fresh_settings({"task": load_task("SimpleDoorKey")} | small)
    config = make_config(given | {"seed": 5}, "test")
    parts = Parts(config, ExitStack())
    trainer = parts.trainer(out, parts.teacher(out), ranks)
    play, rooms, draws = trainer.play, list[Tensor](), list[Tensor]()

    def noted(seeds: Tensor, generator: torch.Generator, watch: Stopwatch) -> Rollout:
        rooms.append(seeds)
        draws.append(generator.get_state())
        return play(seeds, generator, watch)

    trainer.play = noted
    # A teacher that the lead alone has tried.
    tried = Evaluation([*range(9)], [True] * 6 + [False] * 3, [False] * 9, [1.0] * 9, [1] * 9)
    trainer.save = lambda log: None  # type: ignore[method-assign]
    trainer._begin(Tried(tried) if ranks.lead else None)  # type: ignore[arg-type]
    scalars = [trainer.iterate() for _ in range(2)]
    seen = {"rooms": rooms, "draws": draws, "episodes": trainer.progress.episodes}
    shared = {k: v for k, v in scalars[-1].items() if not k.startswith("Speed/")}
    state = trainer.schedule.state()
    torch.save({**seen, "scalars": shared, "schedule": state}, out / f"{ranks.number}.pt")


if __name__ == "__main__":
    run()
