"""Observers of a user's own: `train --observer my_file.py:MyObserver`.

An observer is a class with any of the methods of `algos.protocols.Observer`. It is made with the
run folder, and sees what happens in the run; docs/using.md has an example. `iteration.numbers` has
a name for every number, and `commands.observers.tags.tagged` gives them the names of metrics.jsonl.
If no episode ended in an iteration, means over episodes are missing. An exception in an observer
ends the run after the next save.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from typing import Any

from algos.evaluation import Evaluation
from algos.iteration import Iteration
from algos.protocols import Observer
from utils.errors import UserError
from utils.validation import meant

MakeObserver = Callable[[Path], Any]


@cache
def find_class(name: str) -> MakeObserver:
    """The class that FILE.py:CLASS names; UserError if there is none, or its file fails."""
    place, _, wanted = name.rpartition(":")
    path = Path(place)
    if not place.endswith(".py") or not wanted:
        raise UserError(f"--observer {name}: give a file and a class, as in my_file.py:MyObserver")
    if not path.is_file():
        raise UserError(f"--observer {name}: there is no file {path}")
    # As for any script, modules beside the file can be imported.
    sys.path.append(str(path.parent.resolve()))
    # A name of its own, so that a file may be called as a module of this project.
    spec = spec_from_file_location(f"observer {path.stem}", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"--observer {name}: {path} fails with {_line(error)}") from error
    found = getattr(module, wanted, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise UserError(f"--observer {name}: there is no class {wanted}{meant(wanted, classes)}")
    return found


class OwnObserver(Observer):
    """Calls a user's observer until it fails; then `failed` is set, and the run should stop."""

    def __init__(self, name: str, make: MakeObserver, folder: Path) -> None:
        """UserError if it cannot be made for a run folder."""
        self.name = name
        self.failed: UserError | None = None
        self.observer: Any = None
        try:
            self.observer = make(folder)
        except Exception as error:
            raise self._failure("__init__", error) from error

    def news(self, line: str) -> None:
        self._call("news", line)

    def teacher_tried(self, outcome: Evaluation) -> None:
        self._call("teacher_tried", outcome)

    def iteration(self, iteration: Iteration) -> None:
        self._call("iteration", iteration)

    def saving(self) -> None:
        self._call("saving")

    def saved(self, iteration: int) -> None:
        self._call("saved", iteration)

    def ended(self) -> None:
        # Also after a failure: it may have files to close.
        self._call("ended", always=True)

    def _call(self, event: str, *values: Any, always: bool = False) -> None:
        method = getattr(self.observer, event, None)
        if method is None or (self.failed and not always):
            return
        try:
            method(*values)
        except Exception as error:
            # The first failure is the one to report.
            if not self.failed:
                self.failed = self._failure(event, error)
                self.failed.__cause__ = error

    def _failure(self, event: str, error: Exception) -> UserError:
        return UserError(f"--observer {self.name}: {event} fails with {_line(error)}")


def _line(error: Exception) -> str:
    """An exception in one line, with the place that raised it."""
    place = extract_tb(error.__traceback__)[-1]
    reason = " ".join(str(error).split())[:200]
    return f"{type(error).__name__} in line {place.lineno} of {Path(place.filename).name}: {reason}"
