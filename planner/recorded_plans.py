"""Recorded plans: answers from a file, and how to read and write such files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field

from planner.plan_parser import VERBS, parse_plan
from planner.plans import NOTHING, WAIT, Answer, Planner, describe, is_clear
from utils.errors import UserError
from utils.files import write_text
from utils.terminal import counted
from utils.validation import read_yaml, validated


def _add_up(plans: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for scene, answer in plans.items():
        if abs(sum(answer.values()) - 1) > 1e-6:
            raise ValueError(f"the probabilities of {scene!r} do not add up to 1")
    return plans


Share = Annotated[float, Field(ge=0, le=1)]
Plans = Annotated[dict[str, dict[str, Share]], AfterValidator(_add_up)]
"""Scene text -> plan -> probability."""


def load_plans(path: Path) -> Plans:
    """Read a file of plans. UserError if it holds none, or anything else."""
    content = read_yaml(path)
    if not content:
        raise UserError(f"{path} holds no plans; give another file")
    if not all(isinstance(answer, dict) for answer in content.values()):
        named = content.get("plans")
        where = f"; it names {path.parent / named}" if isinstance(named, str) else ""
        raise UserError(f"{path} is no file of plans, as record writes them{where}")
    return validated(Plans, content, path)


def write_plans(path: Path, title: str, plans: Mapping[str, Mapping[str, float]]) -> None:
    """Write a file that `--plans` reads. The title becomes a comment of one line."""
    content = {scene: dict(answer) for scene, answer in plans.items()}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    write_text(path, f"# {title}\n# scene: {{plan: share of the answers}}\n\n{text}")


class RecordedPlanner(Planner):
    """Answers from a mapping of scene text -> plan -> probability.

    `doubts` has a line for each scene that never occurs and each option without a known verb. Both
    are probably misspelt. Raises UserError if a plan names a thing that is no noun.
    """

    def __init__(self, plans: Mapping[str, Mapping[str, float]], nouns: Sequence[str]) -> None:
        self.recorded: dict[str, Answer] = {}
        self.doubts: list[str] = []
        self.answered = False
        self.unknown: dict[str, None] = {}
        """The scenes without an answer so far, in the order of the requests."""
        for text, answer in plans.items():
            for thing in re.findall("<(.*?)>", text):
                if thing not in (*nouns, NOTHING):
                    self.doubts.append(f"{text!r} never occurs: the task has no <{thing}>")
            parsed = tuple((p, parse_plan(words, nouns)) for words, p in answer.items())
            self.recorded[text] = parsed
            for words, (_, plan) in zip(answer, parsed, strict=True):
                waits = [option.verb for option in plan].count(WAIT)
                if waits > len(re.findall(WAIT, words.lower())):
                    known = ", ".join((*VERBS, WAIT))
                    self.doubts.append(
                        f"{words!r} for {text!r}: the teacher waits at an unknown option; options "
                        f"are {known}"
                    )
                for option in plan:
                    if option.verb != WAIT and not is_clear(option, nouns):
                        raise UserError(
                            f"plans: {describe(plan)!r} for {text!r} names no thing of the task; "
                            f"things are {', '.join(nouns)}"
                        )

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        answers = [self.recorded.get(scene) for scene in scenes]
        self.answered |= any(answers)
        self.unknown |= dict.fromkeys(s for s, a in zip(scenes, answers, strict=True) if not a)
        return answers

    def problem(self) -> str:
        if self.answered or not self.unknown:
            return ""
        return (
            f"the plans answer none of {counted(len(self.unknown), 'scene')}; the first: "
            f"{next(iter(self.unknown))!r}; record --dry_run lists all"
        )
