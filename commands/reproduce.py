"""`main.py reproduce`: a table of runs with their evaluations, trained side by side."""

import argparse
import signal
from collections.abc import Mapping
from pathlib import Path

from commands.experiments.experiment import Cell, State, examine
from commands.experiments.progress import Board, print_overview
from commands.experiments.queue import OUTPUT, Queue, shown
from commands.experiments.slurm import check_installed, queued, submit
from commands.experiments.table import read_table
from commands.settings.flags import DEFAULT_LOGDIR
from utils import ownership
from utils.cores import physical_cores
from utils.errors import UserError
from utils.interrupts import Interrupts
from utils.terminal import say


def run(args: argparse.Namespace) -> int:
    out = args.out or DEFAULT_LOGDIR / args.table.stem
    cells = read_table(args.table, out, args.threads)
    if args.dry_run:
        for cell in cells:
            print_commands(cell)
        return 0
    with ownership.owned(out):
        return hand_over(args, cells, out) if args.launcher == "slurm" else work(args, cells, out)


def print_commands(cell: Cell) -> None:
    """What is still to run for a cell, to be pasted into a shell."""
    state = examine(cell)
    say(f"# {cell.name}: {state.why or state.stage}")
    if words := state.words(cell):
        say(shown(words))
    if words and words != cell.evaluate:
        say(shown(cell.evaluate))


def work(args: argparse.Namespace, cells: list[Cell], out: Path) -> int:
    """The exit code: 0 if all cells are finished in the end."""
    if args.slurm:
        raise UserError("--slurm: give it together with --launcher slurm")
    jobs = default_jobs(args.threads) if args.jobs is None else args.jobs
    if jobs < 1:
        raise UserError(f"--jobs: {jobs} processes get nowhere")
    with Interrupts() as interrupts:
        try:
            with Board() as board:
                queue = Queue(cells, out, jobs, board.tell)
                tell_left_alone(queue.states)
                queue.run(interrupts, lambda: board.show(queue))
        except KeyboardInterrupt:
            say("stopped at once; the same command goes on from what was saved")
            return 128 + (interrupts.received or signal.SIGINT)
        print_overview(queue)
        if interrupts():
            say("stopped; the same command goes on from there")
            return 128 + (interrupts.received or signal.SIGTERM)
    say(f"runs lie in {out}, what they printed in {out / OUTPUT}")
    say(f"report on them with: python main.py report {out}")
    return 0 if all(map(queue.is_finished, cells)) else 1


def tell_left_alone(states: Mapping[Cell, State]) -> None:
    for cell, state in states.items():
        if state.why:
            say(f"{cell.name} is left alone: {state.why}")


def default_jobs(threads: int) -> int:
    # PyTorch, which knows the devices, takes seconds to load.
    from utils.devices import choose_device

    return 1 if choose_device(None) != "cpu" else max(physical_cores() // threads, 1)


def hand_over(args: argparse.Namespace, cells: list[Cell], out: Path) -> int:
    """Submit what is neither finished nor submitted; the exit code is 1 if there is a cell that
    cannot be."""
    if args.jobs is not None:
        raise UserError("--jobs: of Slurm's tasks say so with --slurm array_parallelism=N")
    check_installed()
    states = {cell: examine(cell) for cell in cells}
    tell_left_alone(states)
    ready = [cell for cell, state in states.items() if state.words(cell)]
    tasks = queued(out)
    for cell in [cell for cell in ready if cell.name in tasks]:
        say(f"{cell.name} waits or runs already, as task {tasks[cell.name]}")
        ready.remove(cell)
    if ready:
        job = submit(ready, out, args.slurm, args.threads)
        say(f"submitted {len(ready)} of {len(cells)} cells as job {job}")
        say(f"when they have ended, report on them with: python main.py report {out}")
    else:
        say(f"nothing to submit; report on what is there with: python main.py report {out}")
    return 1 if any(state.why for state in states.values()) else 0
