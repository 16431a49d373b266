"""Students of every kind, and what they may be taught, for tests."""

from typing import Any

import torch
from torch import Tensor

from algos.student import NetworkSpec, Student
from commands.domains.networks import make_encoder
from teacher.advice import Advice


def make_spec(side: int = 10, frames: int = 1, **kind: Any) -> NetworkSpec:
    """The network of a student of 7 actions that sees so many maps."""
    shapes = {"image": (side, side, 4)}
    if frames > 1:
        shapes["before"] = side, side, 4 * (frames - 1)
    return NetworkSpec(shapes, 7, **kind)


def make_student(side: int = 10, frames: int = 1, **kind: Any) -> Student:
    """One that has learned nothing, the same each time."""
    spec = make_spec(side, frames, **kind)
    torch.manual_seed(0)
    return Student(spec, make_encoder(spec))


def advice_of(table: Tensor) -> Advice:
    """The probabilities of each action, (S, A), as advice; none where a row is of zeros."""
    count, actions = table.shape
    each = torch.arange(actions, device=table.device).expand(count, actions)
    return Advice(each, table, torch.zeros_like(each[:, 0]), [], [], torch.zeros_like(each))
