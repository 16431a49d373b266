"""`main.py list`: the runs of a log tree, and how far each is."""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from algos.saved_files import CHECKPOINT, CONFIG, MODEL
from commands.experiments.experiment import FINAL
from commands.experiments.progress import duration
from commands.run_files import EVALUATION, METRICS, VERDICT, last_rows, read_json, read_settings
from utils import ownership
from utils.errors import UserError
from utils.terminal import counted, table

COLUMNS = ["method", "task", "run", "state", "iteration", "success", "measured at"]
SUCCESS = "Test/Success Rate"


def run(args: argparse.Namespace) -> int:
    if not args.logdir.is_dir():
        raise UserError(f"{args.logdir} is not a folder; give the root of a log tree")
    folders = list(run_folders(args.logdir))
    if not folders:
        raise UserError(f"there is no run below {args.logdir}; train one first")
    rows = [row(folder, args.logdir) for folder in folders]
    table(f"{counted(len(rows), 'run')} below {args.logdir}", COLUMNS, rows, texts=4)
    return 0


def run_folders(root: Path) -> Iterator[Path]:
    """The folders of runs, also of those that have lost their settings. What is inside a run is
    not looked at."""
    for place, folders, files in os.walk(root):
        folders.sort()
        if {CONFIG, METRICS, CHECKPOINT} & {*files}:
            folders.clear()
            yield Path(place)


def row(folder: Path, root: Path) -> list[str]:
    """One line of the table. Of a broken run it says what is wrong."""
    place = folder.relative_to(root)
    # A run is <method>/<task>/<run>, below the root or deeper.
    parts = ["", *place.parts]
    names = [*parts[-3:-1], str(Path(*parts[:-3], parts[-1]))]
    settings = read_settings(folder)
    if settings is None:
        lacks = "is damaged" if (folder / CONFIG).exists() else "is missing"
        return [*names, f"broken: {CONFIG} {lacks}", "–", "–", "–"]
    try:
        names[:2] = str(settings["policy"]["name"]), str(settings["task"]["name"])
        planned = int(settings["n_itr"])
    except (LookupError, TypeError, ValueError):
        return [*names, f"broken: {CONFIG} lacks settings", "–", "–", "–"]
    logged = last_rows(folder)
    done = logged[0]["iteration"] if logged else 0
    return [
        *names,
        state(folder),
        f"{done} of {planned}",
        *success(folder, done, logged),
    ]


def state(folder: Path) -> str:
    """Whether a run is being trained, and by whom, or since when it is not. Training ends with the
    verdict."""
    try:
        if holder := ownership.owner(folder):
            return f"running: {holder}"
        # Other files may be newer: `watch` and an evaluation write, too.
        log = folder / METRICS
        last = (log if log.exists() else folder / CONFIG).stat().st_mtime
    except (UserError, OSError) as error:
        return f"broken: {error}"
    age = duration(max(time.time() - last, 0))
    return f"{'finished' if (folder / VERDICT).exists() else 'stopped'} {age} ago"


def success(folder: Path, done: int, logged: list[dict[str, Any]]) -> list[str]:
    """The success of the last model, or of the last evaluation while training, and when it was
    measured."""
    evaluation = read_json(folder / FINAL / EVALUATION) or {}
    last: Any = (read_json(folder / VERDICT) or {}).get("last")
    found = (evaluation.get(name) for name in ("model", "iteration", "deterministic"))
    if (*found,) == (MODEL, done, False):
        last = evaluation
    with suppress(LookupError, TypeError, ValueError):
        return [f"{float(last['success']['mean']):.3f}", "the end"]
    for scalars in logged:
        with suppress(LookupError, TypeError, ValueError):
            return [f"{float(scalars[SUCCESS]):.3f}", str(scalars["iteration"])]
    return ["–", "–"]
