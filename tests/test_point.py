"""A task of another kind through the same trainer, evaluation, checkpoints and films."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from algos import checkpoint
from algos.distributions import Gaussian
from algos.episodes import Episodes
from algos.evaluator import Evaluator, evaluate, play_batches
from algos.play import play
from algos.ppo import PPO
from algos.protocols import Collector
from algos.rollout import Rollout
from algos.saved_files import CHECKPOINT, MODEL
from algos.schedule import LinearSchedule
from algos.student import Deterministic, NetworkSpec, Student, read_student
from algos.trainer import Trainer, TrainerSettings
from commands.observers.tags import tagged
from commands.viewer.film import film_of
from commands.viewer.replay import Played, Viewer
from env.episode import Episode
from env.process_envs import ProcessEnvs
from env.vector import RestingEnv, SerialEnvs
from tests.algos.test_ppo import SETTINGS
from tests.algos.test_segments import segments_of
from tests.point import PointEncoder, PointEnv, Points, PointTeacher
from utils.errors import UserError
from utils.ranks import Ranks
from utils.timing import Stopwatch

CPU = torch.device("cpu")
COUNT, ITERATIONS = 3, 4
NETWORK = NetworkSpec({"at": (2,), "goal": (2,)}, 2, continuous=True, network="point")


def one() -> Episode:
    return Episode(PointEnv())


def serial(count: int) -> RestingEnv:
    return SerialEnvs(one, count)


KINDS: list[Callable[[int], RestingEnv]] = [Points, serial, partial(ProcessEnvs, one)]


@pytest.fixture(scope="module", params=KINDS, ids=["tensors", "serial", "processes"])
def points(request: pytest.FixtureRequest) -> Iterator[RestingEnv]:
    environments = request.param(COUNT)
    yield environments
    environments.close()


def make_trainer(
    environments: RestingEnv,
    folder: Path,
    iterations: int,
    recurrent: bool = False,
    whole: bool = True,
) -> Trainer:
    """`whole` says whether rollouts hold whole episodes."""
    torch.manual_seed(0)
    spec = NetworkSpec(NETWORK.obs, 2, True, recurrent, "point")
    student = Student(spec, PointEncoder(spec))
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "batch_size": 32})
    learner = PPO(student, settings, Ranks())
    collector: Collector
    if whole:
        one_batch = partial(play, environments, student, CPU)
        least = 4 * COUNT, learner.least_steps
        collector = Episodes(one_batch, unfolded, 0, COUNT, *least, Ranks())
    else:
        collector = segments_of(environments, student, 25)
    return Trainer(
        TrainerSettings("Point", 0, iterations, COUNT, 2, 100),
        folder,
        student,
        collector,
        learner,
        PointTeacher(),
        LinearSchedule(2.0, 0.1, 0.1, 100),
        CPU,
        Ranks(),
        unfolded,
    )


def unfolded(rollout: Rollout) -> Rollout:
    return rollout


def evaluator_of(trainer: Trainer, environments: RestingEnv) -> Evaluator:
    student, teacher, seeds = trainer.student, PointTeacher(), [1, 2, 3]
    actors = student, Deterministic(student), teacher
    return Evaluator(*actors, environments, seeds, environments, seeds, 0, CPU)


@pytest.fixture(scope="module", params=[True, False], ids=["episodes", "segments"])
def expected(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bool, dict[str, torch.Tensor]]:
    """Whether rollouts hold whole episodes, and the weights that training on tensors ends with."""
    environments, folder = Points(COUNT), tmp_path_factory.mktemp("expected")
    trainer = make_trainer(environments, folder, ITERATIONS, whole=request.param)
    trainer.train(lambda: False, evaluator_of(trainer, Points(COUNT)))
    return request.param, trainer.student.state_dict()


def test_it_trains_and_resumes_alike_on_all_environments(
    points: RestingEnv, expected: tuple[bool, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    whole, end = expected
    # Nothing else may use environments whose episodes go on.
    tested = points if whole else Points(COUNT)
    first = make_trainer(points, tmp_path, ITERATIONS, whole=whole)
    first.train(lambda: first.progress.iteration == 2, evaluator_of(first, tested))
    assert checkpoint.load(tmp_path / CHECKPOINT)["progress"]["iteration"] == 2
    second = make_trainer(points, tmp_path, ITERATIONS, whole=whole)
    second.restore()
    second.train(lambda: False, evaluator_of(second, tested))
    for name, weights in second.student.state_dict().items():
        assert torch.equal(weights, end[name]), name
    student, task, iteration = read_student(tmp_path / MODEL, CPU, PointEncoder)
    assert (task, iteration, student.spec) == ("Point", ITERATIONS, NETWORK)


def test_it_is_evaluated_with_its_measures(points: RestingEnv) -> None:
    outcome = evaluate(points, PointTeacher(), [*range(10)], torch.Generator().manual_seed(0), CPU)
    assert len(outcome.success) == len(outcome.measures["way"]) == 10
    assert sum(outcome.success) > 5
    told = outcome.to_dict()
    assert told["measures"]["way"]["mean"] == pytest.approx(sum(outcome.measures["way"]) / 10)
    assert told["episodes"][3]["measures"]["way"] == outcome.measures["way"][3] > 0


def viewer(environment: Any) -> Viewer:
    return Viewer(environment, PointTeacher(), Gaussian, ("right", "down"), (), CPU)


@pytest.mark.parametrize("make", [Points, serial])
def test_it_is_filmed(make: Callable[[int], RestingEnv]) -> None:
    student, draws = Student(NETWORK, PointEncoder(NETWORK)), torch.Generator()
    played = play(make(1), student, CPU, [3], draws, Stopwatch())
    frames = film_of(viewer(make(1)), Played(3, played, 0))
    assert len(frames) == len(played) + 1 > 2
    begun = play(make(1), student, CPU, [3], torch.Generator(), Stopwatch(), limit=2)
    assert len(begun) == 2
    assert not begun.ended.any()
    short = film_of(viewer(make(1)), Played(3, begun, 0))
    assert len(short) == 3
    assert list(map(Image.Image.tobytes, short[:2])) == list(map(Image.Image.tobytes, frames[:2]))
    # The teacher's bars and the student's.
    for color in ((230, 140, 30), (50, 110, 200)):
        assert color in {color for _, color in frames[0].getcolors(1 << 20) or ()}


@pytest.mark.parametrize("make", [Points, serial])
def test_it_is_played_again_as_it_was(make: Callable[[int], RestingEnv]) -> None:
    student = Student(NETWORK, PointEncoder(NETWORK))
    seeds, draws = [3, 4, 5], torch.Generator().manual_seed(0)
    ((_, played),) = play_batches(make(3), student, seeds, draws, CPU)
    shows = viewer(make(1))
    again = [
        shows.replay(Played(seed, played, i), shows.environment.drawing)
        for i, seed in enumerate(seeds)
    ]
    moments = [moment for each in again for moment in each.moments]
    for name in ("action", "value"):
        found = torch.tensor([getattr(moment, name) for moment in moments])
        assert torch.equal(found, played.steps[name])
    policy = torch.tensor([moment.bars["student"] for moment in moments])
    assert torch.equal(policy, played.steps["policy"])
    assert torch.equal(torch.tensor([moment.reward for moment in moments]), played.reward)
    assert [each.success for each in again] == played.success.tolist()
    assert [len(each.moments) for each in again] == played.lengths.tolist()
    for each in again:
        assert len(each.views) == len(each.moments) + 1
        assert each.views[0].pictures.keys() == {"from above"}
        assert each.moments[0].plans == [(0.8, ["go to <goal>"]), (0.2, ["wait"])]
        assert each.moments[0].under_way == [0, 1]


def test_an_episode_that_is_not_the_same_again_is_refused() -> None:
    teacher, draws = PointTeacher(), torch.Generator().manual_seed(0)
    ((_, played),) = play_batches(Points(1), teacher, [3], draws, CPU)
    shows = viewer(Points(1))
    with pytest.raises(UserError, match="from the seed 4 the environment does not play the same"):
        film_of(shows, Played(4, played, 0))
    dearer = replace(played, reward=played.reward - 0.1)
    differs = r"from the seed 3 .* with a return of \d\.\d{3}, and lasted"
    with pytest.raises(UserError, match=differs):
        film_of(shows, Played(3, dearer, 0))


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_student_learns_from_advice_with_a_spread(recurrent: bool, tmp_path: Path) -> None:
    count = 5 if recurrent else 30
    trainer = make_trainer(Points(COUNT), tmp_path, count, recurrent)
    scalars = [tagged(trainer.iterate().numbers) for _ in range(count)]
    first, last = scalars[0], scalars[-1]
    assert last["Train/Kickstarting Loss"] < first["Train/Kickstarting Loss"]
    assert first["Train/Measures/way"] > 0
    if not recurrent:
        assert last["Train/Agreement"] > first["Train/Agreement"]
        assert last["Train/Return Mean"] > first["Train/Return Mean"] + 0.5


def test_a_finished_point_rests(points: RestingEnv) -> None:
    draws = torch.Generator().manual_seed(0)
    points.reset(seed=[*range(COUNT)])
    teacher = PointTeacher()
    obs, *_ = points.reset(seed=[*range(COUNT)])
    over = torch.zeros(COUNT, dtype=torch.bool)
    way = torch.zeros(COUNT)
    for _ in range(25):
        step, _ = teacher.act(obs, {}, draws)
        new, reward, terminated, truncated, info = points.step(step["action"])
        assert torch.equal(new["at"][over], obs["at"][over])
        assert torch.equal(info["measures"]["way"][over], way[over])
        assert not reward[over].any()
        assert not info["success"][over].any()
        obs, over, way = new, terminated | truncated, info["measures"]["way"].clone()
    assert over.all()


class Dying(PointEnv):
    """Ends its process with its first step."""

    def step(self, action: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


def dying() -> Episode:
    return Episode(Dying())


def test_a_process_that_dies_is_said_in_a_line_and_takes_the_others_with_it() -> None:
    environments = ProcessEnvs(dying, 2)
    environments.reset(seed=0)
    children = environments.processes.processes
    with pytest.raises(UserError, match=r"process [0-9]+ was killed by SIGKILL"):
        environments.step(torch.zeros(2, 2))
    assert not any(child.is_alive() for child in children)
    environments.close()


def test_processes_are_stopped_by_whom_they_work_for_alone() -> None:
    environments = ProcessEnvs(one, 2)
    environments.reset(seed=0)
    children = environments.processes.processes
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(children[0].pid, number)
    environments.step(torch.zeros(2, 2))
    assert all(child.is_alive() for child in children)
    # One that has died meanwhile does not keep the others from being closed.
    children[1].kill()
    children[1].join()
    environments.close()
    assert not any(child.is_alive() for child in children)


def test_processes_play_what_tensors_do_and_end_with_their_environments() -> None:
    environments, student = ProcessEnvs(one, 2), Student(NETWORK, PointEncoder(NETWORK))
    ours, theirs = (
        play(each, student, CPU, [3, 4], torch.Generator().manual_seed(1), Stopwatch())
        for each in (environments, Points(2))
    )
    assert environments.pictures().keys() == {"from above"}
    children = environments.processes.processes
    environments.close()
    assert not any(child.is_alive() for child in children)
    assert torch.equal(ours.reward, theirs.reward)
    assert torch.equal(ours.obs["at"], theirs.obs["at"])
    assert torch.equal(ours.success, theirs.success)
    assert torch.equal(ours.measures["way"], theirs.measures["way"])
