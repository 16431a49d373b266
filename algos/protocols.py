"""What the parts of the algorithm know of each other, and of environments and teachers.

Tensors have a first dimension of N environments that are stepped together, or of S steps of whole
episodes, one after another. `*A` is the shape of an action: () for a discrete one, int64, (D,) for
a continuous one, float32.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from algos.evaluation import Evaluation
from algos.iteration import Iteration
from algos.rollout import Rollout
from utils.tensors import Tensors
from utils.timing import Stopwatch


class Environments(Protocol):
    """The part of Gymnasium's vector interface that episodes are played on.

    Observations are tensors by name, (N, ...) each; what is returned is the caller's, and changes
    no more. Nothing resets by itself; an environment whose
    episode has ended rests: it keeps its observation and its flags, with reward 0. A step's `info`
    says under `success` (N,) bool whether an episode has succeeded with it; under `measures`, if
    there are any, numbers of the episodes so far by name, (N,) float32, which rest, too; under
    `duration` (N,) int64, how many primitive steps it took, if not always one.
    """

    num_envs: int

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Tensors, dict[str, Any]]: ...

    def step(self, actions: Any) -> tuple[Tensors, Tensor, Tensor, Tensor, dict[str, Any]]: ...


class BoundedEnvironments(Environments, Protocol):
    """Environments whose episodes are cut off after `max_steps`."""

    max_steps: int


class Actor(Protocol):
    """Who acts: a student, a teacher. What it remembers of N episodes is its state, tensors by
    name of N rows."""

    def initial_state(self, count: int, device: torch.device) -> Tensors: ...

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        """One step: `action` (N, *A) and what else there is to say of it, and the new state.

        Every actor says its likeliest action, `mode` (N, *A). A teacher also says whether it had
        no answer, `unanswered` (N,) bool, and, for films, what it `advised` (N, A).
        """


class Choices(Protocol):
    """Options to choose among, C of them, in N episodes. What is remembered of these, and what
    options remember while they are at work, are tensors by name of N rows; `limits` (C,) int64 is
    how many steps each may take."""

    names: tuple[str, ...]
    limits: Tensor

    def forget(self, count: int, device: torch.device) -> Tensors:
        """The memory of episodes that have not begun."""

    def read(self, obs: Tensors, memory: Tensors) -> tuple[Tensors, Tensor]:
        """One step: the new memory, and which options it ends, (N, C) bool."""

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        """What options remember when they are set to work."""

    def propose(
        self, obs: Tensors, memory: Tensors, asked: Tensor, state: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Each option's next action where `asked` (N, C) bool is set, and the options' new state.

        Returns `actions` (N, C, *A), `available` (N, C) bool, and for continuous actions their
        standard deviation, `spread` (N, C, *A). An option is available if it has something left
        to do and can do it. If all options are asked for, at least one is available.
        """


class Advice(Protocol):
    """A teacher's word on S steps: K weighted actions for each.

    `actions` (S, K, *A), `weights` (S, K) float32 that add up to 1, or are 0 where there is no
    advice; of continuous actions the `spread` (S, K, *A), a standard deviation.
    """

    @property
    def actions(self) -> Tensor: ...

    @property
    def weights(self) -> Tensor: ...

    @property
    def spread(self) -> Tensor | None: ...

    @property
    def unanswered_scenes(self) -> int:
        """How many different scenes have no answer."""

    def explain(self, step: int) -> tuple[str, list[tuple[float, list[str], int]]]:
        """A step's scene in words, and for each plan, in the order of their actions, its
        probability, its options in words, and which of them is under way: as many as there are,
        once all are finished."""


class Teacher(Protocol):
    """Who advises on the steps of whole episodes, and may act itself."""

    def advise(self, obs: Tensors, starts: Tensor, generator: torch.Generator) -> Advice:
        """`starts` (S,) bool: whether a step is its episode's first."""

    def counts(self) -> dict[str, float]:
        """What its advice has cost so far, by name."""

    def news(self) -> dict[str, dict[str, float]]:
        """What it has learned by asking: scene text -> plan -> probability."""


class Play(Protocol):
    """Plays one wave of episodes, each from its own seed (N,), with the student that is trained."""

    def __call__(self, seeds: Tensor, generator: torch.Generator, watch: Stopwatch) -> Rollout: ...


class Learner(Protocol):
    """What makes a student better from a rollout."""

    @property
    def least_steps(self) -> int:
        """So many steps the rollout of a rank must have."""

    def update(
        self,
        rollout: Rollout,
        advice: Advice | None,
        k: float,
        elapsed: float,
        generator: torch.Generator,
    ) -> dict[str, float]:
        """Learn from a rollout and a teacher's advice on its steps, which counts `k`; `elapsed` is
        the share of the run that lies behind; `generator` lies on the CPU. Returns diagnostics."""

    def agreement(self, rollout: Rollout, advice: Advice) -> Tensor:
        """(S,) bool: whether the student would do what the teacher advises."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs, tensors and plain values."""

    def restore(self, state: dict[str, Any], source: object) -> None:
        """Go on from a state; UserError, naming its source, if it does not fit."""


class RunEvaluator(Protocol):
    """Evaluates the teacher and the student of one run."""

    @property
    def trial_episodes(self) -> int:
        """How many episodes the teacher is tried in."""

    def try_teacher(self) -> tuple[Evaluation, float]:
        """How the teacher does alone, and the share of successes that it reaches for sure."""

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        """How the student does after an iteration, with sampled and with its likeliest actions."""


class Observer:
    """Watches a run. Training calls these methods as things happen, and uses no result.

    A subclass writes the methods that it wants; the others do nothing.
    """

    def news(self, line: str) -> None:
        """Something happened that is worth a line to the user."""

    def teacher_tried(self, outcome: Evaluation) -> None:
        """The teacher has acted alone, before the first iteration."""

    def iteration(self, iteration: Iteration) -> None:
        """An iteration is done, and the evaluation that belongs to it."""

    def saving(self) -> None:
        """A checkpoint is about to be written: what was observed so far must be on disk first."""

    def saved(self, iteration: int) -> None:
        """Checkpoint and models of an iteration are on disk; 0 is before the first one."""

    def ended(self) -> None:
        """The run has ended, by itself, by a signal or by an error. Nothing else is called."""
