"""Films of an episode: what the agent saw, what the teacher said, what the student thought."""

from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from algos.rollout import Actor, Environments, play
from utils.timing import Stopwatch
from utils.video import Caption, Pictures, compose


class Studio(Environments, Protocol):
    """A single room of which pictures can be taken, by what they show."""

    def pictures(self) -> Pictures: ...


class Explained(Protocol):
    """A teacher's labels that can be put in words: a step's scene, its plans with their shares."""

    @property
    def distribution(self) -> Tensor: ...

    def explain(self, step: int) -> tuple[str, list[tuple[float, str]]]: ...


class Narrator(Protocol):
    """A teacher, asked for what it would have said at each step of an episode."""

    def label(self, obs: Tensor, starts: Tensor, generator: torch.Generator) -> Explained: ...


class Filmed:
    """An actor whose room is photographed before each of its steps, at most `limit` times."""

    def __init__(self, studio: Studio, actor: Actor, limit: int | None) -> None:
        self.studio = studio
        self.actor = actor
        self.limit = limit
        self.pictures: list[Pictures] = []

    def initial_state(self, count: int, device: torch.device) -> Tensor:
        return self.actor.initial_state(count, device)

    def act(
        self, obs: Tensor, state: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        if len(self.pictures) != self.limit:
            self.pictures.append(self.studio.pictures())
        return self.actor.act(obs, state, generator)


def film_episode(
    studio: Studio,
    actor: Actor,
    teacher: Narrator,
    action_names: tuple[str, ...],
    seed: int,
    generator: torch.Generator,
    device: torch.device,
    limit: int | None = None,
) -> list[Image.Image]:
    """Play one episode in the room of `seed`; returns its frames, the last one after its end.

    With a `limit` only that many frames, from the beginning.
    """
    filmed = Filmed(studio, actor, limit)
    rollout = play(studio, filmed, device, [seed], generator, Stopwatch())
    labels = teacher.label(rollout.obs, rollout.starts, torch.Generator().manual_seed(0))
    # A teacher that acts has said already what it says: a hard one would now draw anew.
    said = rollout.steps.get("label", labels.distribution)
    frames = []
    for step, pictures in enumerate(filmed.pictures):
        scene, plans = labels.explain(step)
        bars = {"teacher": said[step].tolist()}
        if "probabilities" in rollout.steps:
            bars["student"] = rollout.steps["probabilities"][step].tolist()
        action = action_names[int(rollout.steps["action"][step])]
        title = f"room {seed}, step {step}: {action}"
        frames.append(compose(pictures, Caption(title, scene, plans, action_names, action, bars)))
    if len(frames) == limit:
        return frames
    outcome = "success" if rollout.success[0] else "no success"
    title = f"room {seed}: {outcome} after {len(rollout)} steps, return {rollout.returns[0]:.2f}"
    return [*frames, compose(studio.pictures(), Caption(title))]
