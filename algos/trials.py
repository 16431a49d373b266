"""What trials of the teacher alone decide before the first iteration."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer, RunEvaluator, Teacher
from utils.statistics import share_of
from utils.terminal import counted

MISSING = "answers were missing: nothing is held against the teacher"


@dataclass(frozen=True)
class Decision:
    """How a teacher teaches, and the `outcome` of its trial.

    `success` is what its advice surely reaches alone. It is `stuck` so often, and is `narrowed` to
    its student's memory or not.
    """

    outcome: Evaluation = field(default_factory=Evaluation)
    success: float = 0.0
    stuck: float = 0.0
    narrowed: bool = False


def try_out(
    teacher: Teacher,
    evaluator: RunEvaluator,
    tries_memory: bool,
    observers: Sequence[Observer] = (),
) -> Decision:
    """Try the teacher alone, doubt it as the trials tell, and tell the observers.

    With `tries_memory` a teacher that sees everything is tried with its student's memory, too. It
    goes on seeing everything only if it surely does better so: advice that follows from what the
    student sees can be imitated everywhere, and need not be doubted.
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
        teacher.narrow(narrowed)
        if limited.incomplete:
            tell("answers were missing: it goes on seeing everything")
        else:
            how = "sees only that memory from now on" if narrowed else "goes on seeing everything"
            own, other = _success(trial), _success(limited)
            tell(f"success {own:.2f}, with its student's memory {other:.2f}: it {how}")
        trial = limited if narrowed else trial
    for observer in observers:
        observer.teacher_tried(trial.outcome)
    if trial.incomplete:
        tell(MISSING)
    if not teacher.doubt(trial.stuck):
        return Decision(trial.outcome, trial.success, trial.stuck, narrowed)
    tell(
        f"alone it is stuck in {trial.stuck:.0%} of the episodes that do not fail before; "
        f"from now on {trial.stuck:.0%} of its advice is every legal plan alike"
    )
    mixed = evaluator.try_teacher()
    if mixed.incomplete:
        tell(MISSING)
    else:
        tell(f"such advice succeeds in {_success(mixed):.0%} of the episodes")
    return Decision(trial.outcome, mixed.success, trial.stuck, narrowed)


def surely_better(one: Trial, other: Trial) -> bool:
    """Whether the first of two trials in the same episodes surely has more success: of the episodes
    in which just one of the two succeeds, the interval of its share lies above a half."""
    pairs = zip(one.outcome.success, other.outcome.success, strict=True)
    wins = [first for first, second in pairs if first != second]
    return bool(wins) and share_of(sum(wins), len(wins)).low > 1 / 2


def _success(trial: Trial) -> float:
    return trial.outcome.summary()["success"].value
