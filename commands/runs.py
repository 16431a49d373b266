"""Run folders, <logdir>/<method>/<task>/<run>/: they hold all that is needed to continue a run or
to judge it."""

import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

from algos.saved_files import CHECKPOINT, CONFIG, MODEL
from commands.history import Resumed, changes, read_history
from commands.provenance import provenance
from commands.run_files import ANSWERS, CONFIG_FORMAT, OPTIONS, check_config_format, option_file
from commands.settings.config import SETTINGS, Config, make_config
from commands.settings.groups import GROUPS, Learnable
from commands.settings.methods import Method
from commands.settings.presets import check_settings
from commands.settings.resolve import check_flags
from commands.settings.setting_flags import as_typed
from planner.task import Task
from utils.errors import UserError
from utils.files import PART, write_atomically, write_json, writing
from utils.ownership import OWNER
from utils.validation import read_yaml

TEACHER = "teacher"


def task_folder(logdir: Path, method: Method, task: Task) -> Path:
    return logdir / method.name / task.name.lower()


def check_name(name: str) -> str:
    """The same name; UserError if it leaves its folder or means something else."""
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise UserError(f"{name!r} is not a name for a run: use letters, digits and . _ + -")
    if name == TEACHER:
        raise UserError(f"the name {TEACHER!r} is kept for evaluations of the teacher alone")
    return name


def claim_next(task_folder: Path, suffixes: list[str]) -> str:
    """The first free name of run1, run2, ….

    Makes its folder with the first suffix, so that two runs that start together have different
    folders.
    """
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
    """UserError if a new run may not replace what a folder holds."""
    held = list(folder.iterdir()) if folder.exists() else []
    # A process that was killed while it claimed the folder left no more than this.
    begun = all(path.name in (OWNER, OPTIONS) or path.match(PART) for path in held)
    if not held or (begun and folder / OWNER in held):
        return
    if not is_run(folder):
        raise UserError(f"{folder} exists and is not a run; give another --savedir")
    if not overwrite:
        raise UserError(
            f"{folder} holds a run already; continue it with --resume, "
            "replace it with --overwrite, or give another --savedir"
        )


def claim(folder: Path, config: Config) -> Config:
    """Empty an owned folder for a new run, and write its config.json.

    Returns the run's settings: the run has copies of its learned options, and uses those.
    """
    with writing(folder):
        # The checkpoint first: without it nobody can resume the rest.
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
    """The models of learned options, before a run has copies of them."""
    if not config.option_dir:
        return []
    return [option_file(Path(config.option_dir), name) for name in get_args(Learnable)]


def keep_options(folder: Path, config: Config) -> None:
    for model in option_models(config):
        ours = model.name == MODEL
        for file in (model, model.with_name(CONFIG)) if ours else (model,):
            kept = folder / OPTIONS / file.relative_to(str(config.option_dir))
            write_atomically(kept, partial(shutil.copyfile, file))


def new_runs(
    parent: Path, name: str | None, configs: list[Config], overwrite: bool
) -> list[tuple[Path, Config]]:
    """Folders for runs that differ in their seeds: <name>, or <name>-<seed> for several.

    UserError if one of them is not free. Changes nothing that exists.
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


def resumed_config(folder: Path, given: Mapping[str, Any]) -> Config:
    """The settings of a run, with the given ones that a resume may change. UserError if the run
    cannot go on, or if others of the given ones differ."""
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
        if not SETTINGS[name].resumable and value != before:
            raise UserError(
                f"{as_typed(name, value)} differs from the {before} of {folder}; "
                "a run goes on as it began, so start a new one"
            )
    allowed = {name: value for name, value in given.items() if SETTINGS[name].resumable}
    return read_config(folder / CONFIG, **allowed)


def discard_unbegun(folder: Path) -> None:
    """Remove a new run that has failed before its first save. An LLM's replies, which may have cost
    money, stay."""
    answers = folder / ANSWERS
    paid = answers.exists() and answers.stat().st_size > 0
    if not (folder / CHECKPOINT).exists() and not paid:
        shutil.rmtree(folder, ignore_errors=True)


def model_file(folder: Path, name: str) -> Path:
    """A run's model by its name, with or without `.pt`."""
    return folder / (name if name.endswith(".pt") else f"{name}.pt")


def write_config(folder: Path, config: Config, iteration: int = 0) -> None:
    """All settings, without a secret; the programs that started and resumed the run; and, as
    `history`, the settings that were changed when it was resumed at an iteration."""
    path, history = folder / CONFIG, list[Resumed]()
    if path.exists():
        old = read_yaml(path)
        origin, history = old.get("provenance", {}), read_history(path)
        if not isinstance(origin, dict) or not isinstance(origin.get("resumed", []), list):
            raise UserError(f"{path}: its provenance is damaged; remove it to go on without it")
        origin["resumed"] = [*origin.get("resumed", []), provenance()]
        if changed := changes(read_config(path), config):
            history.append(Resumed(iteration=iteration, changed=changed))
    else:
        origin = provenance()
    settings = {
        heading: config.model_dump(include={*group.model_fields})
        for heading, group in GROUPS.items()
    }
    resumed = [each.model_dump() for each in history]
    about = {"history": resumed, "provenance": origin}
    write_json(path, {"format": CONFIG_FORMAT, **settings, **about})


def read_config(path: Path, **replaced: Any) -> Config:
    """The settings of a run's config.json, with some of them replaced; UserError if its format
    cannot be read."""
    content = read_yaml(path)
    check_config_format(path, content)
    settings = check_settings(content, path)
    if settings.get("option_dir"):
        # A run may have been moved.
        settings["option_dir"] = str(path.parent / OPTIONS)
    return make_config({**settings, **replaced}, path)
