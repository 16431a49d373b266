"""docs/settings.md: the flags of `train`, as the program has them.

python -m commands.settings.page > docs/settings.md
"""

import argparse
from collections.abc import Iterator

from commands.settings.config import SETTINGS
from commands.settings.flags import make_parser

HEAD = """\
# Settings

<!-- Written by python -m commands.settings.page: do not edit. -->

The flags of `python main.py train`. `eval`, `watch` and `record` have those that matter there;
`--help` lists them.

A setting may also stand in a preset (`--config`), in the file of a task or method, and in a table
of experiments, by name or below its group's heading. There `--no_NAME` is `NAME: false`.

Precedence, lowest to highest: defaults (the paper's setting), the task's file, the preset, the
method's `settings`, flags, what the [method](methods.md) has `fixed`.

`--resume` may change {resumable}.
"""
TITLES = {"ppo": "PPO", "llm": "LLM"}


def page() -> str:
    """The page, as Markdown."""
    _, commands = make_parser()
    resumable = ", ".join(f"`{name}`" for name, about in SETTINGS.items() if about.resumable)
    parts = [HEAD.format(resumable=resumable)]
    for group in commands["train"]._action_groups:
        if lines := list(flag_lines(group)):
            parts.append(f"## {TITLES.get(str(group.title), str(group.title).capitalize())}\n")
            parts += [f"{group.description}\n"] if group.description else []
            parts += [*lines, ""]
    return "\n".join(parts)


def flag_lines(group: argparse._ArgumentGroup) -> Iterator[str]:
    """A line for each flag of a group."""
    for action in group._group_actions:
        flag = action.option_strings[0] if action.option_strings else ""
        if not flag.startswith("--") or action.help == argparse.SUPPRESS:
            continue
        value = "/".join(map(str, action.choices or [])) or action.metavar or ""
        yield f"- `{f'{flag} {value}'.strip()}`: {action.help}"


if __name__ == "__main__":
    print(page(), end="")
