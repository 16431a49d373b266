"""Files of cells: tasks × methods × seeds in groups, with settings by task and method."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from commands import runs
from commands.experiments.experiment import UNSEEN, Cell
from commands.provenance import teacher_traits
from commands.settings.config import DEFAULT_METHOD, SETTINGS, make_config
from commands.settings.groups import Count, Seed
from commands.settings.methods import load_method
from commands.settings.presets import read_preset
from commands.settings.resolve import check_flags, resolve
from commands.settings.setting import Defaults
from commands.settings.setting_flags import as_words, settings_of
from planner.task import load_task
from utils.errors import UserError
from utils.validation import Strict, read_yaml, validated

Settings = dict[str, Any]
TEACHING = [setting.name for setting in settings_of("teacher")]
"""The settings of a teacher alone."""


class Group(Strict):
    """Cells that share a preset. The run of a seed is named `<label>-<seed>`; the method `teacher`
    is the task's teacher alone. A setting of a method outweighs one of a task, and that one of all.
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
    """What a file of cells says; each ends with `num_eval` episodes, from `eval_seed` on."""

    seeds: list[Seed] = Field(min_length=1)
    eval_seed: Seed = 10000
    num_eval: Count = 500
    groups: list[Group] = Field(min_length=1)


@dataclass(frozen=True)
class Place:
    """Where cells of a table lie, how many threads each has, and the seeds of their evaluation."""

    out: Path
    threads: int
    seeds: range


def read_table(path: Path, out: Path, threads: int) -> list[Cell]:
    """The cells of a file in its order, seeds innermost; UserError, with the file and the place, if
    it is not valid."""
    table = validated(Table, read_yaml(path), path)
    if threads < 1:
        raise UserError(f"--threads: {threads} are too few")
    place = Place(out, threads, range(table.eval_seed, table.eval_seed + table.num_eval))
    cells = list[Cell]()
    for number, group in enumerate(table.groups):
        source = f"{path}: groups.{number}"
        seeds = group.seeds or table.seeds
        cells += group_cells(group, seeds, path.parent, place, source)
    folders = set[Path]()
    for cell in cells:
        if cell.folder in folders:
            other = ", or give its group another label" if cell.train else ""
            raise UserError(f"{path}: {cell.name} is there twice; leave one out{other}")
        folders.add(cell.folder)
    return cells


def group_cells(
    group: Group, seeds: list[int], beside: Path, place: Place, source: str
) -> list[Cell]:
    """A group's cells; presets, tasks and methods that are files lie `beside` the table."""
    try:
        runs.check_name(group.label)
    except UserError as error:
        raise UserError(f"{source}.label: {error}") from error
    check_names(group, source)
    preset = beside / group.config if group.config else None
    cells = list[Cell]()
    for task_name in group.tasks:
        for method_name in group.methods:
            said = dict(group.settings)
            said |= group.of_tasks.get(task_name, {}) | group.of_methods.get(method_name, {})
            try:
                task, method = located(task_name, beside), located(method_name, beside)
                if method == runs.TEACHER:
                    cells.append(teacher_cell(group, preset, task, said, place))
                    continue
                for seed in seeds:
                    cells.append(student_cell(group, preset, task, method, seed, said, place))
            except UserError as error:
                raise UserError(f"{source}: {method_name} in {task_name}: {error}") from error
    return cells


def check_names(group: Group, source: str) -> None:
    """UserError for a section of a task or method that the group lacks, and for a setting that has
    no flag, or a value that cannot be written as one."""
    sections = {"settings": group.settings}
    for kind, found, known in (
        ("of_tasks", group.of_tasks, group.tasks),
        ("of_methods", group.of_methods, group.methods),
    ):
        for name, said in found.items():
            if name not in known:
                raise UserError(
                    f"{source}.{kind}: {name} is none of the group's: {', '.join(known)}"
                )
            sections[f"{kind}.{name}"] = said
    trained = {setting.name for setting in settings_of("train")}
    for section, said in sections.items():
        for name, value in said.items():
            if name not in trained or name == "threads":
                hint = "; give reproduce its --threads" if name == "threads" else ""
                raise UserError(f"{source}.{section}: there is no setting {name!r} here{hint}")
            second = SETTINGS[name].second
            if value is None and not (second and second[1] is None):
                raise UserError(f"{source}.{section}.{name}: is empty; leave it out")


def located(name: str, beside: Path) -> str:
    """A task or method as `main.py` takes it: by its name, or a file that lies beside a table."""
    return str(beside / name) if Path(name).suffix in (".yaml", ".yml") else name


def student_cell(
    group: Group,
    preset_file: Path | None,
    task_name: str,
    method_name: str,
    seed: int,
    said: Settings,
    place: Place,
) -> Cell:
    preset = read_preset(preset_file, task_name) if preset_file else {}
    task, method = load_task(task_name), load_method(method_name)
    flags = said | {"task": task, "policy": method}
    settings = resolve(flags, preset)
    check_flags(flags, settings)
    config = make_config({"device": "cpu"} | settings | {"seed": seed}, "settings")
    run = f"{group.label}-{seed}"
    device = said.keys() & {"device"}
    common = ["--task", task_name, "--policy", method_name, "--logdir", str(place.out)]
    trained = ["--config", str(preset_file)] if preset_file else []
    trained += ["--seed_list", str(seed), "--savedir", run, "--threads", str(place.threads)]
    return Cell(
        label=group.label,
        task=task.name,
        method=method.name,
        seed=seed,
        folder=runs.task_folder(place.out, method, task) / run,
        train=["train", *common, *trained, *as_flags(said, settings)],
        evaluate=["eval", *common, "--loaddir", run, *ending(place), *as_flags(device, settings)],
        settings=json.loads(json.dumps(config.model_dump(), default=dict)),
        seeds=place.seeds,
    )


def teacher_cell(
    group: Group, preset_file: Path | None, task_name: str, said: Settings, place: Place
) -> Cell:
    """A teacher needs no run; of its group's preset and settings it takes those that it has.
    UserError if it alone is said to have others."""
    for name in group.of_methods.get(runs.TEACHER, {}):
        if name not in ("device", *TEACHING):
            raise UserError(f"of_methods.{runs.TEACHER}: a teacher alone has no setting {name!r}")
    preset = read_preset(preset_file, task_name) if preset_file else {}
    task, method = load_task(task_name), load_method(DEFAULT_METHOD)
    kind = task.domain.kind
    usual = {n: value for n, value in preset.items() if SETTINGS[n].domain in (None, kind)}
    own = {name: value for name, value in said.items() if name in ("device", *TEACHING)}
    own = {name: usual[name] for name in TEACHING if usual.get(name) is not None} | own
    settings = resolve(own | {"task": task}, {})
    if not settings["llm"]:
        # A preset may say how an LLM is asked without naming one.
        own = {n: value for n, value in own.items() if n in said or not SETTINGS[n].needs_llm}
    check_flags(own | {"task": task}, settings)
    common = ["--eval_teacher", "--task", task_name, "--logdir", str(place.out)]
    return Cell(
        label=group.label,
        task=task.name,
        method=runs.TEACHER,
        seed=None,
        folder=runs.task_folder(place.out, method, task) / runs.TEACHER,
        train=[],
        evaluate=["eval", *common, *ending(place), *as_flags(own, settings)],
        settings=teacher_traits(task, settings),
        seeds=place.seeds,
    )


def ending(place: Place) -> list[str]:
    seeds = ["--env_seed_list", str(place.seeds.start), "--num_eval", str(len(place.seeds))]
    return [*seeds, "--savedir", UNSEEN, "--threads", str(place.threads)]


def as_flags(names: Iterable[str], settings: Settings) -> list[str]:
    """Some settings as flags, with their valid values: a file may have 3.0 where a flag needs 3."""
    return [word for name in names for word in as_words(name, settings[name])]
