"""`main.py export`: write a student as a file that runs without this project."""

import argparse
import logging
import shutil
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.export import Dim

from algos.distributions import Categorical, Gaussian
from algos.student import Student
from commands.build import Parts, check_network
from commands.subject import find_subjects
from utils.errors import UserError
from utils.files import write_atomically
from utils.tensors import Tensors, rows
from utils.terminal import say

ONNX, PROGRAM = ".onnx", ".pt2"
PACKAGES = "onnx", "onnxscript", "onnxruntime"
REQUIREMENTS = "requirements-export.txt"
STEPS = 50
TOLERANCE = 1e-3
"""A file whose outputs differ by more from the student's is not written."""
Run = Callable[[Tensors], Tensors]


class Step(nn.Module):
    """One step of a student as a function of tensors by name, (N, ...) each.

    Inputs are the observation and, for a recurrent student, its state: zeros at the start of an
    episode. Outputs are the likeliest `action`, the `probabilities` of all actions or the `std` of
    each part of a continuous action, and each state under the name `next_<state>`.
    """

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        self.states = tuple(student.initial_state(1, torch.device("cpu")))

    def forward(self, inputs: Tensors) -> Tensors:
        obs = {name: inputs[name] for name in self.student.spec.obs}
        state = {name: inputs[name] for name in self.states}
        policy, state = self.student.policy(obs, state)
        if isinstance(policy, Gaussian):
            outputs = {"action": policy.mean, "std": policy.log_std.exp()}
        else:
            assert isinstance(policy, Categorical)
            outputs = {"action": policy.mode, "probabilities": policy.probabilities}
        return outputs | {f"next_{name}": tensor for name, tensor in state.items()}


def run(args: argparse.Namespace) -> int:
    path: Path = args.to
    if path.suffix not in (ONNX, PROGRAM):
        raise UserError(f"--to {path}: the name of the file must end in {ONNX} or {PROGRAM}")
    if path.suffix == ONNX:
        check_packages(path)
    name = args.run or args.loaddir
    subject, *more = find_subjects(args, name, device="cpu", precision="fp32")
    folder, student = subject.folder, subject.student
    if more:
        raise UserError(f"a file holds one student: name {folder}, or another run")
    assert student
    if subject.config.hierarchical:
        raise UserError(
            f"{folder}: its student chooses options, which are not part of a network; only a "
            "student that chooses actions can be exported"
        )
    with ExitStack() as owned, TemporaryDirectory() as drafts:
        draft = Path(drafts) / path.name
        parts = Parts(subject.config, owned)
        check_network(student, parts.network(), folder)
        environment: Any = parts.domain.single_environments(1)
        step = Step(student.eval())
        inputs = first_inputs(step, environment)
        with warnings.catch_warnings():
            # PyTorch warns of its own internals; the outputs are compared below.
            warnings.simplefilter("ignore")
            exported = export(step, inputs, draft)
        difference = largest_difference(step, exported, environment)
        if difference > TOLERANCE:
            raise UserError(f"{path} is not written: its outputs differ by {difference:.1e}")
        write_atomically(path, partial(shutil.copyfile, draft))
    say(f"wrote {path}: {folder / str(subject.model)}, of iteration {subject.iteration}")
    for kind, tensors in (("input ", inputs), ("output", step(inputs))):
        for name, tensor in tensors.items():
            shape = ", ".join(["batch", *map(str, tensor.shape[1:])])
            say(f"  {kind} {name}: ({shape}) {str(tensor.dtype).removeprefix('torch.')}")
    say(f"in {STEPS} steps its outputs differ from the student's by {difference:.1e} at most")
    return 0


def check_packages(path: Path) -> None:
    """UserError if a package for ONNX files is missing."""
    for name in PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(
                f"--to {path}: the package {name} is missing: pip install -r {REQUIREMENTS}; "
                f"a {PROGRAM} file needs no other package"
            ) from error


def first_inputs(step: Step, environment: Any) -> Tensors:
    """The inputs at the start of an episode, of one row."""
    obs, _ = environment.reset(seed=[0])
    obs = {name: obs[name] for name in step.student.spec.obs}
    return obs | step.student.initial_state(1, torch.device("cpu"))


def export(step: Step, inputs: Tensors, path: Path) -> Run:
    """Write a file for batches of any size; returns what runs it."""
    # A batch of one would count as a constant.
    two = rows(inputs, torch.tensor([0, 0]))
    shapes = {"inputs": {name: {0: Dim("batch")} for name in two}}
    program = torch.export.export(step, (two,), dynamic_shapes=shapes)
    if path.suffix == PROGRAM:
        torch.export.save(program, path)
        return torch.export.load(path).module()
    outputs = list(step(two))
    # They warn of packages that no student needs, and of what they leave as it is.
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    onnx: Any = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        input_names=list(two),
        output_names=outputs,
        dynamic_shapes=shapes,
    )
    onnx.save(path)
    return lambda tensors: dict(zip(outputs, onnx(tensors), strict=True))


def largest_difference(step: Step, exported: Run, environment: Any) -> float:
    """How far outputs differ while a student acts in an environment, its likeliest actions aside:
    where two are equally likely either may win."""
    inputs, largest = first_inputs(step, environment), 0.0
    for _ in range(STEPS):
        expected, found = step(inputs), exported(inputs)
        for name, tensor in expected.items():
            if tensor.is_floating_point():
                largest = max(largest, float((tensor - found[name]).abs().max()))
        obs, *_ = environment.step(expected["action"])
        inputs = {name: obs[name] for name in step.student.spec.obs}
        inputs |= {name: expected[f"next_{name}"] for name in step.states}
    return largest
