"""Run folders: <logdir>/<method>/<task>/<run>/, with all that is needed to continue or judge it."""

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args

from commands.provenance import provenance
from commands.settings.config import Config, Learnable, make_config
from commands.settings.flags import check_flags
from commands.settings.methods import Method, load_method, make_method
from planner.task import Task, load_task, make_task
from utils.errors import UserError
from utils.files import PART, write_atomically, write_json, writing
from utils.run_files import CHECKPOINT, CONFIG, FORMAT, MODEL, OPTIONS, OWNER, SKILLS, check_format
from utils.validation import meant, read_yaml

TEACHER = "teacher"
BESIDE_SETTINGS = ("format", "provenance")
"""What a run's config.json holds beside its settings."""
SINCE = {"simulator": "tensor", "habitat_config": None, "hierarchical": False, "policy_coef": 1.0}
"""Settings that came after others of the same format, as runs were before."""
# What may change when a run goes on; anything else would make it another run.
RESUMABLE = (
    *("n_itr", "num_eval", "env_seed_list", "eval_interval", "save_interval"),
    *("device", "threads", "llm_url", "llm_workers", "llm_strict", "llm_optional"),
)


def task_folder(logdir: Path, method: Method, task: Task) -> Path:
    return logdir / method.name / task.name.lower()


def check_name(name: str) -> str:
    """A name for a run that cannot leave its folder or be taken for something else."""
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise UserError(f"{name!r} is no name for a run: use letters, digits and . _ + -")
    if name == TEACHER:
        raise UserError(f"the name {TEACHER!r} is kept for evaluations of the teacher alone")
    return name


def claim_next(task_folder: Path, suffixes: list[str]) -> str:
    """The first of run1, run2, … that is free; its folder with the first suffix is made, so that
    of two runs started together each has its own."""
    number = 0
    while True:
        number += 1
        name = f"run{number}"
        if (task_folder / name).exists() or any(task_folder.glob(f"{name}-*")):
            continue
        try:
            (task_folder / f"{name}{suffixes[0]}").mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot make {task_folder / name}: {error.strerror}") from error
        return name


def is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def check_free(folder: Path, overwrite: bool) -> None:
    """UserError if a folder holds something that a new run may not replace."""
    held = list(folder.iterdir()) if folder.exists() else []
    # A process that was killed while it claimed the folder left its lock, and no more than this.
    begun = all(path.name in (OWNER, OPTIONS) or path.match(PART) for path in held)
    if not held or (begun and folder / OWNER in held):
        return
    if not is_run(folder):
        raise UserError(f"{folder} exists and is no run; give another --savedir")
    if not overwrite:
        raise UserError(
            f"{folder} holds a run already; continue it with --resume, "
            "replace it with --overwrite, or give another --savedir"
        )


def claim(folder: Path, config: Config) -> Config:
    """An owned folder for a new run with its config.json, in place of what it held.

    Returns the run's settings: it keeps copies of options that were learned, and goes on with
    those.
    """
    with writing(folder):
        # The checkpoint first: without it the rest is no run that can go on.
        for path in sorted(folder.iterdir(), key=lambda path: path.name != CHECKPOINT):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != OWNER:
                path.unlink()
    if config.option_dir:
        keep_options(folder, config)
        config = config.model_copy(update={"option_dir": str(folder / OPTIONS)})
    write_config(folder, config)
    return config


def option_models(config: Config) -> list[Path]:
    """Where the models of learned options lie before a run begins."""
    if not config.option_dir:
        return []
    folder = Path(config.option_dir)
    return [
        folder / SKILLS[name] if (folder / SKILLS[name]).exists() else folder / name / MODEL
        for name in get_args(Learnable)
    ]


def keep_options(folder: Path, config: Config) -> None:
    for model in option_models(config):
        ours = model.name == MODEL
        for file in (model, model.with_name(CONFIG)) if ours else (model,):
            kept = folder / OPTIONS / file.relative_to(str(config.option_dir))
            write_atomically(kept, partial(shutil.copyfile, file))


def new_runs(
    parent: Path, name: str | None, configs: list[Config], overwrite: bool
) -> list[tuple[Path, Config]]:
    """Folders for runs that differ in their seeds: <name>, or <name>-<seed> if they are several.

    Nothing that exists is touched yet; UserError if one of them may not be had.
    """
    seeds = [config.seed for config in configs]
    if len(set(seeds)) < len(seeds):
        raise UserError("--seed_list names a seed twice")
    suffixes = [f"-{seed}" for seed in seeds] if len(seeds) > 1 else [""]
    name = check_name(name) if name else claim_next(parent, suffixes)
    planned = [(parent / f"{name}{suffix}", c) for suffix, c in zip(suffixes, configs, strict=True)]
    for folder, config in planned:
        check_free(folder, overwrite)
        for needed in (config.warm_start, config.answers, *option_models(config)):
            if needed and folder.resolve() in Path(needed).resolve().parents:
                raise UserError(f"{folder} cannot be overwritten: the new run needs {needed}")
    return planned


def resumed_runs(
    parent: Path, name: str | None, seeds: list[int] | None, given: Mapping[str, Any]
) -> list[tuple[Path, Config]]:
    """The runs of a name (of these seeds), or else the newest, with what may change changed."""
    if seeds and not name:
        raise UserError("--resume with --seed_list needs the name of the runs, --savedir")
    folders = find(parent, name, seeds) if name else [newest(parent)]
    return [(folder, _resumed_config(folder, given)) for folder in folders]


def _resumed_config(folder: Path, given: Mapping[str, Any]) -> Config:
    if (folder / MODEL).exists() and not (folder / CHECKPOINT).exists():
        raise UserError(
            f"{folder} has lost its {CHECKPOINT} and cannot go on; "
            "start a new run from its model with --loaddir"
        )
    config = read_config(folder / CONFIG)
    check_flags(given, dict(config))
    for name, value in given.items():
        before = getattr(config, name)
        if name in ("task", "policy"):
            value, before = value.name, before.name
        if name not in RESUMABLE and value != before:
            raise UserError(
                f"--{name} {value} differs from the {before} of {folder}; "
                "a run goes on as it began, so start a new one"
            )
    return read_config(folder / CONFIG, **{k: v for k, v in given.items() if k in RESUMABLE})


def find(task_folder: Path, name: str, seeds: list[int] | None) -> list[Path]:
    """The runs that a name, or a path, means: itself, or one a seed, <name>-<seed>."""
    single = Path(name) if Path(name).name != name else task_folder / name
    if is_run(single):
        if seeds and len(seeds) > 1:
            raise UserError(f"{single} is a run of one seed; leave --seed_list out")
        return [single]
    prefix = f"{single.name}-"
    per_seed = {
        int(seed): folder
        for folder in single.parent.glob(f"{prefix}*")
        if is_run(folder) and (seed := folder.name.removeprefix(prefix)).isdigit()
    }
    wanted = sorted(per_seed) if seeds is None else seeds
    for missing in [seed for seed in wanted if seed not in per_seed]:
        raise UserError(f"there is no run {single}-{missing}; {_known(single.parent)}")
    if not wanted:
        raise UserError(f"there is no run {single}; {_known(single.parent)}")
    return [per_seed[seed] for seed in wanted]


def model_file(folder: Path, name: str) -> Path:
    """A run's model by its name, with or without `.pt`."""
    return folder / (name if name.endswith(".pt") else f"{name}.pt")


def newest(task_folder: Path, needed: str = CONFIG, option: str | None = None) -> Path:
    """The run of a task, or of one of its options, that was trained last, of those that have a file
    that is needed."""
    found = [path.parent for path in task_folder.glob(f"*/{needed}") if is_run(path.parent)]
    trained = [folder for folder in found if _option(folder) == option]
    if not trained:
        raise UserError(f"there is no run under {task_folder}; train one first")
    return max(trained, key=_last_trained)


def _option(folder: Path) -> Any:
    with suppress(UserError):
        return read_yaml(folder / CONFIG).get("train_option")
    return None


def _last_trained(folder: Path) -> int:
    saved = folder / CHECKPOINT
    return (saved if saved.exists() else folder / CONFIG).stat().st_mtime_ns


def _known(task_folder: Path) -> str:
    names = sorted(folder.parent.name for folder in task_folder.glob(f"*/{CONFIG}"))
    return f"there are {', '.join(names)}" if names else "train one first"


def write_config(folder: Path, config: Config) -> None:
    """All settings, and with which program the run was started, and resumed; no secret."""
    path = folder / CONFIG
    if path.exists():
        origin = read_yaml(path).get("provenance", {})
        origin["resumed"] = [*origin.get("resumed", []), provenance()]
    else:
        origin = provenance()
    write_json(path, {"format": FORMAT} | config.model_dump() | {"provenance": origin})


def check_settings(content: Mapping[str, Any], source: object) -> dict[str, Any]:
    """Settings from a file, all of known names; task and method, where there are any, are valid
    ones, by name or as a run keeps them."""
    settings = {name: value for name, value in content.items() if name not in BESIDE_SETTINGS}
    if unknown := settings.keys() - Config.model_fields.keys():
        word = min(map(str, unknown))
        raise UserError(f"{source}: there is no setting {word!r}{meant(word, Config.model_fields)}")
    if "task" in settings:
        task = settings["task"]
        whole = isinstance(task, dict)
        settings["task"] = make_task(task, source) if whole else load_task(str(task))
    if "policy" in settings:
        method = settings["policy"]
        whole = isinstance(method, dict)
        settings["policy"] = make_method(method, source) if whole else load_method(str(method))
    return settings


def read_config(path: Path, **changes: Any) -> Config:
    """The settings of a run's config.json, with some of them replaced; UserError if the run is of
    another format."""
    content = read_yaml(path)
    check_format(path, content)
    settings = check_settings(content, path)
    if settings.get("option_dir"):
        # A run may have been moved.
        settings["option_dir"] = str(path.parent / OPTIONS)
    return make_config({**SINCE, **settings, **changes}, path)
