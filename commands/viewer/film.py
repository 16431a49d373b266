"""An episode step by step: what was seen, what the teacher advised, what the student thought."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from PIL import Image

from algos.distributions import Distribution
from algos.play import play
from algos.protocols import Actor, Environments, Teacher
from algos.rollout import Rollout
from commands.viewer.frames import Caption, Pictures, compose
from utils.tensors import Tensors
from utils.timing import Stopwatch


class Filmable(Environments, Protocol):
    """A single environment of which pictures can be taken, by what they show."""

    def pictures(self) -> Pictures: ...


class Recorder:
    """An actor with a camera: takes a look before each of its steps, at most `limit` times."""

    def __init__(self, look: Callable[[], Any], actor: Actor, limit: int | None = None) -> None:
        self.look = look
        self.actor = actor
        self.limit = limit
        self.seen: list[Any] = []

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.actor.initial_state(count, device)

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        if len(self.seen) != self.limit:
            self.seen.append(self.look())
        return self.actor.act(obs, state, generator)


class Moment(NamedTuple):
    """What there is to say of a step: the scene in words, the plans as an advice explains them,
    what each advises (the name of an action, or nothing if that is of several parts), whether
    that was done, and of each action, or each part of one, a bar for each who speaks of it."""

    scene: str
    plans: list[tuple[float, list[str], int]]
    advised: list[str]
    followed: list[bool]
    bars: dict[str, list[float]]


def narrate(
    rollout: Rollout,
    teacher: Teacher,
    distribution: type[Distribution],
    action_names: tuple[str, ...],
) -> list[Moment]:
    """Each step of a rollout; `distribution` is the student's, or what a student of this task
    would have."""
    advice = teacher.advise(rollout.obs, rollout.starts, torch.Generator().manual_seed(0))
    # A teacher that acts has said already what it says: a hard one would now draw anew.
    advised = rollout.steps.get("advised")
    if advised is None:
        advised = distribution.advised(advice, len(action_names))
    bars = {"teacher": advised}
    if "policy" in rollout.steps:
        bars["student"] = rollout.steps["policy"]
    followed = distribution.follows(rollout.steps["action"], advice).tolist()
    told = list[Moment]()
    for step, actions in enumerate(advice.actions):
        scene, plans = advice.explain(step)
        signed = actions.is_floating_point()
        names = ["" if signed else action_names[int(action)] for action in actions[: len(plans)]]
        shown = {who: shares[step].tolist() for who, shares in bars.items()}
        told.append(Moment(scene, plans, names, followed[step][: len(plans)], shown))
    return told


def film_episode(
    environment: Filmable,
    actor: Actor,
    teacher: Teacher,
    distribution: type[Distribution],
    action_names: tuple[str, ...],
    seed: int,
    generator: torch.Generator,
    device: torch.device,
    limit: int | None = None,
    options: tuple[str, ...] = (),
) -> list[Image.Image]:
    """Play one episode from a seed; returns its frames, the last one after its end.

    `distribution` is one over actions, the student's, or what a student of this task would have;
    `action_names` name the actions, or the parts of a continuous one, and `options` those that an
    actor holds, if it does. With a `limit` only that many frames, from the beginning.
    """
    recorder = Recorder(environment.pictures, actor, limit)
    rollout = play(environment, recorder, device, [seed], generator, Stopwatch())
    told = narrate(rollout, teacher, distribution, action_names)
    frames = []
    for step, pictures in enumerate(recorder.seen):
        done, title = rollout.steps["action"][step], f"episode {seed}, step {step}"
        signed = done.is_floating_point()
        action = "" if signed else action_names[int(done)]
        if options:
            title = f"{title}: {options[int(rollout.steps['held'][step])]}"
        title = title if signed else f"{title}: {action}"
        plans = [(p, ", ".join(words)) for p, words, _ in told[step].plans]
        caption = Caption(
            title, told[step].scene, plans, action_names, action, told[step].bars, signed
        )
        frames.append(compose(pictures, caption))
    if len(frames) == limit:
        return frames
    outcome = "success" if rollout.success[0] else "no success"
    length, total = len(rollout), rollout.returns[0]
    title = f"episode {seed}: {outcome} after {length} steps, return {total:.2f}"
    return [*frames, compose(environment.pictures(), Caption(title))]
