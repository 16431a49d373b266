"""What trials of the teacher alone decide before the first iteration."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer, RunEvaluator, Teacher
from utils.terminal import counted


@dataclass(frozen=True)
class Decision:
    """How a teacher teaches, and the `outcome` of its trial.

    `success` is what its advice surely reaches alone. `stuck` and `narrowed` are as in
    `Teacher.doubt`.
    """

    outcome: Evaluation = field(default_factory=Evaluation)
    success: float = 0.0
    stuck: float = 0.0
    narrowed: bool = False


def try_out(
    teacher: Teacher,
    evaluator: RunEvaluator,
    compares_sight: bool,
    observers: Sequence[Observer] = (),
) -> Decision:
    """Try the teacher alone, doubt it as the trials tell, and tell the observers.

    With `compares_sight` a teacher that sees everything is tried with its student's sight, too. It
    keeps its own only if it surely succeeds more often so: the intervals do not overlap. Advice
    that follows from what the student sees can be imitated everywhere, and need not be doubted.
    """

    def tell(news: str) -> None:
        for observer in observers:
            observer.news(news)

    def tried(how: str) -> Trial:
        tell(f"trying the teacher {how} in {counted(evaluator.trials, 'episode')}")
        trial = evaluator.try_teacher()
        for observer in observers:
            observer.teacher_tried(trial.outcome)
        return trial

    trial, narrowed = tried("alone"), False
    if trial.incomplete:
        tell("answers were missing: nothing is held against the teacher")
    elif compares_sight:
        teacher.doubt(0.0, narrowed=True)
        other = tried("with its student's sight")
        at_most = other.outcome.summary()["success"].high
        narrowed = not other.incomplete and trial.success <= at_most
        if narrowed:
            trial = other
            tell("as good, as far as told apart: it sees what its student sees, all advice counts")
        else:
            tell("worse: it keeps its own sight, and its advice counts where it can be imitated")
    success = trial.success
    if teacher.doubt(trial.stuck, narrowed):
        tell(
            f"alone it is stuck in {trial.stuck:.0%} of the episodes that do not fail before; "
            f"from now on {trial.stuck:.0%} of its advice is every legal plan alike"
        )
        mixed = evaluator.try_teacher()
        success = mixed.success
        share = mixed.outcome.summary()["success"].value
        tell(f"such advice succeeds in {share:.0%} of the episodes")
    return Decision(trial.outcome, success, trial.stuck, narrowed)
