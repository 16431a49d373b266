"""What trials of the teacher alone decide before the first iteration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from algos import checkpoint
from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer, RunEvaluator, Teacher
from utils.terminal import counted

LEAST_DOUBT = 0.1
"""A teacher that may be doubted is doubted so much at least: it may err where its own path never
leads."""
SURE = 0.025
"""Of two equal teachers one looks surely better as seldom as this."""


@dataclass(frozen=True)
class Doubt:
    """How a teacher is doubted: a `share` of its advice is every legal plan alike, and it may be
    `narrowed` to its student's memory."""

    share: float = 0.0
    narrowed: bool = False

    def apply(self, teacher: Teacher) -> bool:
        """Doubt a teacher. Returns whether its advice differs from before by the share."""
        teacher.narrow(self.narrowed)
        return teacher.doubt(self.share)


@dataclass(frozen=True)
class Decision:
    """How a teacher is doubted, the `outcome` of its trial, and the `success` that its advice
    surely reaches alone."""

    outcome: Evaluation = field(default_factory=Evaluation)
    success: float = 0.0
    doubt: Doubt = field(default_factory=Doubt)


def try_out(
    teacher: Teacher,
    evaluator: RunEvaluator,
    tries_memory: bool,
    observers: Sequence[Observer] = (),
) -> Decision:
    """Try the teacher alone, doubt it as the trials tell, and tell the observers.

    It is doubted as often as it is stuck until the step limit, and `LEAST_DOUBT` at least. Episodes
    that fail before do not count, unless all do: their plans may be right, and the student can do
    better at carrying them out.

    With `tries_memory` a teacher that sees everything is tried with its student's memory, too. It
    goes on seeing everything only if it surely does better so: advice that follows from what the
    student sees can be imitated everywhere.
    """

    def tell(news: str) -> None:
        for observer in observers:
            observer.news(news)

    tell(f"trying the teacher alone in {counted(evaluator.trials, 'episode')}")
    trial, narrowed = evaluator.try_teacher(), False
    if tries_memory and not trial.incomplete:
        tell("trying it with its student's memory, too")
        teacher.narrow(True)
        limited = evaluator.try_teacher()
        narrowed = not limited.incomplete and not surely_better(trial, limited)
        if limited.incomplete:
            tell("answers were missing: it goes on seeing everything")
        else:
            how = "sees only that memory from now on" if narrowed else "goes on seeing everything"
            own, other = _success(trial), _success(limited)
            tell(f"success {own:.2f}, with its student's memory {other:.2f}: it {how}")
        trial = limited if narrowed else trial
    for observer in observers:
        observer.teacher_tried(trial.outcome)
    stuck = f"alone it is stuck in {trial.stuck:.0%} of the episodes that do not fail before; "
    if trial.incomplete:
        tell("answers were missing: nothing is held against the teacher")
        stuck = ""
    doubt = Doubt(max(trial.stuck, LEAST_DOUBT), narrowed)
    if not doubt.apply(teacher):
        return Decision(trial.outcome, trial.success, Doubt(narrowed=narrowed))
    least = " (the minimum)" if doubt.share > trial.stuck else ""
    tell(f"{stuck}from now on {doubt.share:.0%}{least} of its advice is every legal plan alike")
    if trial.incomplete:
        return Decision(trial.outcome, trial.success, doubt)
    mixed = evaluator.try_teacher()
    if mixed.incomplete:
        tell("answers were missing: how often such advice succeeds is not known")
    else:
        tell(f"such advice succeeds in {_success(mixed):.0%} of the episodes")
    return Decision(trial.outcome, mixed.success, doubt)


def doubt_in(content: Mapping[str, Any], path: Path) -> Doubt:
    """The doubt of a checkpoint, read from `path`. Older ones have its parts at the top, or none.
    UserError if it cannot be read."""
    parts = {"share": content.get("stuck", 0.0), "narrowed": content.get("narrowed", False)}
    try:
        return checkpoint.record(Doubt, content.get("doubt", parts))
    except (TypeError, ValueError) as error:
        raise checkpoint.misfit(path) from error


def surely_better(one: Trial, other: Trial) -> bool:
    """Whether the first of two trials in the same episodes surely has more success, by a sign test
    at 2.5% over the episodes in which just one of the two succeeds."""
    pairs = zip(one.outcome.success, other.outcome.success, strict=True)
    wins = [first for first, second in pairs if first != second]
    if not wins:
        return False
    return bool(binomtest(sum(wins), len(wins), alternative="greater").pvalue <= SURE)


def _success(trial: Trial) -> float:
    return trial.outcome.summary()["success"].value
