"""docs/settings.md: the flags of `train`, and the methods, as the program has them.

python -m commands.settings.page > docs/settings.md
"""

import argparse
from collections.abc import Iterable, Iterator

from commands.settings.config import SETTINGS
from commands.settings.flags import make_parser
from commands.settings.methods import load_method, method_names
from commands.settings.setting_flags import as_typed

HEAD = """\
# Settings

<!-- Written by python -m commands.settings.page: do not edit. -->

These are the flags of `python main.py train`. The last column names other commands with the flag.

A setting may also stand in a preset (`--config`), in the file of a task or a method, and in a table
of experiments, by its name or below its group's heading. There `--no_NAME` is `NAME: false`.

Precedence, lowest to highest: defaults (the paper's setting), the task's file, the preset, the
method's `settings`, flags, what the method has `fixed`.
"""
RESUME = """\
`--resume` may change {names}.
"""
METHODS = """\
## Methods

Nothing overrides the settings that define a method.

| `--policy` | what it does | settings that define it |
| --- | --- | --- |"""
TITLES = {"ppo": "PPO", "llm": "LLM"}


def page() -> str:
    """The page, as Markdown."""
    _, commands = make_parser()
    parts = [HEAD, RESUME.format(names=listed(n for n, s in SETTINGS.items() if s.resumable))]
    for group in commands["train"]._action_groups:
        if rows := list(flag_rows(group, commands)):
            parts.append(f"## {TITLES.get(str(group.title), str(group.title).capitalize())}\n")
            parts += [f"{group.description}\n"] if group.description else []
            parts += ["| flag | what it sets | also in |", "| --- | --- | --- |", *rows, ""]
    return "\n".join([*parts, METHODS, *method_rows()]) + "\n"


def flag_rows(
    group: argparse._ArgumentGroup, commands: dict[str, argparse.ArgumentParser]
) -> Iterator[str]:
    """A row for each flag of a group of `train`, with the other commands that have it."""
    for action in group._group_actions:
        flag = action.option_strings[0] if action.option_strings else ""
        if not flag.startswith("--") or action.help == argparse.SUPPRESS:
            continue
        value = "/".join(map(str, action.choices or [])) or action.metavar or ""
        others = [
            name
            for name, command in commands.items()
            if name != "train" and flag in command._option_string_actions
        ]
        yield f"| `{f'{flag} {value}'.strip()}` | {action.help} | {', '.join(others)} |"


def method_rows() -> Iterator[str]:
    """A row for each method that comes with the project."""
    for name in method_names():
        method = load_method(name)
        fixed = listed(as_typed(*each) for each in method.fixed.items())
        yield f"| `{name}` | {method.description} | {fixed} |"


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(page(), end="")
