"""What a process of an environment does to the others when it fails or dies."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from env.episode import Episode
from env.process_envs import ProcessEnvs
from tests.point import PointEnv
from tests.running import ROOT
from utils.errors import UserError

STILL = torch.zeros(2, 2)
ADVICE = "install OpenGL"


class Failing(PointEnv):
    """Fails in the named method; a process exits with code 7."""

    fails_in, error = "", ""

    def reset(self, **kwargs: Any) -> Any:
        self._fail("reset")
        return super().reset(**kwargs)

    def step(self, action: Any) -> Any:
        self._fail("step")
        return super().step(action)

    def _fail(self, place: str) -> None:
        if place == self.fails_in:
            if self.error == "exit":
                os._exit(7)
            raise UserError("no scene") if self.error == "user" else KeyError("scene")


class ExitsInReset(Failing):
    fails_in, error = "reset", "exit"


class ExitsInStep(Failing):
    fails_in, error = "step", "exit"


class LacksScene(Failing):
    fails_in, error = "step", "user"


class HasBug(Failing):
    fails_in, error = "step", "bug"


def well() -> Episode:
    return Episode(PointEnv())


def exits_in_reset() -> Episode:
    return Episode(ExitsInReset())


def exits_in_step() -> Episode:
    return Episode(ExitsInStep())


def lacks_scene() -> Episode:
    return Episode(LacksScene())


def has_bug() -> Episode:
    return Episode(HasBug())


def exits_when_made() -> Episode:
    if multiprocessing.parent_process():
        sys.stderr.close()
        os._exit(7)
    return well()


@pytest.fixture
def make() -> Iterator[Callable[..., ProcessEnvs]]:
    made: list[ProcessEnvs] = []

    def processes(maker: Callable[[], Episode]) -> ProcessEnvs:
        made.append(ProcessEnvs(maker, 2, ADVICE))
        return made[-1]

    yield processes
    for each in made:
        each.close()
        assert not any(process.is_alive() for process in each.processes.processes)


def test_a_process_killed_in_one_group_is_an_error_of_the_next_step_of_another(
    make: Callable[..., ProcessEnvs],
) -> None:
    training, judging = make(well), make(well)
    training.reset(seed=0)
    judging.reset(seed=0)
    victim = judging.processes.processes[1]
    victim.kill()
    victim.join()
    with pytest.raises(UserError, match=f"process {victim.pid} was killed by SIGKILL") as error:
        training.step(STILL)
    assert "\n" not in str(error.value)
    assert not any(process.is_alive() for process in training.processes.processes)


def test_a_closed_group_is_no_error_of_another(make: Callable[..., ProcessEnvs]) -> None:
    training, judging = make(well), make(well)
    training.reset(seed=0)
    judging.close()
    training.step(STILL)


def test_an_exit_before_the_first_episode_comes_with_advice(
    make: Callable[..., ProcessEnvs],
) -> None:
    with pytest.raises(UserError, match=f"exited with code 7; {ADVICE}$"):
        make(exits_in_reset).reset(seed=0)
    with pytest.raises(UserError, match=f"exited with code 7; {ADVICE}$"):
        make(exits_when_made)


def test_a_later_exit_comes_without_that_advice(make: Callable[..., ProcessEnvs]) -> None:
    environments = make(exits_in_step)
    environments.reset(seed=0)
    with pytest.raises(UserError, match=r"exited with code 7$"):
        environments.step(STILL)


def test_an_error_of_the_user_is_raised_as_it_is_and_printed_nowhere(
    make: Callable[..., ProcessEnvs], capfd: pytest.CaptureFixture[str]
) -> None:
    environments = make(lacks_scene)
    environments.reset(seed=0)
    with pytest.raises(UserError, match=r"^no scene$"):
        environments.step(STILL)
    environments.close()
    assert capfd.readouterr() == ("", "")


def test_a_bug_shows_the_traceback_of_its_process_once(
    make: Callable[..., ProcessEnvs], capfd: pytest.CaptureFixture[str]
) -> None:
    environments = make(has_bug)
    environments.reset(seed=0)
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*_fail.*KeyError: 'scene'"):
        environments.step(STILL)
    assert capfd.readouterr() == ("", "")


def test_signals_of_the_terminal_are_left_to_the_main_process(
    make: Callable[..., ProcessEnvs],
) -> None:
    environments = make(well)
    environments.reset(seed=0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(environments.processes.processes[0].pid, number)
    environments.step(STILL)


def start_with_files_of_at_most(size: int) -> subprocess.CompletedProcess[str]:
    """Make environments where no file can have more bytes: writing fails as on a full disk."""
    source = """
from env.process_envs import ProcessEnvs
from tests.env.test_process_envs import well
environments = ProcessEnvs(well, 2)
environments.reset(seed=0)
environments.close()
"""
    return subprocess.run(
        [sys.executable, "-B", "-c", source],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def test_observations_need_no_disk() -> None:
    made = start_with_files_of_at_most(100)
    assert (made.returncode, made.stderr) == (0, "")


def test_without_room_for_locks_a_line_says_where_it_is_needed() -> None:
    made = start_with_files_of_at_most(8)
    assert made.returncode == 1
    last = made.stderr.splitlines()[-1]
    assert last.startswith("utils.errors.UserError: cannot start environment processes: ")
    assert last.endswith("they need space in /dev/shm")
    assert "Exception ignored" not in made.stderr
