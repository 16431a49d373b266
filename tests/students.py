"""Students of every kind, for tests."""

from typing import Any

import torch

from algos.student import NetworkSpec, Student
from commands.build import make_view


def make_student(channels: int = 4, side: int = 10, **kind: Any) -> Student:
    """A student of 7 actions that has learned nothing, the same each time."""
    spec = NetworkSpec(side, side, channels, 7, **kind)
    torch.manual_seed(0)
    return Student(spec, make_view(spec))
