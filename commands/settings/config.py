"""The complete settings of a run, and the rules between settings of different groups."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo, field_validator, model_validator

from commands.settings.groups import (
    GROUPS,
    MAX_SEED,
    EvaluationSettings,
    LearningSettings,
    LLMSettings,
    RunSettings,
    StudentSettings,
    TaskSettings,
    TeacherSettings,
)
from commands.settings.setting import declared
from planner.servers import asks
from planner.task import Task
from utils.validation import validated

DEFAULT_TASK = "SimpleDoorKey"
DEFAULT_HOME_TASK = "NavPick"
DEFAULT_METHOD = "ppo"
SETTINGS = declared(GROUPS)
"""Name -> what is declared about a setting."""
NETWORKS = {
    "minigrid": ("paper", "egocentric"),
    "nav_pick": ("small", "resnet18"),
    "world": ("window",),
}
"""Kind of task -> the networks of its students."""
SMALLEST_BF16_DEPTH = 32
QUICK_EPISODES = 5
"""Episodes of each evaluation, of the trial and of the verdict with --quick, at most."""
PROCESSES = 4
"""Default number of simulator processes. Their number changes what is drawn, so it does not depend
on the machine."""


# pydantic collects the fields of the last base class first.
class Config(
    RunSettings,
    EvaluationSettings,
    LLMSettings,
    TeacherSettings,
    LearningSettings,
    StudentSettings,
    TaskSettings,
):
    """All settings of a run."""

    @property
    def asks_llm(self) -> bool:
        """Whether an LLM gives the plans, and not a file, rules or the control."""
        return asks(self.llm)

    @field_validator("network")
    @classmethod
    def _fits_the_task(cls, network: str, others: ValidationInfo) -> str:
        task: Task | None = others.data.get("task")
        if task and network not in (known := NETWORKS[task.domain.kind]):
            raise ValueError(f"must be {' or '.join(known)} in {task.name}")
        return network

    @model_validator(mode="after")
    def _fit_together(self) -> "Config":
        if len(self.env_seed_list) == 1 and self.env_seed_list[0] + self.num_eval > MAX_SEED + 1:
            raise ValueError(f"env_seed_list: evaluation seeds are at most {MAX_SEED}")
        if self.hierarchical and self.kl_start:
            raise ValueError(
                "hierarchical: a teacher advises on actions, not on options; a method that chooses "
                "options fixes kl_start: 0, as --policy hierarchical does"
            )
        if self.hierarchical and self.train_option:
            raise ValueError(
                "hierarchical and train_option: a student that trains one option has none to choose"
            )
        if self.teacher_sees == "everything" and self.task.domain.kind == "nav_pick":
            raise ValueError(
                "teacher_sees: a teacher in homes always sees the home's map; leave it out"
            )
        if self.advisor_alpha and self.task.domain.kind == "nav_pick":
            raise ValueError("advisor_alpha: actions in homes are continuous; leave it out")
        if self.habitat_config and self.simulator != "habitat-rearrange":
            raise ValueError("habitat_config: only --simulator habitat-rearrange has it")
        # On the CPU PyTorch 2.13 gives wrong gradients to a convolution with a stride on one pixel.
        small = self.task.domain.kind == "nav_pick" and self.depth_size < SMALLEST_BF16_DEPTH
        if self.precision == "bf16" and small:
            raise ValueError(
                f"precision: bf16 needs a depth_size of at least {SMALLEST_BF16_DEPTH}"
            )
        if (self.options == "learned") != bool(self.option_dir):
            raise ValueError("--options learned and --option_dir go together: give both, or none")
        if self.options == "learned" and (self.navigate_noise or self.pick_noise):
            raise ValueError("navigate_noise and pick_noise: scripted options alone have them")
        return self


DEFAULTS = {
    name: field.default for name, field in Config.model_fields.items() if not field.is_required()
}
"""Name -> default, the paper's value; the user, the machine or the methods' files set the rest."""


def knows_more(settings: Mapping[str, Any]) -> bool:
    """Whether the teacher sees more than its student's memory holds."""
    return settings.get("teacher_sees") == "everything" or settings.get("memory") == "none"


def make_config(
    settings: Mapping[str, Any], source: object, places: Mapping[str, str] | None = None
) -> Config:
    """A valid configuration.

    UserError says where a wrong setting comes from: from `source`, or from its place in `places`.
    """
    return validated(Config, settings, source, places)
