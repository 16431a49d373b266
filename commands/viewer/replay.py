"""Replays: an episode that was played is stepped through once more, to show and explain it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from algos.distributions import Distribution
from algos.hierarchical import values
from algos.protocols import Teacher
from algos.rollout import Rollout
from env.vector import RestingEnv
from utils.errors import UserError
from utils.tensors import Tensors, join, move, rows
from utils.terminal import counted

TOLERANCE = 1e-3
"""Returns that differ by less are equal: in a batch an environment may round differently."""
View = TypeVar("View")


class Played(NamedTuple):
    """One episode of a rollout: its number there, and the seed of its environment."""

    seed: int
    rollout: Rollout
    number: int


class Moment(NamedTuple):
    """One step of an episode, as plain values.

    Each plan has its probability and its options as text. `under_way` is the index of the option
    that each plan follows, or their number once all are finished. `advised` is the action of each
    plan ("" if actions are continuous), `followed` whether the actor took it. `bars` holds the
    probability of each action, or the mean of each part of a continuous one, for "teacher" and
    "student". `held` is the option of a hierarchical student, `value` what its critic estimates.
    """

    scene: str
    plans: list[tuple[float, list[str]]]
    under_way: list[int]
    advised: list[str]
    followed: list[bool]
    bars: dict[str, list[float]]
    action: Any
    held: str | None
    value: float | None
    reward: float


@dataclass
class Replay(Generic[View]):
    """T steps of an episode: T moments, and T + 1 views, the last one after them."""

    seed: int
    outcome: str
    success: bool
    total: float
    moments: list[Moment]
    views: list[View]


@dataclass(frozen=True)
class Viewer:
    """Replays episodes in a single `environment`, where `teacher` explains each step.

    `distribution` is the policy's over actions; `option_names` are those of a hierarchical student.
    """

    environment: RestingEnv
    teacher: Teacher
    distribution: type[Distribution]
    action_names: tuple[str, ...]
    option_names: tuple[str, ...]
    device: torch.device

    def replay(self, episode: Played, look: Callable[[], View]) -> Replay[View]:
        """Repeat an episode's actions from its seed, with a `look` before each step and one after
        the last.

        UserError if the episode ends differently: the environment does not depend on its seed
        alone.
        """
        played, number = episode.rollout, episode.number
        steps = rows(played.steps, (played.segment == number).nonzero()[:, 0])
        views, seen, rewards = list[View](), list[Tensors](), list[Tensor]()
        success = ended = False
        obs, _ = self.environment.reset(seed=[episode.seed])
        for action in steps["action"]:
            if ended:
                break
            views.append(look())
            seen.append(move(obs, self.device))
            obs, reward, terminated, truncated, info = self.environment.step(action[None])
            rewards.append(reward)
            success |= bool(info["success"])
            ended = bool(terminated | truncated)
        views.append(look())

        before = float(played.returns[number])
        now = float(torch.cat(rewards).sum())
        same = ended == bool(played.ended[number]) and len(rewards) == len(steps["action"])
        same &= success == bool(played.success[number])
        if not (same and abs(now - before) <= TOLERANCE * (1 + abs(before))):
            lasts = f"{'' if ended else 'more than '}{counted(len(rewards), 'step')}"
            raise UserError(
                f"from the seed {episode.seed} the environment does not play the same episode "
                f"again: it lasts {lasts} with a return of {now:.3f}, and lasted "
                f"{len(steps['action'])} with a return of {before:.3f}"
            )
        moments = self._explain(join(seen), steps, torch.cat(rewards).tolist())
        outcome = _outcome(success, ended, bool(played.terminated[number]))
        return Replay(episode.seed, outcome, success, before, moments, views)

    def _explain(self, obs: Tensors, steps: Tensors, rewards: list[float]) -> list[Moment]:
        starts = torch.zeros(len(rewards), dtype=torch.bool, device=self.device)
        starts[0] = True
        advice = self.teacher.advise(obs, starts, torch.Generator().manual_seed(0))
        # A teacher that acts recorded its advice: a hard one would draw another plan now.
        advised = steps.get("advised")
        if advised is None:
            advised = self.distribution.advised(advice, len(self.action_names))
        bars = {"teacher": advised}
        if "policy" in steps:
            bars["student"] = steps["policy"]
        followed = self.distribution.follows(steps["action"], advice).tolist()
        estimates = values(steps)
        moments = []
        for step, actions in enumerate(advice.actions):
            scene, plans = advice.explain(step)
            moment = Moment(
                scene=scene,
                plans=[(probability, options) for probability, options, _ in plans],
                under_way=[index for *_, index in plans],
                advised=[self._name(action) for action in actions[: len(plans)]],
                followed=followed[step][: len(plans)],
                bars={actor: shares[step].tolist() for actor, shares in bars.items()},
                action=steps["action"][step].tolist(),
                held=self.option_names[int(steps["held"][step])] if "held" in steps else None,
                value=None if estimates is None else float(estimates[step]),
                reward=rewards[step],
            )
            moments.append(moment)
        return moments

    def _name(self, action: Tensor) -> str:
        return "" if action.is_floating_point() else self.action_names[int(action)]


def _outcome(success: bool, ended: bool, terminated: bool) -> str:
    if success:
        return "success"
    if not ended:
        return "unfinished"
    return "failed" if terminated else "timed out"
