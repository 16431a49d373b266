"""`main.py reproduce`: a table of experiments, trained and evaluated side by side."""

import argparse
import signal
from collections.abc import Mapping
from pathlib import Path

from commands.experiments.experiment import Experiment, State, examine
from commands.experiments.process import OUTPUT, shown
from commands.experiments.progress import Progress, print_overview
from commands.experiments.queue import Queue
from commands.experiments.slurm import parse, queued, submit
from commands.experiments.table import read_table
from commands.settings.flags import DEFAULT_LOGDIR
from utils import ownership
from utils.cores import physical_cores
from utils.errors import UserError
from utils.interrupts import Interrupts
from utils.terminal import counted, say


def run(args: argparse.Namespace) -> int:
    check_flags(args)
    out = args.out or DEFAULT_LOGDIR / args.table.stem
    experiments = read_table(args.table, out, args.threads)
    if args.dry_run:
        for experiment in experiments:
            print_commands(experiment, examine(experiment))
        return 0
    with ownership.owned(out):
        states = {experiment: examine(experiment) for experiment in experiments}
        for experiment, state in states.items():
            if state.why:
                say(f"{experiment.name} is left alone: {state.why}")
        return (run_on_slurm if args.launcher == "slurm" else run_here)(args, states, out)


def check_flags(args: argparse.Namespace) -> None:
    """UserError for flags that contradict each other or have no effect."""
    if args.launcher == "slurm":
        if args.jobs is not None:
            raise UserError("--jobs: with --launcher slurm use --slurm array_parallelism=N")
        parse(args.slurm)
    elif args.slurm:
        raise UserError("--slurm: give it together with --launcher slurm")
    elif args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs: {args.jobs} is too few; give 1 or more")


def print_commands(experiment: Experiment, state: State) -> None:
    """Print the command lines that are still to run, for a shell."""
    say(f"# {experiment.name}: {state.why or state.stage}")
    if command := state.command(experiment):
        say(shown(command))
        if command != experiment.evaluate:
            say(shown(experiment.evaluate))


def run_here(args: argparse.Namespace, states: Mapping[Experiment, State], out: Path) -> int:
    """Run everything on this machine. The exit code is 0 if all experiments are finished."""
    jobs = args.jobs or default_jobs(args.threads)
    with Interrupts() as interrupts:
        try:
            with Progress() as progress:
                queue = Queue(states, out, jobs, progress.tell)
                queue.run(interrupts, lambda: progress.show(queue))
        except KeyboardInterrupt:
            say("stopped at once; the same command goes on from what was saved")
            return 128 + (interrupts.received or signal.SIGINT)
        print_overview(queue)
        if interrupts():
            say("stopped; the same command goes on from there")
            return 128 + (interrupts.received or signal.SIGTERM)
    say(f"the runs are in {out}, the output of their processes in {out / OUTPUT}")
    say(f"report on them with: python main.py report {out}")
    return 0 if all(map(queue.is_finished, states)) else 1


def default_jobs(threads: int) -> int:
    """The number of processes at a time."""
    # PyTorch, which knows the devices, takes seconds to load.
    from utils.devices import choose_device

    return 1 if choose_device(None) != "cpu" else max(physical_cores() // threads, 1)


def run_on_slurm(args: argparse.Namespace, states: Mapping[Experiment, State], out: Path) -> int:
    """Submit what is neither finished nor in Slurm's queue. The exit code is 1 if a run in the way
    is not the table's."""
    ready = [experiment for experiment, state in states.items() if state.command(experiment)]
    tasks = queued(out)
    for experiment in [each for each in ready if each.name in tasks]:
        say(f"{experiment.name} waits or runs already, as task {tasks[experiment.name]}")
        ready.remove(experiment)
    if ready:
        job = submit(ready, out, parse(args.slurm), args.threads)
        say(f"submitted {len(ready)} of {counted(len(states), 'experiment')} as job {job}")
        say(f"when they have ended, report on them with: python main.py report {out}")
    else:
        say(f"nothing to submit; report on what is there with: python main.py report {out}")
    return 1 if any(state.why for state in states.values()) else 0
