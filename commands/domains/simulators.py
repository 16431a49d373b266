"""Simulators of homes, which users install beside the project."""

from importlib import import_module
from typing import Any

from utils.errors import UserError

MODULES = {
    "habitat": "env.nav_pick.habitat_homes",
    "habitat-rearrange": "env.nav_pick.rearrange",
}
"""Simulator -> the module that makes its homes. No other module imports the simulator."""


def maker(simulator: str, part: str = "make_home") -> Any:
    """A function of a simulator's module; the default one makes a home from the settings of
    `NavPickHomes`. UserError if the simulator cannot be loaded."""
    try:
        return getattr(import_module(MODULES[simulator]), part)
    # A library of the system that is missing, such as libEGL, is an OSError.
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"--simulator {simulator}: {reason}; see docs/habitat.md: it needs habitat-sim "
            "(by conda or by pip install git+https://github.com/facebookresearch/habitat-sim) and "
            "habitat-lab; --simulator tensor needs neither"
        ) from error
