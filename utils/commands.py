"""What all commands share: whatever goes wrong is told in one line."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from utils.errors import UserError


class Parser(argparse.ArgumentParser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def run(command: Callable[[], int]) -> int:
    """A command's exit code; 1, after one line to stderr, if it cannot be done."""
    try:
        return command()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{place}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
