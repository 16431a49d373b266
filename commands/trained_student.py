"""A trained student for use elsewhere: in a Gymnasium environment, step by step.

docs/using.md has an example.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from algos.protocols import Actor
from algos.saved_files import CONFIG, MODEL
from algos.student import AVAILABLE, Deterministic, NetworkSpec, read_student
from commands.build import Parts
from commands.domains.networks import make_encoder
from commands.runs import read_config
from utils.errors import UserError
from utils.tensors import Tensors

CPU = torch.device("cpu")
IMAGE, BEFORE = "image", "before"


def load_student(path: str | Path, deterministic: bool = True, seed: int = 0) -> "TrainedStudent":
    """The student of a run folder, or of one of its models such as best.pt, on the CPU.

    It takes its likeliest actions, or samples them from a `seed` if it is not `deterministic`.
    UserError if the model cannot be read. A student that chooses among options needs the run's
    config.json beside its model.
    """
    path = Path(path)
    path = path / MODEL if path.is_dir() else path
    student, *_ = read_student(path, CPU, make_encoder)
    actor: Actor = Deterministic(student) if deterministic else student
    if AVAILABLE in student.spec.obs:
        parts = Parts(read_config(path.parent / CONFIG), ExitStack())
        actor = parts.actor(student, deterministic)
    return TrainedStudent(actor, student.spec, torch.Generator().manual_seed(seed))


class TrainedStudent:
    """Acts in one environment. Call `reset` at the start of each episode."""

    def __init__(self, actor: Actor, spec: NetworkSpec, generator: torch.Generator) -> None:
        self.actor = actor
        self.spec = spec
        self.generator = generator
        self.state: Tensors = {}
        self.frames: Tensor | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the last episode."""
        self.state = self.actor.initial_state(1, CPU)
        self.frames = None

    @torch.no_grad()
    def act(self, observation: Mapping[str, Any] | np.ndarray) -> int | np.ndarray:
        """The action for an observation of the environment: arrays by name, or one array.

        Returns the number of a discrete action, or a continuous one, (D,) float32 in [-1, 1]. The
        ends of that stand for the environment's bounds. UserError for an observation of another
        shape than the student was trained with.
        """
        seen = self._batch(observation)
        step, self.state = self.actor.act(seen, self.state, self.generator)
        action = step["action"][0]
        if action.is_floating_point():
            return np.asarray(action.clamp(-1, 1).numpy())
        return int(action)

    def _batch(self, observation: Mapping[str, Any] | np.ndarray) -> Tensors:
        """The observation as a batch of one, with earlier frames beside it if the student has
        learned with some."""
        if not isinstance(observation, Mapping):
            observation = {IMAGE: observation}
        arrays = {name: np.asarray(values) for name, values in observation.items()}
        # A text such as a mission is no input of the network.
        batch = {
            name: torch.as_tensor(array)[None]
            for name, array in arrays.items()
            if array.dtype.kind not in "US"
        }
        if BEFORE in self.spec.obs and IMAGE in batch and BEFORE not in batch:
            batch[BEFORE] = self._frames_before(batch[IMAGE])
        for name, shape in self.spec.obs.items():
            if name == AVAILABLE:
                continue
            if name not in batch:
                world = "mission" in self.spec.obs
                advice = "; make the environment with env.worlds.make_world" if world else ""
                raise UserError(f"the observation lacks {name}, which the student needs{advice}")
            found = tuple(batch[name].shape[1:])
            if found != shape:
                raise UserError(f"the student needs {name} of shape {shape}, not {found}")
        return batch

    def _frames_before(self, image: Tensor) -> Tensor:
        """The earlier frames, oldest first; before the first one they are its copies."""
        channels, depth = image.shape[-1], self.spec.obs[BEFORE][-1]
        if self.frames is None:
            self.frames = image.repeat(1, 1, 1, depth // channels)
        before = self.frames
        self.frames = torch.cat([before, image], -1)[..., channels:]
        return before
