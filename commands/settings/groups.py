"""The settings of a run, by group.

Each setting is declared here and nowhere else: its type, its bounds, its default (the paper's
setting) and its help. Flags, presets, config.json, the rules of resuming and of comparing runs,
and docs/settings.md follow from these declarations.

The default of a new setting must be what runs did before there was one: the config.json of an
older run lacks it.
"""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from commands.settings.methods import Method
from commands.settings.setting import ACTING, ASKING, TEACHING, setting
from commands.settings.web_address import check_address
from planner.mixture import UniformShare
from planner.recorded_plans import Share
from planner.servers import KEY_VARIABLE, LLM, UNIFORM_MEANS
from planner.task import Task
from planner.wrong_plans import WORST, Wrong
from utils.validation import Strict

MAX_SEED = 2**32 - 1
MOST = 2**20
"""The largest number of environments, episodes and steps of a minibatch: an iteration must end."""

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Text = Annotated[str, Field(min_length=1)]
Address = Annotated[Text, AfterValidator(check_address)]
of_actors = partial(setting, commands=ACTING)
of_homes = partial(setting, domain="nav_pick", commands=TEACHING)
option_noise = partial(of_homes, 0.0, ge=0, recorded="options")
of_llm = partial(setting, commands=ASKING)
of_asking = partial(of_llm, recorded="llm")
of_machine = partial(of_actors, ..., resumable=True, compared="no")
Learnable = Literal["navigate", "pick"]
"""The options in homes for which a policy can be trained."""


class TaskSettings(Strict):
    """What is to be learned, and in which world."""

    task: Task = setting(..., "the task")
    rooms: Literal["tensor", "gym"] = setting(
        "tensor", "rooms as one batch of tensors, or one by one", domain="minigrid"
    )
    memory: Literal["map", "none"] = setting(
        "map",
        "the student sees what was seen so far (map), or MiniGrid's view alone (none)",
        domain="world",
    )
    simulator: Literal["tensor", "habitat", "habitat-rearrange"] = of_homes(
        "tensor",
        "homes as tensors; in habitat-sim; or habitat-lab's rearrangement with a Fetch robot",
        recorded="world",
    )
    habitat_config: Text | None = of_homes(
        None, "habitat-lab's configuration, for habitat-rearrange", value="FILE"
    )
    layouts: int = setting(10, "homes to train in; 0: no limit", ge=0, le=MOST, domain="nav_pick")
    depth_size: int = of_homes(64, "width and height of the depth image, in pixels", ge=8, le=512)
    reward: Literal["dense", "sparse"] = setting(
        "dense", "the full reward, or that of success alone", domain="nav_pick"
    )
    max_contacts: Count | None = of_homes(None, "contacts ending an episode", recorded="world")
    train_option: Learnable | None = of_homes(
        None, "train a policy for this option instead of the task", recorded="world"
    )


class StudentSettings(Strict):
    """The student's network."""

    network: Literal["paper", "egocentric", "small", "resnet18", "window"] = of_actors(
        "paper",
        "rooms: the raw map (paper), or as seen from the agent (egocentric); homes: three "
        "convolutions (small), or ResNet-18; MiniGrid and BabyAI: a window around the agent",
    )
    frame_stack: int = of_actors(
        1, "last maps that the student sees at once", ge=1, le=64, domain="minigrid"
    )
    recurrent: bool = of_actors(False, "give the student an LSTM")
    hierarchical: bool = setting(False, "let the student choose options instead of actions")
    precision: Literal["fp32", "bf16"] = setting(
        "fp32", "bf16 rounds the inputs of matrix products"
    )
    warm_start: Text | None = setting(
        None, "model whose weights the student starts with", compared="if set", flag="--loaddir"
    )


class LearningSettings(Strict):
    """PPO's hyperparameters."""

    gamma: Share = setting(0.99, "discount factor")
    gae: bool = setting(False, "generalised advantage estimation")
    lam: Share = setting(0.95, "lambda of --gae")
    learning_rate: float = setting(0.001, "Adam's learning rate", gt=0)
    anneal: bool = setting(False, "let the learning rate fall linearly to 0")
    batch_size: int = setting(128, "steps per minibatch", ge=2, le=MOST)
    epochs: int = setting(3, "passes over a rollout", ge=1)
    clip: float = setting(0.2, "clip range of probability ratios and values", gt=0)
    policy_coef: float = setting(1.0, "weight of the policy loss", ge=0)
    value_coef: float = setting(0.5, "weight of the value loss", ge=0)
    entropy_coef: float = setting(0.001, "weight of the entropy bonus", ge=0)
    max_grad_norm: float = setting(0.5, "largest norm of a gradient", gt=0)


class TeacherSettings(Strict):
    """The teacher's weight k, plans and options."""

    schedule: Literal["linear", "adaptive", "matched", "constant"] = setting(
        "linear",
        "k falls by --kl_step (linear), follows failures (adaptive) or what "
        "the student lacks of the teacher's success (matched), or stays (constant)",
    )
    kl_start: float = setting(10.0, "k at the first iteration", ge=0)
    kl_step: float = setting(0.005, "decrease of k per iteration (linear)", ge=0)
    kl_min: float = setting(0.1, "smallest k before --kl_until (linear, adaptive)", ge=0)
    kl_until: int = setting(3000, "iteration from which on k is 0 (not constant)", ge=0)
    advisor_alpha: float = setting(
        0.0,
        "how strongly a teacher that sees more is doubted (ADVISOR)",
        ge=0,
    )
    hard: bool = of_actors(
        False,
        "draw one plan at each step (method ppo-hard)",
        second=("--soft_planner", False, "mix all plans (default)"),
    )
    teacher_sees: Literal["memory", "everything"] = setting(
        "memory",
        "the teacher sees the student's memory, or the whole map",
        commands=TEACHING,
        recorded="teacher",
    )
    uniform_share: UniformShare = setting(
        0.0,
        "share of every legal plan alike in advice; auto: how often the teacher "
        "alone is stuck, at least 0.1",
        value="P",
        commands=TEACHING,
        recorded="teacher",
    )
    wrong_plans: Wrong = setting(
        0.0,
        f"share of scenes with another legal plan, if any; {WORST}: with the least probable",
        value="P",
        commands=TEACHING,
        recorded="teacher",
    )
    options: Literal["scripted", "learned"] = of_homes(
        "scripted", "options that carry plans out: rules, or trained policies", recorded="options"
    )
    option_dir: Text | None = of_homes(
        None,
        "folder of the runs navigate and pick, for --options learned",
        value="DIR",
        compared="if set",
    )
    navigate_noise: float = option_noise(
        "standard deviation of noise in the scripted option navigate"
    )
    pick_noise: float = option_noise("standard deviation of noise in the scripted option pick")


class LLMSettings(Strict):
    """The LLM that writes plans, and how it is asked."""

    llm: LLM | None = of_llm(
        None,
        f"ask an LLM for plans, over HTTP with the key in {KEY_VARIABLE}, or in this process "
        f"(local); uniform: {UNIFORM_MEANS}",
        second=("--offline_planner", None, "use the plans of a file (default)"),
    )
    llm_mode: Literal["sample", "schema", "score"] = of_asking(
        "sample",
        "ask for plans (sample), for a legal plan as JSON (schema), or how likely each legal plan "
        "is (score)",
    )
    score_temperature: float = of_asking(1.0, "temperature of the softmax over scores", gt=0)
    llm_url: Address | None = of_llm(
        None,
        "address of its chat completions; default the server's usual one",
        value="URL",
        resumable=True,
        compared="no",
    )
    llm_model: Text | None = of_llm(
        None,
        "name of its model; a folder or GGUF file for local; default the usual one",
        value="NAME",
    )
    llm_temperature: float = of_asking(1.0, "temperature of its replies", ge=0)
    llm_top_p: float | None = of_asking(None, "nucleus sampling of its replies", gt=0, le=1)
    llm_max_tokens: int | None = of_asking(None, "most tokens of a reply", ge=1)
    llm_seed: int | None = of_asking(None, "seed of its replies, if it takes one", ge=0, le=2**30)
    llm_workers: int = of_llm(8, "requests at the same time", ge=1, resumable=True, compared="no")
    llm_retries: int = of_asking(3, "further requests after a reply without a plan", ge=0)
    llm_strict: bool = setting(
        False, "stop as soon as the LLM does not answer", commands=TEACHING, resumable=True
    )
    llm_optional: bool = setting(
        False, "continue even if the LLM never answers", commands=TEACHING, resumable=True
    )
    n_ask: int = of_asking(10, "replies per scene", ge=1, le=1000)
    answers: Text | None = of_llm(
        None,
        "shared replies; default answers.jsonl in the run (record: beside the plans)",
        value="FILE",
        compared="no",
    )


class EvaluationSettings(Strict):
    """Evaluations while training, and those of `eval` and `watch`."""

    num_eval: Count = of_actors(10, "episodes per evaluation", resumable=True)
    env_seed_list: list[Seed] = of_actors(
        [0],
        "seeds of evaluation episodes: one stands for s, s + 1, …; several stay as they are; none: "
        "random ones",
        value="SEED",
        resumable=True,
    )
    eval_interval: int = setting(10, "iterations between evaluations", ge=1, resumable=True)
    evaluation_share: float = setting(
        0.1,
        "most evaluation steps per training step",
        ge=0,
        domain="world",
        resumable=True,
    )
    quick: bool = setting(
        False,
        "at most 5 episodes per evaluation, trial and verdict; a short trial may change training",
        resumable=True,
    )

    @field_validator("env_seed_list")
    @classmethod
    def _names_each_seed_once(cls, seeds: list[int]) -> list[int]:
        if len({*seeds}) < len(seeds):
            raise ValueError("names a seed twice: each would be the same episode")
        return seeds


class RunSettings(Strict):
    """How and where to run."""

    policy: Method = setting(..., "the method")
    seed: int = setting(0, "the run's seed", ge=0, le=2**63 - 1, compared="no", flag="--seed_list")
    n_itr: int = setting(20_000, "iterations", ge=0, resumable=True)
    traj_per_itr: Count = setting(10, "minimum episodes per iteration")
    rollout_steps: Count | None = setting(
        None,
        "least steps per iteration in each environment; episodes go on in the next; default 128",
        domain="world",
    )
    num_envs: Count | None = setting(None, "environments at the same time; default --traj_per_itr")
    save_interval: int = setting(
        100, "iterations between saves", ge=1, resumable=True, compared="no"
    )
    device: Text = of_machine("cpu or cuda; default cuda if there is one", value="DEVICE")
    threads: int = of_machine("CPU threads; default 1, or all cores for large minibatches", ge=1)


GROUPS: dict[str, type[Strict]] = {
    "task": TaskSettings,
    "student": StudentSettings,
    "ppo": LearningSettings,
    "teacher": TeacherSettings,
    "llm": LLMSettings,
    "evaluation": EvaluationSettings,
    "run": RunSettings,
}
"""The groups by heading, as in config.json, in presets and in `--help`."""
