"""Tasks: an environment, the names of its things, recorded plans, and instructions for an LLM."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from planner.recorded_plans import Plans, load_plans
from utils.errors import UserError
from utils.validation import Strict, find_file, read_yaml, validated

CONFIGS = Path(__file__).parent.parent / "configs"


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


class Task(Strict):
    """A task: its environment, its domain, recorded answers, the instructions for an LLM, and the
    settings that differ from the defaults."""

    name: str = Field(pattern=r"^\w[\w-]*$")
    env_id: str
    domain: MiniGrid | NavPick = Field(discriminator="kind")
    plans: Plans
    instructions: str = ""
    settings: dict[str, Any] = Field(default={})


@cache
def task_names() -> list[str]:
    """The tasks that come with the project."""
    files = map(read_yaml, CONFIGS.glob("*.yaml"))
    return sorted(content["name"] for content in files if "env_id" in content)


def load_task(name: str) -> Task:
    """Load a task by its name, in any case, or by the path of its YAML file. UserError if there is
    none."""
    path = find_file("task", name, CONFIGS, task_names())
    content = read_yaml(path)
    if isinstance(content.get("plans"), str):
        content["plans"] = load_plans(path.parent / content["plans"])
    if "goal" in content:
        content["instructions"] = _instructions(content.pop("goal"), content.pop("example", ""))
    return make_task(content, path)


def make_task(content: Mapping[str, Any], source: object) -> Task:
    """A task from the content of its file. Errors name the `source`."""
    if "names" in content and "domain" not in content:
        raise UserError(
            f"{source}: names belong under domain; write domain: {{kind: minigrid, names: …}}"
        )
    return validated(Task, content, source)


def _instructions(goal: object, example: object) -> str:
    """The instructions for an LLM: a common frame around a task's goal and worked example."""
    frame = (CONFIGS / "instructions.txt").read_text(encoding="utf-8")
    return frame.replace("{goal}", str(goal).strip()).replace("{example}", str(example).strip())
