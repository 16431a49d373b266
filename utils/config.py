"""Configuration: task files, defaults, and the complete settings of a run."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import parse_qsl, urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from utils.errors import UserError

CONFIGS = Path(__file__).parent.parent / "configs"
MAX_SEED = 2**32 - 1
KEY_VARIABLE = "LLM_API_KEY"
"""Of the environment: the one place for a key."""
SECRET = re.compile("key|token|secret|pass|auth|sig|credential", re.IGNORECASE)

Content = TypeVar("Content")


def _add_up(plans: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for scene, answer in plans.items():
        if abs(sum(answer.values()) - 1) > 1e-6:
            raise ValueError(f"the probabilities of {scene!r} do not add up to 1")
    return plans


LLM = Literal["vicuna", "chatglm", "openai"]
LLMS: tuple[str, ...] = get_args(LLM)
Probability = Annotated[float, Field(ge=0, le=1)]
Plans = Annotated[dict[str, dict[str, Probability]], AfterValidator(_add_up)]
"""Scene text -> plan -> probability."""
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


MOST = 2**20
"""Of rooms, episodes and steps of a minibatch: what an iteration gathers must come to an end."""
Count = Annotated[int, Field(ge=1, le=MOST)]


class Task(_Strict):
    """A task: its environment, how its things are named, and the recorded answers about them."""

    name: str = Field(pattern=r"^\w[\w-]*$")
    env_id: str
    names: dict[str, str | list[str]] = Field(min_length=1)
    plans: Plans
    anonymous_colors: bool = False
    instructions: str = ""
    settings: dict[str, Any] = {}


class Config(_Strict):
    """Everything that a run depends on; `configs/base.yaml` says what each setting means."""

    task: Task
    seed: int = Field(ge=0, lt=2**63)
    device: str
    threads: int = Field(ge=1)
    policy: Literal["ppo"]
    n_itr: int = Field(ge=0)
    traj_per_itr: Count
    num_envs: Count | None
    rooms: Literal["tensor", "gym"]
    precision: Literal["fp32", "bf16"]
    batch_size: int = Field(ge=2, le=MOST)
    frame_stack: int = Field(ge=1)
    recurrent: bool
    network: Literal["paper", "egocentric"] = "paper"
    gamma: Probability
    lam: Probability
    gae: bool
    learning_rate: float = Field(gt=0)
    anneal: bool = False
    epochs: int = Field(ge=1)
    clip: float = Field(gt=0)
    value_coef: float = Field(ge=0)
    entropy_coef: float = Field(ge=0)
    max_grad_norm: float = Field(gt=0)
    schedule: Literal["linear", "adaptive", "matched"]
    kl_start: float = Field(ge=0)
    kl_step: float = Field(ge=0)
    kl_min: float = Field(ge=0)
    kl_until: int = Field(ge=0)
    hard: bool
    llm: LLM | None
    llm_url: str | None
    llm_model: str | None
    llm_temperature: float = Field(ge=0)
    llm_workers: int = Field(ge=1)
    llm_retries: int = Field(ge=0)
    llm_strict: bool
    llm_optional: bool = False
    n_ask: int = Field(ge=1, le=1000)
    answers: str | None
    num_eval: Count
    env_seed_list: list[Seed]
    eval_interval: int = Field(ge=1)
    save_interval: int = Field(ge=1)
    warm_start: str | None = None

    @field_validator("llm_url")
    @classmethod
    def _is_a_web_address(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("must be like http://localhost:8000/v1/chat/completions")
            names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
            if parts.username or parts.password or any(map(SECRET.search, names)):
                raise ValueError(
                    "must hold no password and no key, which would stand in the run's "
                    f"config.json; {KEY_VARIABLE} in the environment is the place for it"
                )
        return url

    @model_validator(mode="after")
    def _is_strict_or_optional(self) -> "Config":
        if self.llm_strict and self.llm_optional:
            raise ValueError("llm_strict and llm_optional: give one of them")
        return self

    @model_validator(mode="after")
    def _stay_below_training_seeds(self) -> "Config":
        if len(self.env_seed_list) == 1 and self.env_seed_list[0] + self.num_eval > MAX_SEED + 1:
            raise ValueError(f"env_seed_list: rooms of evaluation are at most {MAX_SEED}")
        return self


def task_names() -> list[str]:
    """The tasks that come with the project."""
    return sorted(read_yaml(path)["name"] for path in CONFIGS.glob("*.yaml") if _is_task(path))


def _is_task(path: Path) -> bool:
    return "env_id" in read_yaml(path)


def load_task(name: str) -> Task:
    """A task by its name, in any case, or by the path of its YAML file."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIGS / f"{name.lower()}.yaml"
        if Path(name).name != name or not path.is_file() or not _is_task(path):
            known = ", ".join(task_names())
            raise UserError(f"unknown task {name!r}; give one of {known}, or a task's YAML file")
    content = read_yaml(path)
    if isinstance(content.get("plans"), str):
        content["plans"] = load_plans(path.parent / content["plans"])
    if "goal" in content:
        content["instructions"] = _instructions(content.pop("goal"), content.pop("example", ""))
    return make_task(content, path)


def make_task(content: Mapping[str, Any], source: object) -> Task:
    """A task from what its file says; `source` is named in errors."""
    return _validated(Task, content, source)


def _instructions(goal: object, example: object) -> str:
    """What an LLM is told of a task, the same but for its goal and one worked example."""
    frame = (CONFIGS / "instructions.txt").read_text(encoding="utf-8")
    return frame.replace("{goal}", str(goal).strip()).replace("{example}", str(example).strip())


def load_plans(path: Path) -> Plans:
    """A file of plans: scene text -> plan -> probability."""
    plans = _validated(Plans, read_yaml(path), path)
    if not plans:
        raise UserError(f"{path} holds no plans; give another file")
    return plans


def defaults(task: Task) -> dict[str, Any]:
    """The settings of a task before any flag is given."""
    return read_yaml(CONFIGS / "base.yaml") | task.settings


def make_config(settings: Mapping[str, Any], source: object) -> Config:
    """Settings -> a valid configuration; `source` says where they come from, for the error."""
    return _validated(Config, settings, source)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) file whose top level is a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {path}: {_first_line(error)}") from error
    except RecursionError as error:
        raise UserError(f"cannot read {path}: it is nested too deeply") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path}: it must hold names and values")
    return content


def _validated(kind: type[Content], content: Mapping[str, Any], source: object) -> Content:
    try:
        return TypeAdapter(kind).validate_python(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        # What is missing was not given; an address may hold what must not be shown.
        shown = place and first["type"] != "missing" and "llm_url" not in first["loc"]
        given = f", not {first['input']!r:.60}" if shown else ""
        where = f"{source}: {place}" if place else source
        raise UserError(f"{where}: {first['msg']}{given}") from error


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())
