"""`--teacher_sees everything`: the teacher knows what the student cannot see."""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

import main
from algos.play import play
from commands.build import Parts
from commands.settings.config import make_config
from commands.settings.methods import Method
from commands.settings.resolve import fresh_settings
from planner.task import load_task
from tests.running import ROOT, SMALL, assert_same_run, evaluate, runs_of, train
from utils.ranks import Ranks
from utils.timing import Stopwatch

EVERYTHING = ["--teacher_sees", "everything"]
WORLD = "MiniGrid-DoorKey-5x5-v0"
SHORT = [
    *("--rollout_steps", "8", "--num_envs", "2", "--n_itr", "2", "--batch_size", "8"),
    *("--num_eval", "2", "--quick", "--threads", "1", "--device", "cpu"),
]
ALONE = Method(name="alone", description="No teacher.", fixed={"kl_start": 0})
KINDS: dict[str, dict[str, Any]] = {
    "tensor rooms": {"task": "ColoredDoorKey"},
    "single rooms": {"task": "ColoredDoorKey", "rooms": "gym"},
    "frames": {"task": "SimpleDoorKey", "frame_stack": 3, "recurrent": True},
    "worlds": {"task": WORLD, "network": "window"},
    "views": {"task": WORLD, "network": "window", "memory": "none"},
}


def parts(owned: ExitStack, preset: dict[str, Any] | None = None, **settings: Any) -> Parts:
    given = settings | {"task": load_task(settings["task"]), "device": "cpu"}
    return Parts(make_config(fresh_settings(given, preset), "settings"), owned)


@pytest.mark.parametrize("kind", KINDS)
def test_the_student_does_not_see_it(kind: str) -> None:
    with ExitStack() as owned:
        usual = parts(owned, **KINDS[kind])
        made = parts(owned, **KINDS[kind], teacher_sees="everything")
        student, plain = made.student(), usual.student()
        assert student.spec == plain.spec
        assert "privileged" not in student.spec.obs
        for one, other in zip(student.parameters(), plain.parameters(), strict=True):
            assert torch.equal(one, other)

        rollouts = []
        for each, actor in ((made, student), (usual, plain)):
            place = each.domain.environments(4, torch.device("cpu"))
            draws = torch.Generator().manual_seed(0)
            seeds = list(range(4))
            rollouts.append(
                play(place, actor, torch.device("cpu"), seeds, draws, Stopwatch(), limit=20)
            )
        known, unknown = rollouts
        assert known.obs.keys() - unknown.obs.keys() == {"privileged"}
        for name, values in unknown.steps.items():
            assert torch.equal(known.steps[name], values)
        noise = torch.randint_like(known.obs["privileged"], 3)
        state = student.initial_state(len(known), torch.device("cpu"))
        for changed in (known.obs, known.obs | {"privileged": noise}, unknown.obs):
            draws = torch.Generator().manual_seed(0)
            step, _ = student.act(changed, state, draws)
            if changed is known.obs:
                first = step
            for name, values in step.items():
                assert torch.equal(values, first[name])


@pytest.mark.parametrize(
    ("kind", "more", "doubted"),
    [
        ("tensor rooms", {}, False),
        ("tensor rooms", {"teacher_sees": "everything"}, True),
        ("worlds", {}, False),
        ("worlds", {"teacher_sees": "everything"}, True),
        ("views", {}, True),
    ],
)
def test_advice_is_doubted_only_of_a_teacher_that_sees_more_than_its_student(
    tmp_path: Path, kind: str, more: dict[str, Any], doubted: bool
) -> None:
    few = {"num_envs": 2, "batch_size": 8, "kl_start": 1.0, "kl_until": 9}
    weights = list[Any]()
    for alpha in (0.0, 8.0):
        with ExitStack() as owned:
            made = parts(owned, {"advisor_alpha": alpha}, **KINDS[kind], **few, **more)
            trainer = made.trainer(tmp_path, made.teacher(tmp_path), Ranks())
            numbers = trainer.iterate().numbers
            assert ("learner/advice_followed" in numbers) == (doubted and alpha > 0)
            weights.append(torch.cat([each.flatten() for each in trainer.student.parameters()]))
    assert torch.equal(*weights) == (not doubted)


@pytest.mark.parametrize(
    ("more", "tries"),
    [
        ({"advisor_alpha": 8.0}, True),
        ({"uniform_share": "auto"}, True),
        ({}, False),
        ({"advisor_alpha": 8.0, "teacher_sees": "memory"}, False),
        ({"advisor_alpha": 8.0, "memory": "none"}, False),
        ({"advisor_alpha": 8.0, "policy": ALONE}, False),
    ],
)
def test_a_memory_is_tried_if_the_teacher_is_doubted_and_its_student_has_one(
    tmp_path: Path, more: dict[str, Any], tries: bool
) -> None:
    chosen = KINDS["worlds"] | {"teacher_sees": "everything", "num_envs": 2, "batch_size": 8} | more
    preset = {"advisor_alpha": chosen.pop("advisor_alpha", 0.0)}
    with ExitStack() as owned:
        made = parts(owned, preset, **chosen)
        trainer = made.trainer(tmp_path, made.teacher(tmp_path), Ranks())
        assert trainer.settings.tries_memory == tries
        assert not (chosen.get("policy") and trainer.learner.state().get("imitator"))


def test_a_page_shows_what_a_narrowed_teacher_sees(tmp_path: Path) -> None:
    doubt = [*EVERYTHING, "--advisor_alpha", "8", "--n_itr", "1"]
    assert train(tmp_path, "--savedir", "narrowed", *doubt) == 0
    assert train(tmp_path, "--savedir", "usual", "--n_itr", "1") == 0
    pages = []
    for name in ("narrowed", "usual"):
        run = runs_of(tmp_path) / name
        assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2", str(run)]) == 0
        page = (run / "watch.html").read_text()
        memory = "recorded plans, seeing everything, from the student's memory only"
        assert (memory in page) == (name == "narrowed")
        pages.append(re.findall(r'"plans":(\[\[.*?\]\]\])', page))
    assert pages[0] == pages[1]
    assert pages[0]


def test_a_teacher_that_knows_more_succeeds_more_often(tmp_path: Path) -> None:
    alone = ["--eval_teacher", "--task", "ColoredDoorKey", "--num_eval", "20"]
    successes = []
    for name, flags in (("eval", []), ("eval-everything", EVERYTHING)):
        assert evaluate(tmp_path, *alone, *flags) == 0
        (path,) = tmp_path.glob(f"*/*/teacher/{name}/eval.json")
        successes.append(json.loads(path.read_text())["success"]["mean"])
    assert successes[0] < 0.9
    assert successes[1] == 1


def test_a_run_says_it_and_goes_on_as_if_it_had_not_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saves = [*EVERYTHING, "--save_interval", "1"]
    assert train(tmp_path, *saves, "--n_itr", "3", "--savedir", "whole") == 0
    assert "teacher: recorded plans, seeing everything, all plans mixed" in capsys.readouterr().out
    assert train(tmp_path, *saves, "--n_itr", "1", "--savedir", "cut") == 0
    again = ["train", "--logdir", str(tmp_path), "--savedir", "cut", "--resume", "--n_itr", "3"]
    assert main.main(again) == 0
    assert_same_run(*(runs_of(tmp_path) / name for name in ("whole", "cut")))
    assert main.main(["watch", "--logdir", str(tmp_path), "--num_eval", "2"]) == 0


def test_a_teacher_that_is_as_good_with_its_students_memory_teaches_so_and_counts_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SimpleDoorKey's teacher always succeeds."""
    doubt = [*EVERYTHING, "--advisor_alpha", "8", "--schedule", "matched", "--save_interval", "1"]
    assert train(tmp_path, "--savedir", "doubted", *doubt, "--n_itr", "3") == 0
    assert train(tmp_path, "--savedir", "usual", "--schedule", "matched", "--n_itr", "3") == 0
    said = capsys.readouterr().out
    assert "success 1.00, with its student's memory 1.00: it sees only that memory" in said
    assert "until iteration 3, from the student's memory only; the student agreed" in said
    assert "teacher alone, its student's memory" in said
    assert train(tmp_path, "--savedir", "cut", *doubt, "--n_itr", "1") == 0
    again = ["train", "--logdir", str(tmp_path), "--savedir", "cut", "--resume", "--n_itr", "3"]
    assert main.main(again) == 0
    for name in ("usual", "cut"):
        assert_same_run(*(runs_of(tmp_path) / each for each in ("doubted", name)))


def test_a_teacher_that_is_worse_with_its_students_memory_goes_on_seeing_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = ["--task", "ColoredDoorKey", "--advisor_alpha", "8", *EVERYTHING]
    assert train(tmp_path, "--savedir", "run", *task, "--n_itr", "1") == 0
    said = capsys.readouterr().out
    assert re.search(r"with its student's memory 0\.\d+: it goes on seeing everything", said)
    assert re.search(r"the student agreed with \d+% of it then, and \d+% of it counted", said)


@pytest.mark.parametrize("memory", ["map", "none"])
def test_it_works_in_tasks_with_a_mission(tmp_path: Path, memory: str) -> None:
    flags = ["--task", WORLD, "--memory", memory, *SHORT, *EVERYTHING]
    assert main.main(["train", "--logdir", str(tmp_path), *flags]) == 0
    (folder,) = tmp_path.glob("ppo/*/run1")
    assert (folder / "verdict.json").exists()


def test_doubt_without_a_reason_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--advisor_alpha", "8") == 1
    said = "the teacher sees only its student's memory, so all advice counts; leave it out"
    assert said in capsys.readouterr().err
    # A preset may name it for all tasks.
    assert train(tmp_path, "--n_itr", "0", "--config", str(ROOT / "configs" / "best.yaml")) == 0


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (EVERYTHING, "a teacher in homes always sees the home's map"),
        (["--advisor_alpha", "8"], "actions in homes are continuous"),
    ],
)
def test_homes_refuse_it_in_one_line(
    flags: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["train", "--task", "NavPick", "--logdir", str(tmp_path), *flags]) == 1
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1


def test_a_room_that_cannot_show_it_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "task.yaml"
    task.write_text(
        "name: Foreign\nenv_id: MiniGrid-Empty-5x5-v0\n"
        "domain: {kind: minigrid, names: {goal: goal}}\n"
        "plans: {'Agent sees <goal>, holds <nothing>.': {'go to <goal>': 1}}\n"
    )
    flags = ["--task", str(task), "--logdir", str(tmp_path), *EVERYTHING]
    assert main.main(["train", *SMALL[2:], *flags]) == 1
    error = capsys.readouterr().err
    assert "--teacher_sees everything needs a room that can be made with it" in error
    assert error.count("\n") == 1
