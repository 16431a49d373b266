"""A very small language model, and a planner that asks it about legal plans."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from planner.answers import AnswerStore
from planner.backoff import Backoff
from planner.legal_plans import room_plans
from planner.llm import Prompt, Usage
from planner.llm_errors import LLMError
from planner.room_scene import RoomReader
from planner.scoring import ScoringPlanner
from planner.task import load_task
from planner.wordings import answer_with
from utils.terminal import waiting

TASK = load_task("SimpleDoorKey")
KINDS = RoomReader(TASK.domain.names).named_kinds()


class Letters:
    """Draws letters as often as the prompt has them, each as if it had been seen once more.

    It raises each of its `failures` first, one at a time.
    """

    def __init__(self, failures: Sequence[LLMError] = (), model: str = "letters") -> None:
        self.model = model
        self.usage = Usage()
        self.failures = list(failures)
        self.asked: list[str] = []

    def scores(self, prompt: Prompt, plans: Sequence[str]) -> list[float]:
        self.usage.add(requests=1)
        self.asked.append(prompt.user)
        if self.failures:
            raise self.failures.pop(0)
        seen = Counter("".join(message["content"] for message in prompt.messages))
        total = seen.total() + len(seen) + 1
        self.usage.add(tokens=seen.total())
        return [
            sum(math.log((seen[letter] + 1) / total) for letter in answer_with(plan))
            for plan in plans
        ]


def scoring(
    scorer: Letters, folder: Path, tell: Callable[[str], None] = print, **changes: Any
) -> ScoringPlanner:
    """A planner of SimpleDoorKey's scenes; a model that is away is tried again at once."""
    options: dict[str, Any] = {"temperature": 1.0, "strict": False, "optional": False}
    options["legal_plans"] = partial(room_plans, kinds=KINDS)
    backoff = {"shortest_pause": 0.0, "longest_pause": 0.0, "first_timeout": 0.0}
    return ScoringPlanner(
        scorer=scorer,
        store=AnswerStore(folder / "answers.jsonl", tell),
        instructions=TASK.instructions,
        tell=tell,
        progress=waiting,
        backoff=Backoff(**backoff),
        pause=0.0,
        **(options | changes),
    )
