"""What the homes need of habitat-sim, without importing it."""

from utils.errors import UserError

VERSIONS = "0.3.3", "0.3.4"
START_ADVICE = (
    "habitat-sim needs OpenGL with EGL: install a GPU driver with EGL, or Mesa's software renderer "
    "(Debian: libegl1 libgl1-mesa-dri)"
)
"""For a process of habitat-sim that exits before its first episode."""


def check_habitat_sim(version: str, has_bullet: bool) -> None:
    """UserError if this habitat-sim has another version or lacks Bullet's physics."""
    if version not in VERSIONS or not has_bullet:
        needed = f"habitat-sim {' or '.join(VERSIONS)} with Bullet"
        found = version if has_bullet else f"{version} without it"
        raise UserError(f"this needs {needed}, not {found}; see docs/habitat.md")
