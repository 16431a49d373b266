"""Running a program: every error of a user is one line."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from utils.errors import UserError

ROOT = Path(__file__).parent.parent

# PyTorch has no exception type for it, only these messages.
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory")


class Parser(argparse.ArgumentParser):
    """An argument parser with errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def run(command: Callable[[], int], memory_advice: str = "") -> int:
    """The exit code of a command; 1, after one line to stderr, if it fails.

    `memory_advice` ends the line of a command that runs out of memory.
    """
    try:
        return command()
    except UserError as error:
        problem = str(error)
    except ModuleNotFoundError as error:
        if _is_ours(error.name):
            raise
        advice = "install what the project needs with: pip install -r requirements.txt"
        problem = f"{error}: {advice}"
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        problem = f"{error.strerror or error}{place}"
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not NO_MEMORY.search(str(error)):
            raise
        advice = memory_advice and f"; {memory_advice}"
        problem = f"there is not enough memory{advice}"
    except KeyboardInterrupt:
        return 130
    print(f"error: {problem}", file=sys.stderr)
    return 1


@contextmanager
def packages_of(requirements: str) -> Iterator[None]:
    """Around imports of packages that only some commands need. If one is missing, the program
    ends with a line that names their requirement file."""
    try:
        yield
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error}: install it with: pip install -r {requirements}")


def _is_ours(module: str | None) -> bool:
    name = str(module).split(".")[0]
    return (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()
