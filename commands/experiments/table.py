"""Tables of experiments: tasks × methods × seeds in groups, with settings by task and method."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field

from commands import runs
from commands.experiments.experiment import FINAL, Experiment
from commands.settings.config import DEFAULT_METHOD, SETTINGS, make_config
from commands.settings.groups import Count, Seed
from commands.settings.methods import load_method
from commands.settings.presets import read_preset
from commands.settings.resolve import check_flags, resolve
from commands.settings.setting import Defaults
from commands.settings.setting_flags import as_words, settings_of
from commands.teacher_identity import teacher_suffix, teacher_traits
from planner.servers import UNIFORM
from planner.task import load_task
from utils.errors import UserError
from utils.validation import Strict, is_file_name, read_yaml, validated

FIRST_REPORTED_SEED = 1_000_000
"""Reported evaluations have seeds from here on; those while training lie below."""
Settings = dict[str, Any]
TEACHING = [setting.name for setting in settings_of("teacher")]
"""The settings of a teacher alone."""


class Group(Strict):
    """Experiments that share a preset, the file `config`.

    The run of a seed is named `<label>-<seed>`. The method `teacher` is the task's teacher alone.
    Settings of a method outweigh those of a task, which outweigh those of the group.
    """

    label: str
    config: str | None = None
    tasks: list[str] = Field(min_length=1)
    methods: list[str] = Field(min_length=1)
    seeds: list[Seed] | None = Field(default=None, min_length=1)
    settings: Defaults = Field(default={})
    of_tasks: dict[str, Defaults] = Field(default={})
    of_methods: dict[str, Defaults] = Field(default={})


class Table(Strict):
    """The content of a table's file. Every experiment ends with `num_eval` episodes, with the seeds
    `eval_seed`, `eval_seed` + 1 and so on."""

    seeds: list[Seed] = Field(min_length=1)
    eval_seed: Seed = FIRST_REPORTED_SEED
    num_eval: Count = 500
    groups: list[Group] = Field(min_length=1)


@dataclass(frozen=True)
class Row:
    """One task with one method, each a name or a file, and the table's settings for them. All rows
    share the log tree `out`, the `threads` of a process, and the seeds of the final `episodes`."""

    label: str
    preset: Path | None
    task: str
    method: str
    settings: Settings
    out: Path
    threads: int
    episodes: range


def read_table(path: Path, out: Path, threads: int) -> list[Experiment]:
    """The experiments of a file in its order, seeds innermost. UserError, with the file and the
    place in it, if it is not valid. Paths of presets, tasks and methods start at its folder."""
    table = validated(Table, read_yaml(path), path)
    if threads < 1:
        raise UserError(f"--threads: {threads} is too few; give 1 or more")
    episodes = range(table.eval_seed, table.eval_seed + table.num_eval)
    experiments = list[Experiment]()
    for number, group in enumerate(table.groups):
        source = f"{path}: groups.{number}"
        check_group(group, source)
        preset = path.parent / group.config if group.config else None
        for task, method in product(group.tasks, group.methods):
            given = group.settings | group.of_tasks.get(task, {}) | group.of_methods.get(method, {})
            row = Row(
                label=group.label,
                preset=preset,
                task=located(task, path.parent),
                method=located(method, path.parent),
                settings=given,
                out=out,
                threads=threads,
                episodes=episodes,
            )
            try:
                if method == runs.TEACHER:
                    experiments.append(teacher(row))
                else:
                    experiments += students(row, group.seeds or table.seeds)
            except UserError as error:
                raise UserError(f"{source}: {method} in {task}: {error}") from error
    places = set[Path]()
    for experiment in experiments:
        if (place := experiment.folder / experiment.final) in places:
            advice = ", or give its group another label" if experiment.train else ""
            raise UserError(f"{path}: {experiment.name} is there twice; leave one out{advice}")
        places.add(place)
    return experiments


def check_group(group: Group, source: str) -> None:
    """UserError for a label that is no name, for settings of a task or method that the group lacks,
    for a setting without a flag, and for a value that no flag can have."""
    try:
        runs.check_name(group.label)
    except UserError as error:
        raise UserError(f"{source}.label: {error}") from error
    sections = {"settings": group.settings}
    for kind, found, known in (
        ("of_tasks", group.of_tasks, group.tasks),
        ("of_methods", group.of_methods, group.methods),
    ):
        for name, settings in found.items():
            if name not in known:
                raise UserError(
                    f"{source}.{kind}: {name} is not one of the group's: {', '.join(known)}"
                )
            sections[f"{kind}.{name}"] = settings
    trained = {setting.name for setting in settings_of("train")}
    for section, settings in sections.items():
        place = f"{source}.{section}"
        for name, value in settings.items():
            if name not in trained or name == "threads":
                advice = {
                    "threads": "; give reproduce its --threads",
                    "plans": "; write a task file that names them",
                }.get(name, "")
                raise UserError(f"{place}: there is no setting {name!r} here{advice}")
            if section == f"of_methods.{runs.TEACHER}" and name not in ("device", *TEACHING):
                raise UserError(f"{place}: a teacher alone has no setting {name!r}")
            second = SETTINGS[name].second
            if value is None and not (second and second[1] is None):
                raise UserError(f"{place}.{name}: is empty; leave it out")


def located(name: str, folder: Path) -> str:
    """A task or method as `main.py` takes it: a name, or the path of a file."""
    return str(folder / name) if is_file_name(name) else name


def students(row: Row, seeds: list[int]) -> Iterator[Experiment]:
    """A run for each seed, with the evaluation of its last model."""
    preset = read_preset(row.preset, row.task) if row.preset else {}
    task, method = load_task(row.task), load_method(row.method)
    flags = row.settings | {"task": task, "policy": method}
    settings = resolve(flags, preset)
    check_flags(flags, settings)
    place = ["--task", row.task, "--policy", row.method, "--logdir", str(row.out)]
    train = ["train", *place, *(["--config", str(row.preset)] if row.preset else [])]
    device = as_flags(row.settings.keys() & {"device"}, settings)
    for seed in seeds:
        run = f"{row.label}-{seed}"
        own = ["--seed_list", str(seed), "--savedir", run, "--threads", str(row.threads)]
        config = make_config({"device": "cpu"} | settings | {"seed": seed}, "settings")
        yield Experiment(
            label=row.label,
            task=task.name,
            method=method.name,
            seed=seed,
            folder=runs.task_folder(row.out, method, task) / run,
            train=[*train, *own, *as_flags(row.settings, settings)],
            evaluate=["eval", *place, "--loaddir", run, *final_flags(row, FINAL), *device],
            settings=json.loads(json.dumps(config.model_dump(), default=dict)),
            seeds=row.episodes,
        )


def teacher(row: Row) -> Experiment:
    """An evaluation of a task's teacher alone. Of the preset and the table's settings it takes
    those that define a teacher."""
    preset = read_preset(row.preset, row.task) if row.preset else {}
    task, method = load_task(row.task), load_method(DEFAULT_METHOD)
    kind, given = task.domain.kind, row.settings
    usual = {n: value for n, value in preset.items() if SETTINGS[n].domain in (None, kind)}
    own = {name: usual[name] for name in TEACHING if usual.get(name) is not None}
    own |= {name: value for name, value in given.items() if name in ("device", *TEACHING)}
    settings = resolve(own | {"task": task}, {})
    if settings["llm"] in (None, UNIFORM):
        # A preset may say how to ask an LLM without naming one.
        own = {n: v for n, v in own.items() if n in given or not SETTINGS[n].needs_llm}
    check_flags(own | {"task": task}, settings)
    # One table may compare the recorded teacher with others.
    final = FINAL + teacher_suffix(settings)
    place = ["--eval_teacher", "--task", row.task, "--logdir", str(row.out)]
    return Experiment(
        label=row.label,
        task=task.name,
        method=runs.TEACHER,
        seed=None,
        folder=runs.task_folder(row.out, method, task) / runs.TEACHER,
        train=[],
        evaluate=["eval", *place, *final_flags(row, final), *as_flags(own, settings)],
        settings=teacher_traits(task, settings),
        seeds=row.episodes,
        final=final,
    )


def final_flags(row: Row, name: str) -> list[str]:
    """The flags of a final evaluation of this name."""
    seeds = ["--env_seed_list", str(row.episodes.start), "--num_eval", str(len(row.episodes))]
    return [*seeds, "--savedir", name, "--threads", str(row.threads)]


def as_flags(names: Iterable[str], settings: Settings) -> list[str]:
    """Settings as flags, with their validated values: a table may have 3.0 where a flag needs 3."""
    return [word for name in names for word in as_words(name, settings[name])]
