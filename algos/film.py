"""Films of an episode: what was seen, what the teacher advised, what the student thought."""

from typing import Protocol

import torch
from PIL import Image

from algos.distributions import Distribution
from algos.play import play
from algos.protocols import Actor, Environments, Teacher
from utils.tensors import Tensors
from utils.timing import Stopwatch
from utils.video import Caption, Pictures, compose


class Filmable(Environments, Protocol):
    """A single environment of which pictures can be taken, by what they show."""

    def pictures(self) -> Pictures: ...


class Recorder:
    """An actor with a camera: takes pictures before each of its steps, at most `limit` times."""

    def __init__(self, environment: Filmable, actor: Actor, limit: int | None) -> None:
        self.environment = environment
        self.actor = actor
        self.limit = limit
        self.pictures: list[Pictures] = []

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.actor.initial_state(count, device)

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        if len(self.pictures) != self.limit:
            self.pictures.append(self.environment.pictures())
        return self.actor.act(obs, state, generator)


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
    recorder = Recorder(environment, actor, limit)
    rollout = play(environment, recorder, device, [seed], generator, Stopwatch())
    advice = teacher.advise(rollout.obs, rollout.starts, torch.Generator().manual_seed(0))
    # A teacher that acts has said already what it says: a hard one would now draw anew.
    advised = rollout.steps.get("advised")
    if advised is None:
        advised = distribution.advised(advice, len(action_names))
    frames = []
    for step, pictures in enumerate(recorder.pictures):
        scene, plans = advice.explain(step)
        bars = {"teacher": advised[step].tolist()}
        if "policy" in rollout.steps:
            bars["student"] = rollout.steps["policy"][step].tolist()
        done, title = rollout.steps["action"][step], f"episode {seed}, step {step}"
        signed = done.is_floating_point()
        action = "" if signed else action_names[int(done)]
        if options:
            title = f"{title}: {options[int(rollout.steps['held'][step])]}"
        title = title if signed else f"{title}: {action}"
        caption = Caption(title, scene, plans, action_names, action, bars, signed)
        frames.append(compose(pictures, caption))
    if len(frames) == limit:
        return frames
    outcome = "success" if rollout.success[0] else "no success"
    length, total = len(rollout), rollout.returns[0]
    title = f"episode {seed}: {outcome} after {length} steps, return {total:.2f}"
    return [*frames, compose(environment.pictures(), Caption(title))]
