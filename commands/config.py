"""The complete settings of a run."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, field_validator, model_validator

from planner.servers import KEY_VARIABLE, LLM
from planner.task import CONFIGS, Share, Task
from utils.validation import Strict, read_yaml, validated

MAX_SEED = 2**32 - 1
SECRET = re.compile("key|token|secret|pass|auth|sig|credential", re.IGNORECASE)

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
MOST = 2**20
"""Of rooms, episodes and steps of a minibatch: what an iteration gathers must come to an end."""
Count = Annotated[int, Field(ge=1, le=MOST)]


class Config(Strict):
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
    gamma: Share
    lam: Share
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


def defaults(task: Task) -> dict[str, Any]:
    """The settings of a task before any flag is given."""
    return read_yaml(CONFIGS / "base.yaml") | task.settings


def make_config(settings: Mapping[str, Any], source: object) -> Config:
    """Settings -> a valid configuration; `source` says where they come from, for the error."""
    return validated(Config, settings, source)
