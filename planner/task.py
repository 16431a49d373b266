"""Tasks: an environment, the names of its things, recorded plans, and instructions for an LLM."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from planner.recorded_plans import Plans, load_plans
from utils.errors import UserError
from utils.validation import Strict, find_file, is_file_name, read_yaml, validated

CONFIGS = Path(__file__).parent.parent / "configs"
IDS = re.compile(r"(minigrid|babyai)-\w|[\w.]+:\w", re.IGNORECASE)
"""How the ids of environments begin that are tasks without a file; `module:` is imported first."""
RULES = "rules"
"""The word for written rules in place of plans, in a task's file and in config.json."""


class MiniGrid(Strict):
    """A task in MiniGrid's rooms: the `names` of its things, in the order of the scene's text, and
    whether plans say color1, color2, … instead of colours."""

    kind: Literal["minigrid"]
    names: dict[str, str | list[str]] = Field(min_length=1)
    anonymous_colors: bool = False


class NavPick(Strict):
    """A task in homes: when an episode ends, and the rewards that differ from the defaults
    (env/nav_pick/rewards.py)."""

    kind: Literal["nav_pick"]
    max_steps: int = Field(default=300, ge=1)
    max_collisions: int = Field(default=50, ge=1)
    rewards: dict[
        Literal["progress", "reach", "pick", "success", "contact", "time"],
        Annotated[float, Field(ge=0)],
    ] = Field(default={})


class World(Strict):
    """A task of MiniGrid or BabyAI, whose environment has a mission."""

    kind: Literal["world"]


PlansOrRules = Annotated[
    Plans | None,
    BeforeValidator(lambda plans: None if plans == RULES else plans),
    PlainSerializer(lambda plans: RULES if plans is None else plans),
]
"""Recorded answers; None, which files write as `rules`, if written rules answer."""


class Task(Strict):
    """A task: its environment, its domain, recorded answers, the instructions for an LLM, and the
    settings that differ from the defaults."""

    name: str = Field(pattern=r"^\w[\w-]*$")
    env_id: str
    domain: MiniGrid | NavPick | World = Field(discriminator="kind")
    plans: PlansOrRules
    instructions: str = ""
    settings: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _has_answers(self) -> "Task":
        if self.plans is None and self.domain.kind != "world":
            raise ValueError("plans: rules answer in MiniGrid and BabyAI tasks alone; give plans")
        return self


@cache
def task_names() -> list[str]:
    """The tasks that come with the project."""
    files = map(read_yaml, CONFIGS.glob("*.yaml"))
    return sorted(content["name"] for content in files if "env_id" in content)


def load_task(name: str) -> Task:
    """Load a task by its name, by the id of a MiniGrid or BabyAI environment, both in any case, or
    by the path of its YAML file. UserError if there is none."""
    if is_id(name):
        return task_of(name)
    ids = ", the id of a MiniGrid or BabyAI environment, module:id of one of your own"
    path = find_file("task", name, CONFIGS, task_names(), ids)
    content = read_yaml(path)
    if isinstance(plans := content.get("plans"), str) and plans != RULES:
        content["plans"] = load_plans(path.parent / plans)
    if isinstance(domain := content.get("domain"), dict) and domain.get("kind") == "world":
        content = {"plans": RULES, "instructions": _of_worlds()} | content
    if "goal" in content:
        content["instructions"] = _instructions(content.pop("goal"), content.pop("example", ""))
    task = make_task(content, path)
    if task.domain.kind == "world":
        _registered(task.env_id)
    return task


def is_id(name: str) -> bool:
    """Whether a name of a task must be the id of an environment."""
    return bool(IDS.match(name)) and not is_file_name(name)


def task_of(name: str) -> Task:
    """The task of an environment of MiniGrid or BabyAI: written rules answer. UserError if there is
    no such environment."""
    env_id = _registered(name)
    return Task(
        # A namespace, as in module:own/Task-v0, is no folder.
        name=re.sub(r"[^\w-]", "-", env_id.rpartition(":")[2]),
        env_id=env_id,
        domain=World(kind="world"),
        plans=None,
        instructions=_of_worlds(),
    )


def make_task(content: Mapping[str, Any], source: object) -> Task:
    """A task from the content of its file. Errors name the `source`."""
    if "names" in content and "domain" not in content:
        raise UserError(
            f"{source}: names belong under domain; write domain: {{kind: minigrid, names: …}}"
        )
    return validated(Task, content, source)


def _registered(env_id: str) -> str:
    """The id as it is registered. UserError if there is no such environment, or it does not fit."""
    # Here, because importing any part of env loads Gymnasium, which takes a quarter of a second.
    from env.ids import check_id

    return check_id(env_id)


def _of_worlds() -> str:
    """The instructions for an LLM in tasks of MiniGrid and BabyAI: scenes tell the mission."""
    return (CONFIGS / "instructions_worlds.txt").read_text(encoding="utf-8").strip()


def _instructions(goal: object, example: object) -> str:
    """The instructions for an LLM: a common frame around a task's goal and worked example."""
    frame = (CONFIGS / "instructions.txt").read_text(encoding="utf-8")
    return frame.replace("{goal}", str(goal).strip()).replace("{example}", str(example).strip())
