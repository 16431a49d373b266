"""What tells two teachers apart: traits in files, words in messages and tables, ends of names."""

import re
from collections.abc import Mapping
from typing import Any

from commands.provenance import digest, plans_digest
from commands.settings.config import DEFAULTS, SETTINGS
from commands.settings.setting_flags import as_typed
from planner.mixture import describe_share, share_alone
from planner.servers import UNIFORM, UNIFORM_MEANS, asks, model_name
from planner.task import Task
from planner.wrong_plans import WORST, describe_wrong

OF_WORLD, OF_OPTIONS, OF_TEACHER, OF_LLM = (
    tuple(name for name, setting in SETTINGS.items() if setting.recorded == part)
    for part in ("world", "options", "teacher", "llm")
)
"""The settings in an eval.json: of the task's world, of its options, of what the teacher knows and
says, and of how an LLM is asked."""
INSTRUCTIONS = "instructions"
RECORDED = "recorded plans"
MODES = {"sample": "sampled", "schema": "in a schema", "score": "scored"}
"""`--llm_mode` -> how a model was asked."""
SUFFIXES = {
    "llm": "",
    "llm_model": "",
    "llm_mode": "",
    "llm_temperature": "temperature-",
    "llm_top_p": "top-p-",
    "llm_max_tokens": "tokens-",
    "llm_seed": "llm-seed-",
    "llm_retries": "retries-",
    "n_ask": "replies-",
    "score_temperature": "softmax-",
    "wrong_plans": "wrong-",
    "uniform_share": "mixed-",
    "teacher_sees": "",
    "options": "",
    "navigate_noise": "navigate-",
    "pick_noise": "pick-",
    "max_contacts": "contacts-",
}
"""What evaluations of unusual teachers are named after: a setting -> the word before its value."""


def teacher_traits(task: Task, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What distinguishes a teacher from others, and its task from others of the same name, in an
    eval.json: settings, and digests of the task's file. How an LLM is asked stands elsewhere."""
    told = task.model_dump(include={"env_id", "domain", "plans"})
    traits = {name: settings[name] for name in (*OF_WORLD, *OF_OPTIONS, *OF_TEACHER)}
    traits |= {"plans": plans_digest(told.pop("plans")), "environment": digest(told)}
    if asks_llm(settings):
        traits[INSTRUCTIONS] = task.instructions
    return alone(traits)


def alone(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run as those of its teacher alone."""
    share = {"uniform_share": share_alone(settings.get("uniform_share", 0.0))}
    return {**settings, **share, **prompt(settings)}


def prompt(settings: Mapping[str, Any]) -> dict[str, str]:
    """A run's instructions for an LLM as a digest, if it has any."""
    return {INSTRUCTIONS: digest(settings[INSTRUCTIONS])} if INSTRUCTIONS in settings else {}


def source(settings: Mapping[str, Any], plans: str) -> str:
    """Where a teacher's answers come from, and what is unusual about it. `plans` names those of its
    task, which answer where no LLM is asked."""
    llm = settings.get("llm")
    if llm is None:
        words = plans
    elif llm == UNIFORM:
        words = UNIFORM_MEANS
    else:
        # The whole path of a local model: two may have the same name.
        model = settings.get("llm_model") or model_name(llm, None)
        words = f"{model}, {MODES[settings.get('llm_mode', DEFAULTS['llm_mode'])]}"
        for name in OF_LLM:
            value = settings.get(name, DEFAULTS[name])
            if name != "llm_mode" and value != DEFAULTS[name]:
                words += f" {as_typed(name, value)}"
    return words + beside_source(settings)


def beside_source(settings: Mapping[str, Any]) -> str:
    """What is unusual about a teacher, to stand behind the source of its answers; empty if nothing
    is."""
    everything = settings.get("teacher_sees") == "everything"
    wrong = describe_wrong(settings.get("wrong_plans", 0.0))
    mixed = describe_share(settings.get("uniform_share", 0.0))
    return wrong + mixed + ", seeing everything" * everything


def teacher_suffix(settings: Mapping[str, Any]) -> str:
    """The end of the name of an evaluation of a teacher, by what is unusual about it; empty if
    nothing is."""
    found = alone(settings)
    suffix = ""
    for name, word in SUFFIXES.items():
        if (value := found[name]) != DEFAULTS[name]:
            # A model may be a path: its last two parts tell, such as owner and name.
            last = "_".join(str(value).strip("/").split("/")[-2:])
            suffix += "-" + re.sub(r"[^\w.+-]", "_", f"{word}{last}")
    seed = settings["seed"]
    return suffix + (f"-seed-{seed}" if seed and differs_by_seed(settings) else "")


def differs_by_seed(settings: Mapping[str, Any]) -> bool:
    """Whether the seed decides which scenes the teacher is wrong in."""
    return settings.get("wrong_plans") not in (None, 0, WORST)


def asks_llm(settings: Mapping[str, Any]) -> bool:
    """Whether an LLM is asked. Without one, the instructions for an LLM tell no two runs apart."""
    return asks(settings.get("llm"))
