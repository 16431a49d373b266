"""The interfaces between the parts of the algorithm, environments and teachers.

The first dimension of a tensor is N, environments that step together, or S, the steps of segments
of episodes, one after another. `*A` is the shape of an action: () for a discrete one, int64; (D,)
for a continuous one, float32.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from algos.evaluation import Evaluation, Trial
from algos.iteration import Iteration
from algos.rollout import Rollout
from utils.tensors import Tensors
from utils.timing import Stopwatch


class Environments(Protocol):
    """The part of Gymnasium's vector interface that episodes are played on.

    Observations are tensors by name, (N, ...) each. The environments do not change a returned
    tensor later. No environment resets by itself. One whose episode has ended rests: it keeps its
    observation and its flags, and its reward is 0. The `info` of a step holds

    - `success` (N,) bool: whether an episode has succeeded with this step;
    - `measures`, optional: numbers about the episodes so far, by name, (N,) float32 each;
    - `duration` (N,) int64, optional: how many primitive steps the step took; 1 if left out.
    """

    num_envs: int

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Tensors, dict[str, Any]]: ...

    def step(self, actions: Any) -> tuple[Tensors, Tensor, Tensor, Tensor, dict[str, Any]]: ...


class BoundedEnvironments(Environments, Protocol):
    """Environments whose episodes are cut off after `max_steps`."""

    max_steps: int


class Actor(Protocol):
    """A student or a teacher that acts. Its state is its memory of N episodes: tensors by name,
    N rows each."""

    def initial_state(self, count: int, device: torch.device) -> Tensors: ...

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        """Take one step; returns tensors by name, and the new state.

        Every actor returns `action` (N, *A). Students and teachers also return `mode` (N, *A),
        their likeliest action. A teacher adds `unanswered` (N,) bool, whether it had no answer, and
        `advised` (N, A), its advice for films.
        """


class Choices(Protocol):
    """C options to choose among in N episodes. The memory of the episodes and the state of the
    options are tensors by name, N rows each. `limits` (C) are the numbers of steps that each
    option may take."""

    names: tuple[str, ...]
    limits: list[int]

    def forget(self, count: int, device: torch.device) -> Tensors:
        """The memory of new episodes."""

    def read(self, obs: Tensors, memory: Tensors) -> tuple[Tensors, Tensor]:
        """One step: the new memory, and the options that it ends, (N, C) bool."""

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        """The state of options that have just been chosen."""

    def propose(
        self, obs: Tensors, memory: Tensors, asked: Tensor, state: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Each option's next action where `asked` (N, C) bool is set, and the options' new state.

        Returns `actions` (N, C, *A), `available` (N, C) bool, and for continuous actions their
        standard deviation, `spread` (N, C, *A). An option is available if it has something left
        to do and can do it. If all options are asked for, at least one is available.
        """


class Advice(Protocol):
    """A teacher's advice on S steps: K weighted actions for each.

    `actions` (S, K, *A). `weights` (S, K) float32 add up to 1, or are 0 where there is no advice.
    Continuous actions have a `spread` (S, K, *A), a standard deviation.
    """

    @property
    def actions(self) -> Tensor: ...

    @property
    def weights(self) -> Tensor: ...

    @property
    def spread(self) -> Tensor | None: ...

    @property
    def unanswered_scenes(self) -> int:
        """The number of different scenes without an answer."""

    def explain(self, step: int) -> tuple[str, list[tuple[float, list[str], int]]]:
        """The scene of a step in words, and its plans in the order of `actions`.

        Each plan is its probability, its options in words, and the number of the option that is
        under way: the number of all options once all are finished.
        """


class Teacher(Protocol):
    """Advises on the steps of a rollout. If the rollout cuts episodes, it sees each segment as if
    it were a whole one."""

    def advise(self, obs: Tensors, starts: Tensor, generator: torch.Generator) -> Advice:
        """`starts` (S,) bool: whether a step is its segment's first."""

    def narrow(self, narrowed: bool) -> None:
        """See only its student's memory from now on, or again what it saw at first."""

    def doubt(self, share: float) -> bool:
        """Told which share of its advice should be every legal plan alike; returns whether its
        advice has changed."""

    def counts(self) -> dict[str, float]:
        """What its advice has cost so far, such as requests to an LLM, by name."""

    def news(self) -> dict[str, dict[str, float]]:
        """New answers of an LLM since the last call: scene text -> plan -> probability."""


class Play(Protocol):
    """Plays one batch of whole episodes with the student that is trained, each from its own seed
    (N,)."""

    def __call__(self, seeds: Tensor, generator: torch.Generator, watch: Stopwatch) -> Rollout: ...


class Collector(Protocol):
    """Collects the rollouts of a run, one for each iteration. Each rank plays in its own
    environments."""

    def collect(self, iteration: int, generator: torch.Generator, watch: Stopwatch) -> Rollout:
        """The rollout of an iteration, counted from 0. `generator` is on the actor's device."""

    def state(self) -> Tensors:
        """What a resumed run needs, of all ranks together; all ranks must call this."""

    def restore(self, state: Tensors) -> None:
        """Go on from a state; ValueError if it does not fit."""


class Learner(Protocol):
    """Improves a student from rollouts."""

    @property
    def least_steps(self) -> int:
        """The number of steps that the rollout of a rank must have at least."""

    def update(
        self,
        rollout: Rollout,
        advice: Advice | None,
        k: float,
        elapsed: float,
        generator: torch.Generator,
    ) -> dict[str, float]:
        """Learn from a rollout and a teacher's advice on its steps; returns diagnostics by name.

        `k` weights the advice. `elapsed` is the share of the run that is done. `generator` is on
        the CPU.
        """

    def trust(self) -> None:
        """Before the first update: count all advice in full."""

    def agreement(self, rollout: Rollout, advice: Advice) -> Tensor:
        """(S,) bool: whether the student's likeliest action is what the teacher advises."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs: tensors and plain values."""

    def restore(self, state: dict[str, Any], source: object) -> None:
        """Go on from a state; UserError that names its source if it does not fit."""


class RunEvaluator(Protocol):
    """Evaluates the teacher and the student of one run."""

    @property
    def trials(self) -> int:
        """The number of episodes of the teacher's trial."""

    def try_teacher(self) -> Trial:
        """Evaluate the teacher alone."""

    def expected_steps(self, length: float) -> float:
        """The steps of `evaluate_student`, if episodes have this length on average and none is
        longer than the environments' step limit."""

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        """Evaluate the student after an iteration, with sampled and with likeliest actions."""


class Observer:
    """Watches a run. Training calls these methods as things happen, and uses no result.

    A subclass writes the methods that it wants; the others do nothing.
    """

    def news(self, line: str) -> None:
        """Something happened that is worth a line to the user."""

    def teacher_tried(self, outcome: Evaluation) -> None:
        """The teacher has acted alone, before the first iteration."""

    def iteration(self, iteration: Iteration) -> None:
        """An iteration is done, and so is its evaluation, if it has one."""

    def saving(self) -> None:
        """A checkpoint is about to be written: what was observed so far must be on disk first."""

    def saved(self, iteration: int) -> None:
        """Checkpoint and models of an iteration are on disk; 0 is before the first one."""

    def ended(self) -> None:
        """The run has ended, by itself, by a signal or by an error. Nothing else is called."""
