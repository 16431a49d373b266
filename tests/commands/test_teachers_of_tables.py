"""The teachers alone in tables of experiments: what defines one, and when it is evaluated again."""

from pathlib import Path

import pytest

from commands.experiments.experiment import examine
from commands.experiments.table import read_table
from tests import small_rooms
from tests.commands.test_experiments import HOMES, TABLE, write
from tests.reproduction import evaluate
from tests.running import ROOT
from utils.errors import UserError


def test_a_teacher_whose_plans_have_changed_is_evaluated_again(tmp_path: Path) -> None:
    file = "configs/plans/simpledoorkey.yaml"
    task = Path(small_rooms.TASK).read_text().replace(f"../{file}", "plans.yaml")
    plans = (ROOT / file).read_text()
    (tmp_path / "task.yaml").write_text(task)
    (tmp_path / "plans.yaml").write_text(plans)
    path = write(tmp_path, TABLE.replace("SimpleDoorKey", "task.yaml"))
    teacher = read_table(path, tmp_path, 1)[-1]
    evaluate(teacher)
    assert examine(teacher).stage == "finished"
    (tmp_path / "plans.yaml").write_text(f"{plans}\nAgent sees <nothing more>: {{explore: 1.0}}\n")
    assert examine(read_table(path, tmp_path, 1)[-1]).stage == "to evaluate"


def test_a_teacher_whose_task_has_changed_is_evaluated_again(tmp_path: Path) -> None:
    task = Path("configs/navpick.yaml").read_text().replace("plans/", f"{ROOT}/configs/plans/")
    (tmp_path / "task.yaml").write_text(task)
    path = write(tmp_path, f"{HOMES}  tasks: [task.yaml]\n")
    teacher = read_table(path, tmp_path, 1)[-1]
    evaluate(teacher)
    assert examine(teacher).stage == "finished"
    for old, new in (("success: 1,", "success: 2,"), ("settings:", "settings:\n  pick_noise: 1")):
        (tmp_path / "task.yaml").write_text(task.replace(old, new))
        assert examine(read_table(path, tmp_path, 1)[-1]).stage == "to evaluate"


def test_a_teacher_alone_takes_its_group_s_preset(tmp_path: Path) -> None:
    (tmp_path / "noisy.yaml").write_text(
        "domains: {nav_pick: {navigate_noise: 1.5, pick_noise: 0.8, network: resnet18, n_ask: 9}}"
    )
    group = f"{HOMES}  tasks: [NavPick, SimpleDoorKey]\n  config: noisy.yaml\n"
    student, teacher, _, of_rooms = read_table(write(tmp_path, group), tmp_path, 1)
    assert teacher.evaluate[-4:] == ["--navigate_noise", "1.5", "--pick_noise", "0.8"]
    for name in ("navigate_noise", "pick_noise"):
        assert teacher.settings[name] == student.settings[name] > 0
    assert "--navigate_noise" not in of_rooms.evaluate
    group = group.replace(", SimpleDoorKey", "")
    outweighed = write(tmp_path, f"{group}  of_methods: {{teacher: {{pick_noise: 0.2}}}}\n")
    assert read_table(outweighed, tmp_path, 1)[1].settings["pick_noise"] == 0.2
    for name in ("gamma: 1", "hard: true"):
        refused = write(tmp_path, f"{group}  of_methods: {{teacher: {{{name}}}}}\n")
        with pytest.raises(UserError, match="a teacher alone has no setting"):
            read_table(refused, tmp_path, 1)


@pytest.mark.parametrize(
    ("settings", "stage"), [("gamma: 0.9", "finished"), ("llm: vicuna", "to evaluate")]
)
def test_instructions_tell_teachers_apart_only_if_an_llm_reads_them(
    tmp_path: Path, settings: str, stage: str
) -> None:
    task = Path(small_rooms.TASK).read_text().replace("../configs/", f"{ROOT}/configs/")
    (tmp_path / "task.yaml").write_text(task)
    table = TABLE.replace("SimpleDoorKey", "task.yaml").replace("gamma: 0.9", settings)
    path = write(tmp_path, table)
    teacher = read_table(path, tmp_path, 1)[-1]
    evaluate(teacher)
    assert examine(teacher).stage == "finished"
    (tmp_path / "task.yaml").write_text(task.replace("Open the door.", "Open it."))
    assert examine(read_table(path, tmp_path, 1)[-1]).stage == stage


def test_one_table_may_compare_models_and_noise(tmp_path: Path) -> None:
    group = """
- {{label: {label}, tasks: [{task}], methods: [teacher], settings: {{{settings}}}}}"""
    asked = "llm: openai, llm_mode: schema, llm_model"
    table = "seeds: [0]\ngroups:" + "".join(
        group.format(label=f"g{number}", task=task, settings=settings)
        for number, (task, settings) in enumerate(
            [
                ("SimpleDoorKey", f"{asked}: gpt-4o"),
                ("SimpleDoorKey", f"{asked}: Qwen/Qwen2.5-7B-Instruct"),
                ("SimpleDoorKey", "wrong_plans: 0.5"),
                ("NavPick", "navigate_noise: 1.5"),
                ("NavPick", "navigate_noise: 3, max_contacts: 1"),
            ]
        )
    )
    finals = [teacher.final for teacher in read_table(write(tmp_path, table), tmp_path, 1)]
    assert finals == [
        "unseen-openai-gpt-4o-schema",
        "unseen-openai-Qwen_Qwen2.5-7B-Instruct-schema",
        "unseen-wrong-0.5",
        "unseen-navigate-1.5",
        "unseen-navigate-3.0-contacts-1",
    ]
