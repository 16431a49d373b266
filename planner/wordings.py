"""The wordings of a prompt whose scores are averaged, and of the answers that are scored.

A small model takes a worked example to heart if it stands in the dialogue as well as in the
instructions.
"""

import re

from planner.llm import Prompt

QUESTIONS = ("", "\nWhat should the agent do next?", "\nGive the plan.")
"""What follows a scene in each wording, also that of the example."""
_EXAMPLE = re.compile(r"\nExample\n(?P<scene>.+)\n(?:.*\n)*?(?P<answer>Action: .+)\s*\Z")


def answer_with(plan: str) -> str:
    """The answer whose likelihood is a plan's score."""
    return f"Action: {{{plan}}}"


def wordings(instructions: str, scene: str) -> tuple[Prompt, ...]:
    """The prompts about a scene, with the example of the instructions as a first turn."""
    example = _EXAMPLE.search(instructions)
    return tuple(
        Prompt(
            instructions,
            scene + question,
            ((example["scene"] + question, example["answer"]),) if example else (),
        )
        for question in QUESTIONS
    )
