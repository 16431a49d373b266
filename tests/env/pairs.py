"""Rooms in tensors and MiniGrid's, made alike, and whether what they give is the same."""

from typing import Any

import gymnasium as gym
import torch
from torch import Tensor

from env.episode import room
from env.frame_stack import FrameStack
from env.tensor_rooms import DoorKeyRooms
from env.vector import RestingEnv, SerialEnvs
from tests.recordings import task

CPU = torch.device("cpu")


def make(name: str, count: int, **options: Any) -> DoorKeyRooms:
    env_id = task(name).env_id
    rooms = gym.make_vec(env_id, count, vectorization_mode="vector_entry_point", **options)
    assert isinstance(rooms, DoorKeyRooms)
    return rooms


def make_minigrid(name: str, count: int, **options: Any) -> SerialEnvs:
    def one() -> gym.Env:
        return gym.make(task(name).env_id, disable_env_checker=True, **options).unwrapped

    return SerialEnvs(lambda: room(one), count)


def stacked(rooms: RestingEnv, frames: int) -> RestingEnv:
    return FrameStack(rooms, frames) if frames > 1 else rooms


def same(one: Any, other: Any) -> bool:
    """Whether observations, or what steps return, are the same tensors."""
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return len(one) == len(other) and all(map(same, one, other))
