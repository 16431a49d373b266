"""The project on a pretend accelerator: nothing mixes devices, all numbers are the CPU's, and the
host waits no more often than it must."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

import main
from algos.cuda_graphs import Graphed
from commands import bench, speeds
from commands.build import Parts
from commands.settings.config import make_config
from commands.settings.methods import load_method
from commands.settings.resolve import resolve
from planner.task import load_task
from tests import small_homes, small_rooms
from tests.accelerator import NAME, accelerator
from tests.pages import watch
from tests.running import assert_same_run, runs_of
from utils import devices
from utils.ranks import Ranks
from utils.tensors import Tensors, constant
from utils.timing import Stopwatch

ITERATIONS = 2
WORLD = "BabyAI-GoToLocalS5N2-v0"
EVERYTHING = {"teacher_sees": "everything"}
FEW = {"num_envs": 4, "rollout_steps": 8}
BUDGETS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "paper": (small_rooms.TASK, "ppo", {}, 50),
    "one by one": (small_rooms.TASK, "ppo", {"rooms": "gym"}, 257),
    "egocentric": (small_rooms.TASK, "ppo", {"network": "egocentric", "gae": True}, 50),
    "not all imitated": (small_rooms.TASK, "ppo", {"advisor_alpha": 8.0, **EVERYTHING}, 50),
    "stacked": (small_rooms.TASK, "ppo", {"frame_stack": 2}, 50),
    "all-seeing": (small_rooms.TASK, "ppo", EVERYTHING, 50),
    "erring": (small_rooms.TASK, "ppo", {"wrong_plans": 0.5, "uniform_share": "auto"}, 45),
    "hard": (small_rooms.TASK, "ppo-hard", {}, 50),
    "imitation": (small_rooms.TASK, "imitation", {}, 50),
    "hierarchical": (small_rooms.TASK, "hierarchical", {}, 100),
    "hierarchical and recurrent": (small_rooms.TASK, "hierarchical", {"recurrent": True}, 205),
    "recurrent": (small_rooms.TASK, "ppo", {"recurrent": True}, 105),
    "recurrent bf16": (small_rooms.TASK, "ppo", {"recurrent": True, "precision": "bf16"}, 105),
    "bf16": (small_rooms.TASK, "ppo", {"precision": "bf16"}, 50),
    "homes": (small_homes.TASK, "ppo", {}, 45),
    "homes without a teacher": (small_homes.TASK, "ppo-alone", {}, 36),
    "one option": (small_homes.TASK, "ppo", {"train_option": "pick", "reward": "sparse"}, 45),
    "one plan": (small_homes.TASK, "ppo-hard", {"max_contacts": 1}, 45),
    "erring in homes": (small_homes.TASK, "ppo", {"wrong_plans": "worst"}, 45),
    "hierarchical in homes": (small_homes.TASK, "hierarchical", {}, 82),
    "recurrent in homes": (small_homes.TASK, "ppo", {"recurrent": True}, 105),
    "a MiniGrid task": (WORLD, "ppo", FEW, 276),
    "hierarchical in a MiniGrid task": (WORLD, "hierarchical", FEW, 685),
    "bf16 in a MiniGrid task": (WORLD, "ppo", {**FEW, "precision": "bf16"}, 276),
    "KeyInBox": ("KeyInBox", "ppo", FEW, 257),
    "DynamicDoorKey": ("DynamicDoorKey", "ppo", FEW, 288),
    "without a map": ("FaultySwitch", "ppo", {**FEW, "memory": "none", "recurrent": True}, 356),
    "MisledLavaCrossing": ("MisledLavaCrossing", "ppo", FEW, 276),
    "SwitchOnce": ("SwitchOnce", "ppo", FEW, 282),
    "PoisonedDoors": ("PoisonedDoors", "ppo", FEW, 268),
}
"""Task, method, settings, and how often an iteration may wait: little more than it does, so that a
wait for each minibatch or step is too much. ResNet-18 is missing: its gradients are added up in
another order on the pretend device."""


def trained(device: str, name: str) -> tuple[list[dict[str, float]], dict[str, torch.Tensor], int]:
    """Some iterations: their numbers without times, the weights, and the waits of the last one."""
    task, method, settings, _ = BUDGETS[name]
    given = {
        "task": load_task(task),
        "policy": load_method(method),
        "device": device,
    }
    little = {"traj_per_itr": 4, "batch_size": 16, "threads": 1, "n_itr": ITERATIONS}
    numbers = []
    # Constants are copied to the device once in a process: other tests must not have done it.
    constant.cache_clear()
    with accelerator() as record, ExitStack() as owned:
        parts = Parts(make_config(resolve(given | little | settings, {}), "settings"), owned)
        teacher = parts.teacher(Path("/dev/null"))
        # As after its trial.
        teacher.doubt(0.5)
        trainer = parts.trainer(Path(), teacher, Ranks())
        for _ in range(ITERATIONS):
            record.waits.clear()
            found = trainer.iterate().numbers
            timeless = (name for name in found if not name.startswith(("speed/", "seconds")))
            numbers.append({name: found[name] for name in timeless})
        waits = record.waits.total()
        weights = {key: weight.cpu() for key, weight in trainer.student.state_dict().items()}
    return numbers, weights, waits


@pytest.mark.parametrize("name", BUDGETS)
def test_training_gives_the_same_bits_and_waits_rarely(name: str, monkeypatch: Any) -> None:
    numbers, weights, waits = trained(NAME, name)
    # The CPU takes the same course as an accelerator.
    monkeypatch.setattr(devices, "asynchronous", lambda device: True)
    expected, expected_weights, _ = trained("cpu", name)
    assert numbers == expected
    for key, weight in expected_weights.items():
        assert torch.equal(weights[key], weight), key
    assert waits <= BUDGETS[name][-1]


def timed(device: torch.device) -> None:
    with Stopwatch(device)("update"):
        pass


WAITS: dict[str, tuple[Callable[[torch.Tensor], object], int]] = {
    "work": (lambda there: (there + 1)[there.argsort()], 0),
    "a value": (lambda there: float(there.sum()), 1),
    "a mask": (lambda there: there[there > 0], 1),
    "to the CPU": (lambda there: there.cpu(), 1),
    "from the CPU": (lambda there: torch.ones(3).to(there.device), 1),
    "a list": (lambda there: torch.tensor([1, 2], device=there.device), 1),
    "an index of the CPU": (lambda there: there[torch.tensor([0, 2])], 1),
    "a list as index": (lambda there: there[[0, 2]], 1),
    "a number at a place": (lambda there: there.__setitem__(1, 5.0), 1),
    "a number at some places": (lambda there: there.__setitem__(there.argsort(), 5.0), 1),
    "a number in a slice": (lambda there: there.__setitem__(slice(1, 3), 5.0), 0),
    "a number under a mask": (lambda there: there.masked_fill_(there > 0, 5.0), 0),
    "from ordinary memory": (lambda there: torch.ones(3).to(there.device, non_blocking=True), 1),
    "a question": (lambda there: bool((there > 0).any()), 1),
    "a comparison": (lambda there: torch.equal(there, there), 1),
    "checked weights": (lambda there: there.multinomial(1), 1),
    "a timed phase": (lambda there: timed(there.device), 1),
}


@pytest.mark.parametrize("work", WAITS)
def test_the_pretend_device_counts_what_waits(work: str) -> None:
    do, count = WAITS[work]
    with accelerator() as record:
        there = torch.ones(3, device=NAME)
        record.waits.clear()
        do(there)
        assert record.waits.total() == count


FAULTS: dict[str, Callable[[torch.Tensor], object]] = {
    "the CPU's tensor": lambda there: there + torch.ones(3),
    "the CPU's number, stacked": lambda there: torch.stack([there.sum(), torch.ones(())]),
    "the CPU's number, written": lambda there: torch.ones(()).add_(there.sum()),
    "the CPU's values": lambda there: there.__setitem__(there.argsort(), torch.ones(3)),
    "the CPU's generator": lambda there: there.normal_(generator=torch.Generator()),
    "its generator on the CPU": lambda there: torch.rand(3, generator=torch.Generator(NAME)),
    "products of integers": lambda there: there.long()[None] @ there.long()[:, None],
}


@pytest.mark.parametrize("work", FAULTS)
def test_the_pretend_device_refuses_what_a_gpu_refuses(work: str) -> None:
    with pytest.raises(AssertionError), accelerator():
        FAULTS[work](torch.ones(3, device=NAME))


UNHELD: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "a value": lambda there: there * float(there.sum()),
    "a mask": lambda there: there[there > 0],
    "the CPU's tensor": lambda there: there * torch.zeros(()),
    "to the CPU": lambda there: there.cpu(),
    "from the CPU": lambda there: there.clone().copy_(torch.ones(3)),
    "an index of the CPU": lambda there: there[[0, 2]],
    "any random number": lambda there: torch.rand_like(there),
    "another generator": lambda there: there.normal_(generator=torch.Generator(NAME)),
}


@pytest.mark.parametrize("work", UNHELD)
def test_the_pretend_device_refuses_what_a_graph_cannot_hold(work: str) -> None:
    with pytest.raises(AssertionError, match="a graph cannot hold"), accelerator():
        Graphed(lambda given: {"made": UNHELD[work](given["x"])}, torch.device(NAME))(
            {"x": torch.ones(3, device=NAME)}
        )


def test_a_graph_holds_work_and_draws_from_its_generator() -> None:
    with accelerator():
        own = torch.Generator(NAME)

        def work(given: Tensors) -> Tensors:
            return {"made": given["x"] + torch.rand(3, device=NAME, generator=own)}

        graph = Graphed(work, torch.device(NAME), own)
        assert graph({"x": torch.ones(3, device=NAME)})["made"].shape == (3,)


LITTLE = ["--threads", "1", "--num_eval", "2", "--logdir"]


@pytest.mark.slow
def test_a_run_changes_devices_and_stays_the_same(tmp_path: Path) -> None:
    flags = ["--savedir", "run", "--traj_per_itr", "2", "--batch_size", "8"]
    with accelerator():
        for place, devices_in_turn in (("here", ["cpu"] * 3), ("moved", ["cpu", NAME, "cpu"])):
            for done, device in enumerate(devices_in_turn):
                own = ["--task", small_rooms.TASK, *flags] if not done else ["--resume", *flags[:2]]
                where = ["--device", device, "--task", small_rooms.TASK, "--n_itr", str(done + 1)]
                assert main.main(["train", *LITTLE, str(tmp_path / place), *where, *own]) == 0
    assert_same_run(*(runs_of(tmp_path / place) / "run" for place in ("here", "moved")))


PLAYED = {
    "simpledoorkey": (small_rooms.TASK, ["--traj_per_itr", "2"]),
    "navpick": (small_homes.TASK, ["--traj_per_itr", "2"]),
    WORLD.lower(): (WORLD, ["--num_envs", "2", "--rollout_steps", "16"]),
}


@pytest.mark.parametrize("name", PLAYED)
def test_evaluations_films_and_pages_are_the_same(name: str, tmp_path: Path) -> None:
    task, few = PLAYED[name]
    own = [*LITTLE, str(tmp_path), "--task", task]
    new = ["--savedir", "run", "--n_itr", "1", "--batch_size", "8", "--device", "cpu", "--quick"]
    assert main.main(["train", *own, *new, *few]) == 0
    said = {}
    for device in ("cpu", NAME):
        where = [*own, "--device", device]
        with accelerator():
            assert main.main(["eval", *where, "--loaddir", "run", "--videos", "1"]) == 0
            assert main.main(["eval", *where, "--eval_teacher"]) == 0
            assert watch(tmp_path, "run", "--episodes", "2", *where[2:4], *where[6:]) == 0
        folder = tmp_path / "ppo" / name / "run"
        files = folder / "eval" / "eval.json", folder / "watch.html"
        said[device] = [file.read_text() for file in files]
    assert said["cpu"] == said[NAME]


@pytest.mark.slow
def test_the_benchmark_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "REPEATS", 1)
    monkeypatch.setattr(speeds, "EPISODE", 10)
    for table in (speeds.LABELLED_STEPS, speeds.TRAINED_STEPS):
        monkeypatch.setitem(table, NAME, 50)
    monkeypatch.setitem(bench.COUNTS, NAME, bench.COUNTS["cpu"])
    flags = ["--task", "simpledoorkey", "--num_envs", "2", "--threads", "1"]
    with accelerator():
        assert main.main(["bench", "--device", NAME, *flags]) == 0
