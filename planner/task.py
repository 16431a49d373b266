"""Tasks: an environment, what its things are called, and what is known of plans for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from utils.errors import UserError
from utils.validation import Strict, meant, read_yaml, validated

CONFIGS = Path(__file__).parent.parent / "configs"


def _add_up(plans: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for scene, answer in plans.items():
        if abs(sum(answer.values()) - 1) > 1e-6:
            raise ValueError(f"the probabilities of {scene!r} do not add up to 1")
    return plans


Share = Annotated[float, Field(ge=0, le=1)]
Plans = Annotated[dict[str, dict[str, Share]], AfterValidator(_add_up)]
"""Scene text -> plan -> probability."""


class MiniGrid(Strict):
    """What tasks in MiniGrid's rooms need: how the scene's text calls things, in its order; whether
    plans speak of color1, color2, … instead of colours."""

    kind: Literal["minigrid"]
    names: dict[str, str | list[str]] = Field(min_length=1)
    anonymous_colors: bool = False


class NavPick(Strict):
    """What tasks in homes need: when an episode ends, and what a step is worth, as far as that is
    not as usual (env/nav_pick/rewards.py)."""

    kind: Literal["nav_pick"]
    max_steps: int = Field(default=300, ge=1)
    max_collisions: int = Field(default=50, ge=1)
    rewards: dict[
        Literal["progress", "reach", "pick", "success", "contact", "time"],
        Annotated[float, Field(ge=0)],
    ] = Field(default={})


class Task(Strict):
    """A task: its environment and its kind, the recorded answers, what an LLM is told, and the
    settings in which it differs from the defaults."""

    name: str = Field(pattern=r"^\w[\w-]*$")
    env_id: str
    domain: MiniGrid | NavPick = Field(discriminator="kind")
    plans: Plans
    instructions: str = ""
    settings: dict[str, Any] = Field(default={})


def task_names() -> list[str]:
    """The tasks that come with the project."""
    files = map(read_yaml, CONFIGS.glob("*.yaml"))
    return sorted(content["name"] for content in files if "env_id" in content)


def load_task(name: str) -> Task:
    """A task by its name, in any case, or by the path of its YAML file."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIGS / f"{name.lower()}.yaml"
        if Path(name).name != name or not path.is_file() or "env_id" not in read_yaml(path):
            known = ", ".join(task_names())
            raise UserError(
                f"unknown task {name!r}; give one of {known}, or a task's YAML file"
                f"{meant(name, task_names())}"
            )
    content = read_yaml(path)
    if isinstance(content.get("plans"), str):
        content["plans"] = load_plans(path.parent / content["plans"])
    if "goal" in content:
        content["instructions"] = _instructions(content.pop("goal"), content.pop("example", ""))
    return make_task(content, path)


def make_task(content: Mapping[str, Any], source: object) -> Task:
    """A task from what its file says; `source` is named in errors."""
    if "names" in content and "domain" not in content:
        raise UserError(
            f"{source}: names belong under domain; write domain: {{kind: minigrid, names: …}}"
        )
    return validated(Task, content, source)


def _instructions(goal: object, example: object) -> str:
    """What an LLM is told of a task, the same but for its goal and one worked example."""
    frame = (CONFIGS / "instructions.txt").read_text(encoding="utf-8")
    return frame.replace("{goal}", str(goal).strip()).replace("{example}", str(example).strip())


def load_plans(path: Path) -> Plans:
    """A file of plans: scene text -> plan -> probability."""
    plans = validated(Plans, read_yaml(path), path)
    if not plans:
        raise UserError(f"{path} holds no plans; give another file")
    return plans
