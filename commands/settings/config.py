"""The complete settings of a run, each with its type, its bounds and what it means."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from commands.settings.methods import Method
from planner.servers import KEY_VARIABLE, LLM
from planner.task import CONFIGS, Share, Task
from utils.validation import Strict, read_yaml, validated

MAX_SEED = 2**32 - 1
SECRET = re.compile("key|token|secret|pass|auth|sig|credential", re.IGNORECASE)

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
MOST = 2**20
"""Of environments, episodes and steps of a minibatch: an iteration must come to an end."""
Count = Annotated[int, Field(ge=1, le=MOST)]


NETWORKS = {"minigrid": ("paper", "egocentric"), "nav_pick": ("small", "resnet18")}
"""Kind of task -> what its students may see with."""
Learnable = Literal["navigate", "pick"]
"""The options in homes, each of which can be trained."""
LEAST_BF16_DEPTH = 32
PROCESSES = 4
"""Simulators side by side, unless a setting says otherwise; how many there are counts for what is
drawn, so it does not depend on the machine."""
BELONGS = {
    **dict.fromkeys(("rooms", "frame_stack"), "minigrid"),
    **dict.fromkeys(("simulator", "habitat_config", "layouts", "depth_size"), "nav_pick"),
    **dict.fromkeys(("reward", "train_option"), "nav_pick"),
    **dict.fromkeys(("options", "option_dir", "navigate_noise", "pick_noise"), "nav_pick"),
}
"""Setting -> the kind of tasks that alone have it."""


class Config(Strict):
    """Everything that a run depends on. The descriptions are the flags' help, in which a title
    stands for the value; the defaults are in `configs/base.yaml`."""

    task: Task
    policy: Method
    seed: int = Field(ge=0, lt=2**63)
    device: str = Field(title="DEVICE", description="cpu or cuda; default cuda if there is one")
    threads: int = Field(
        ge=1, description="CPU threads; default 1, or all cores for large minibatches"
    )

    n_itr: int = Field(ge=0, description="iterations")
    traj_per_itr: Count = Field(description="episodes an iteration, at least")
    num_envs: Count | None = Field(
        description="environments side by side, an episode each; default traj_per_itr"
    )
    rooms: Literal["tensor", "gym"] = Field(
        description="all in one batch where the task has it, or one by one"
    )
    precision: Literal["fp32", "bf16"] = Field(
        description="of the student; bf16 rounds the inputs of products"
    )
    batch_size: int = Field(ge=2, le=MOST, description="steps a minibatch")
    frame_stack: int = Field(ge=1, description="maps that the student sees at once")
    network: Literal["paper", "egocentric", "small", "resnet18"] = Field(
        description="how the student sees a room: raw maps, or from where it stands; or a home: "
        "three convolutions, or ResNet-18"
    )
    recurrent: bool = Field(description="an LSTM in the student")
    hierarchical: bool = Field(description="the student chooses options, which act for it")

    simulator: Literal["tensor", "habitat", "habitat-rearrange"] = Field(
        description="all homes in one batch; or habitat-sim, a process each; or habitat-lab's "
        "rearrangement with a Fetch robot"
    )
    habitat_config: str | None = Field(
        title="FILE", description="habitat-lab's configuration, for habitat-rearrange"
    )
    layouts: int = Field(ge=0, le=MOST, description="homes to train in; 0 for endless ones")
    depth_size: int = Field(ge=8, le=512, description="pixels of a depth view, across and down")
    reward: Literal["dense", "sparse"] = Field(description="as the task says, or for success alone")
    train_option: Learnable | None = Field(description="train a policy for one option instead")
    options: Literal["scripted", "learned"] = Field(description="who carries a plan out")
    option_dir: str | None = Field(
        title="DIR", description="runs of --train_option, navigate and pick in it"
    )
    navigate_noise: float = Field(
        ge=0, description="a handicap: standard deviation of noise in the scripted option's actions"
    )
    pick_noise: float = Field(ge=0, description="the same of the other")

    gamma: Share = Field(description="discount")
    lam: Share = Field(description="lambda of --gae")
    gae: bool = Field(description="generalised advantage estimation instead of plain returns")
    learning_rate: float = Field(gt=0, description="of Adam")
    anneal: bool = Field(description="let the learning rate fall linearly, to 0 at the run's end")
    epochs: int = Field(ge=1, description="passes over a rollout")
    clip: float = Field(gt=0, description="of the probability ratio, and of the value's change")
    policy_coef: float = Field(ge=0, description="weight of the policy's loss")
    value_coef: float = Field(ge=0, description="weight of the value's loss")
    entropy_coef: float = Field(ge=0, description="weight of the entropy bonus")
    max_grad_norm: float = Field(gt=0, description="longer gradients are cut to it")

    schedule: Literal["linear", "adaptive", "matched", "constant"] = Field(
        description="the teacher's weight k by the clock, by the student's success, by what it "
        "still lacks of its teacher's, or the same to the end"
    )
    kl_start: float = Field(ge=0, description="k at first")
    kl_step: float = Field(ge=0, description="its fall an iteration (linear)")
    kl_min: float = Field(ge=0, description="its least (linear, adaptive)")
    kl_until: int = Field(ge=0, description="iteration from which on it is 0 (not constant)")
    hard: bool = Field(description="draw one plan at each step")

    llm: LLM | None = Field(
        description="teach with an LLM over HTTP; its key, if it wants one, is "
        f"{KEY_VARIABLE} in the environment"
    )
    llm_url: str | None = Field(
        title="URL", description="its chat completions, if they are elsewhere"
    )
    llm_model: str | None = Field(title="NAME", description="its model")
    llm_temperature: float = Field(ge=0, description="of its replies")
    llm_workers: int = Field(ge=1, description="requests under way at a time")
    llm_retries: int = Field(ge=0, description="of a reply without a plan")
    llm_strict: bool = Field(description="stop when the LLM does not answer")
    llm_optional: bool = Field(description="go on even if it never answers")
    n_ask: int = Field(ge=1, le=1000, description="replies a scene")
    answers: str | None = Field(
        title="FILE", description="replies to share; default answers.jsonl in the run"
    )

    num_eval: Count = Field(description="evaluation episodes")
    env_seed_list: list[Seed] = Field(
        title="SEED",
        description="seeds of evaluation: s means s, s + 1, …; several as they are; none random",
    )
    eval_interval: int = Field(ge=1, description="iterations from one evaluation to the next")
    save_interval: int = Field(ge=1, description="iterations from one save to the next")
    warm_start: str | None

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
    def _chooses_without_advice(self) -> "Config":
        if self.hierarchical and self.kl_start:
            raise ValueError(
                "hierarchical: a teacher advises on actions, not on options; a method that chooses "
                "options fixes kl_start: 0, as --policy hierarchical does"
            )
        if self.hierarchical and self.train_option:
            raise ValueError(
                "hierarchical and train_option: where one option is trained, there is "
                "none to choose"
            )
        return self

    @field_validator("network")
    @classmethod
    def _fits_the_task(cls, network: str, others: ValidationInfo) -> str:
        task: Task | None = others.data.get("task")
        if task and network not in (there := NETWORKS[task.domain.kind]):
            raise ValueError(f"must be {' or '.join(there)} in {task.name}")
        return network

    @model_validator(mode="after")
    def _is_configured_where_habitat_lab_is(self) -> "Config":
        if self.habitat_config and self.simulator != "habitat-rearrange":
            raise ValueError("habitat_config: --simulator habitat-rearrange alone has it")
        return self

    @model_validator(mode="after")
    def _says_where_its_options_are(self) -> "Config":
        if (self.options == "learned") != bool(self.option_dir):
            raise ValueError("--options learned and --option_dir go together: give both, or none")
        if self.options == "learned" and (self.navigate_noise or self.pick_noise):
            raise ValueError("navigate_noise and pick_noise: scripted options alone have them")
        return self

    @model_validator(mode="after")
    def _sees_enough_for_bf16(self) -> "Config":
        # On the CPU PyTorch 2.13 gives wrong gradients to a convolution with a stride on one pixel.
        small = self.task.domain.kind == "nav_pick" and self.depth_size < LEAST_BF16_DEPTH
        if self.precision == "bf16" and small:
            raise ValueError(f"precision: bf16 needs a depth_size of at least {LEAST_BF16_DEPTH}")
        return self

    @model_validator(mode="after")
    def _stay_below_training_seeds(self) -> "Config":
        if len(self.env_seed_list) == 1 and self.env_seed_list[0] + self.num_eval > MAX_SEED + 1:
            raise ValueError(f"env_seed_list: seeds of evaluation are at most {MAX_SEED}")
        return self


@cache
def base_settings() -> Mapping[str, Any]:
    """The defaults of every run."""
    return MappingProxyType(read_yaml(CONFIGS / "base.yaml"))


def make_config(
    settings: Mapping[str, Any], source: object, places: Mapping[str, str] | None = None
) -> Config:
    """Settings -> a valid configuration; UserError that says where a wrong one comes from: from
    `source`, or, for single ones, from what `places` calls them."""
    return validated(Config, settings, source, places)
