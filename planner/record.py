"""Plans files: the scenes of a task, and what an LLM answers about them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from planner.plans import Answer, Planner
from utils.files import write_text

UNANSWERED = "no advice"


class NotingPlanner:
    """Passes on what another planner answers and notes the scenes that it was asked about, in
    the order in which they came."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.noted: dict[str, Answer | None] = {}

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        answers = self.planner.answers(scenes)
        self.noted |= zip(scenes, answers, strict=True)
        return answers

    def counts(self) -> dict[str, float]:
        return self.planner.counts()

    def news(self) -> dict[str, dict[str, float]]:
        return self.planner.news()


def write_plans(path: Path, title: str, plans: Mapping[str, Mapping[str, float]]) -> None:
    """Write a file that `--plans` reads, under a comment of one line."""
    content = {scene: dict(answer) for scene, answer in plans.items()}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    write_text(path, f"# {title}\n# scene: {{plan: share of the answers}}\n\n{text}")


def rows(plans: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Scene, plan and share for a table; a scene is named in its first row alone."""
    return [
        [scene if number == 0 else "", plan, f"{share:.2f}" if share else ""]
        for scene, answer in plans.items()
        for number, (plan, share) in enumerate((answer or {UNANSWERED: 0.0}).items())
    ]
