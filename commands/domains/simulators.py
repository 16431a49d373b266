"""Simulators of homes, which have to be installed beside the project."""

from importlib import import_module
from typing import Any

from utils.errors import UserError

MODULES = {
    "habitat": "env.nav_pick.habitat_homes",
    "habitat-rearrange": "env.nav_pick.rearrange",
}
"""Simulator -> the module that makes its homes, which alone may import it."""


def maker(simulator: str, part: str = "make_home") -> Any:
    """What makes a home, from settings of `NavPickHomes`, or another part of a simulator's module.
    UserError if the simulator cannot be had."""
    try:
        return getattr(import_module(MODULES[simulator]), part)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"--simulator {simulator}: {reason}; docs/habitat.md says how to install habitat-sim, "
            "by conda or by pip install git+https://github.com/facebookresearch/habitat-sim, and "
            "habitat-lab; --simulator tensor needs nothing"
        ) from error
