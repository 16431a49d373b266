"""Nav & Pick as tensors: N robots in N homes at once, on the CPU or a GPU.

A step does the same few operations on all homes. Python reads no value of a
tensor, and the state is updated in place, so a CUDA graph can hold a step.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from env.drawing import Drawing
from env.nav_pick import robot
from env.nav_pick.camera import DepthCamera
from env.nav_pick.homes import Home, describe, draw_homes, start_in_reach
from env.nav_pick.layout import HALF_OBJECT
from env.nav_pick.paths import draw_paths, way
from env.nav_pick.pictures import home_drawing, map_picture, view_picture
from env.nav_pick.rewards import LIFT, Rewards, chosen
from env.nav_pick.robot_state import (
    ACTIONS,
    DRIVEN,
    FORWARD,
    GRIP,
    HAND_MOVE,
    PRIVILEGED_SIZE,
    REACHED,
    REST,
    STATE_SIZE,
    TURN,
    TURNED,
    is_faced,
    is_near,
)
from env.spec import Spec
from env.vector import RestingEnv, Seeds, Step
from utils.tensors import Tensors

HALF = HALF_OBJECT / 100
SUBTASKS = "navigate", "pick"
MEASURES = "collisions", "path_length", "spl", "clean_success"


class NavPickHomes(RestingEnv):
    """N homes. The package explains observations, actions, units and frames.

    Returned tensors are new ones. There are `layouts` different layouts, numbered from
    `first_layout`, or endless ones if `layouts` is 0. So `first_layout=10, layouts=0` shares none
    with `layouts=10`. An episode ends after `max_collisions` steps with a contact. `sparse` rewards
    only success. The `subtask` `navigate` ends when the object is near and faced; `pick` starts
    there. ValueError for a setting out of range.
    """

    render_mode = None
    capturable = True

    @staticmethod
    def describe(
        depth_size: int = 64,
        max_steps: int = 300,
        state: int = STATE_SIZE,
        privileged: int = PRIVILEGED_SIZE,
        actions: int = len(ACTIONS),
        **_: Any,
    ) -> Spec:
        """The spaces and the step limit of homes with these settings, from sizes of vectors."""
        spaces: dict[str, gym.Space[Any]] = {
            "depth": gym.spaces.Box(0, 1, (depth_size, depth_size, 1), np.float32),
            "state": gym.spaces.Box(-np.inf, np.inf, (state,), np.float32),
            "privileged": gym.spaces.Box(-np.inf, np.inf, (privileged,), np.float32),
        }
        action = gym.spaces.Box(-1, 1, (actions,), np.float32)
        return Spec(gym.spaces.Dict(spaces), action, max_steps)

    def __init__(
        self,
        num_envs: int,
        layouts: int = 10,
        first_layout: int = 0,
        depth_size: int = 64,
        max_steps: int = 300,
        max_collisions: int = 50,
        rewards: Rewards | None = None,
        sparse: bool = False,
        subtask: str | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        for name, value, least in (
            ("layouts", layouts, 0),
            ("first_layout", first_layout, 0),
            ("depth_size", depth_size, 1),
            ("max_steps", max_steps, 1),
            ("max_collisions", max_collisions, 1),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if subtask not in (None, *SUBTASKS):
            raise ValueError(f"subtask must be one of {', '.join(SUBTASKS)}, not {subtask!r}")
        super().__init__(num_envs, self.describe(depth_size, max_steps))
        self.subtask = subtask
        self.layouts, self.first_layout = layouts, first_layout
        self.max_steps, self.max_collisions = max_steps, max_collisions
        self.rewards = chosen(rewards, sparse, subtask)
        self.device = torch.device(device)
        self._camera = DepthCamera(depth_size, self.device)
        self._shoulder = torch.tensor(robot.SHOULDER, device=self.device)

        homes = draw_homes(torch.zeros(num_envs, dtype=torch.int64, device=self.device))
        self._home: Tensors = {**homes, **draw_paths(homes)}
        """Constant during an episode."""
        self._now: Tensors = self._begin(self._home)
        """Changes with every step."""
        self._now["terminated"].fill_(True)
        # The places of the first robot, for pictures.
        self._trail = torch.zeros(max_steps + 1, 2, device=self.device)

    @property
    def bytes_each(self) -> int:
        """The bytes that one home keeps between steps."""
        return sum(t[0].nbytes for t in (*self._home.values(), *self._now.values()))

    def home(self, i: int) -> Home:
        """The i-th home, as it was drawn."""
        return describe(self._home, i)

    def pictures(self) -> dict[str, np.ndarray]:
        """The camera's view in the first home, and a map of it."""
        now, depth = self._first()
        trail = self._trail[: int(now["steps"]) + 1].cpu()
        return {"depth": view_picture(depth), "map": map_picture(self.home(0), now, trail)}

    def drawing(self) -> Drawing:
        """A drawing of the first home for a web page."""
        return home_drawing(self.home(0), *self._first())

    def _first(self) -> tuple[Tensors, Tensor]:
        """The state of the first home, with the hand's place in it, and the view (H, W, 1)."""
        state = {**self._now, "hand": self._hand_place()}
        now = {name: tensor[0].cpu() for name, tensor in state.items()}
        return now, self._depth(slice(0, 1))[0].cpu()

    def step(self, actions: Any) -> Step:
        """One step of every home that does not rest; `actions` (N, 6) are clipped to [-1, 1].

        Returns observations, rewards (N,) float32, terminations and truncations (N,) bool, and a
        dictionary: `success` (N,) bool in this step, and the `measures` of the episodes.
        """
        now = self._now
        resting = now["terminated"] | (now["steps"] >= self.max_steps)
        action = self._checked(actions).clamp(-1, 1) * ~resting[:, None]
        before = now["remaining"].clone()

        now["steps"] += ~resting
        now["heading"] += action[:, TURN] * TURNED
        length = action[:, FORWARD] * DRIVEN
        command = torch.stack([length * now["heading"].cos(), length * now["heading"].sin()], 1)
        move, contact = self._move_base(command)
        now["position"] += move
        now["contact"].copy_(torch.where(resting, now["contact"], contact))
        now["collisions"] += contact
        now["path_length"] += move.square().sum(1).sqrt()
        self._move_hand(action, resting)

        self._look_ahead()
        seen = self._observation()
        success = self._has_succeeded(seen["state"]) & ~resting
        reward = before - now["remaining"] + self.rewards.success * success
        reward -= self.rewards.contact * contact + self.rewards.time * ~resting
        now["terminated"] |= success | (now["collisions"] >= self.max_collisions)
        shortest = now["shortest"].clamp(min=1e-6)
        now["spl"] += success * shortest / torch.maximum(shortest, now["path_length"])
        now["clean_success"] += success & (now["collisions"] == 0)
        flags = now["terminated"].clone(), now["steps"] >= self.max_steps
        self._trail.index_copy_(0, now["steps"][:1], now["position"][:1])
        measures = {name: now[name].clone() for name in MEASURES}
        return seen, reward, *flags, {"success": success, "measures": measures}

    def _has_succeeded(self, state: Tensor) -> Tensor:
        if self.subtask == "navigate":
            return is_near(state) & is_faced(state)
        lift = self._home["object"][:, 2] + LIFT - self._now["object"][:, 2]
        return self._now["holding"] & (lift <= 0)

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        places = torch.arange(self.num_envs, device=self.device)
        if mask is not None:
            places = places[torch.as_tensor(mask, dtype=torch.bool, device=self.device)]
        seeds = self._seed_words(seed, self.device)[places]
        homes = draw_homes(seeds, self.layouts, self.first_layout)
        homes |= draw_paths(homes)
        if self.subtask == "pick":
            homes["start"] = start_in_reach(homes, seeds)
        for state, fresh in ((self._home, homes), (self._now, self._begin(homes))):
            for name, tensor in state.items():
                tensor.index_copy_(0, places, fresh[name])
        self._look_ahead()
        now = self._now
        now["shortest"].index_copy_(0, places, now["distance"][places])
        self._furnish()
        self._trail.index_copy_(0, now["steps"][:1], now["position"][:1])
        return self._observation()

    def _begin(self, homes: Tensors) -> Tensors:
        """The initial state of M episodes."""
        start = homes["start"]
        zero = torch.zeros_like(start[:, 0])
        no = torch.zeros_like(zero, dtype=torch.bool)
        return {
            "position": start[:, :2].clone(),
            "heading": start[:, 2].clone(),
            "hand": torch.tensor(REST, device=self.device).repeat(len(start), 1),
            "object": homes["object"].clone(),
            "holding": no,
            "contact": no.clone(),
            "terminated": no.clone(),
            "steps": torch.zeros_like(zero, dtype=torch.int64),
            "target": start[:, :2].clone(),
            **{name: zero.clone() for name in ("distance", "remaining", "shortest")},
            **{name: zero.clone() for name in MEASURES},
        }

    def _furnish(self) -> None:
        """Build what a simulator needs after homes were drawn."""

    def _move_base(self, command: Tensor) -> tuple[Tensor, Tensor]:
        """The moves (N, 2) that bases make for a `command` (N, 2), and contacts (N,) bool."""
        boxes = self._home["boxes"]
        return robot.slide(self._now["position"], command, boxes[..., :2], boxes[..., 3:5])

    def _move_hand(self, action: Tensor, resting: Tensor) -> None:
        """Move the hand, open or close it, and move the object with it."""
        now = self._now
        told = now["hand"] + action[:, HAND_MOVE] * REACHED
        hand = robot.within_reach(told, self._shoulder)
        now["hand"].copy_(torch.where(resting[:, None], now["hand"], hand))
        place = self._hand_place()
        near = (now["object"] - place).square().sum(1) <= robot.GRASP**2
        holds = (action[:, GRIP] > 0) & (now["holding"] | near)
        holds = torch.where(resting, now["holding"], holds)
        now["object"].copy_(self._move_object(place, holds))
        now["holding"].copy_(holds)

    def _move_object(self, place: Tensor, holds: Tensor) -> Tensor:
        """The object's place (N, 3) after this step, from the hand's `place` (N, 3) and whether the
        hand `holds` it (N,) bool."""
        now = self._now
        falls = now["holding"] & ~holds
        thing = torch.where(holds[:, None], place, now["object"])
        height = HALF + robot.ground(thing, self._home["boxes"])
        thing[:, 2].copy_(torch.where(falls, height, thing[:, 2]))
        return thing

    def _look_ahead(self) -> None:
        """Update the shortest path and the reward that remains."""
        now, home = self._now, self._home
        distance, target = way(now["position"], home["boxes"], home["nodes"], home["costs"])
        now["distance"].copy_(distance)
        now["target"].copy_(target)
        apart = (now["object"] - self._hand_place()).square().sum(1).sqrt()
        lift = (home["object"][:, 2] + LIFT - now["object"][:, 2]).clamp(min=0)
        now["remaining"].copy_(self.rewards.remaining(distance, apart, lift, now["holding"]))

    def _hand_place(self) -> Tensor:
        """The hand's place (N, 3) in the home."""
        now = self._now
        place = robot.to_world(now["hand"], now["heading"])
        return torch.cat([now["position"] + place[:, :2], place[:, 2:]], 1)

    def _depth(self, which: slice = slice(None)) -> Tensor:
        now, boxes = self._now, self._home["boxes"]
        names = "position", "heading", "object"
        position, heading, thing = (now[name][which] for name in names)
        return self._camera(position, heading, boxes[which], thing, HALF)

    def _observation(self) -> Tensors:
        now, home = self._now, self._home
        heading, hand = now["heading"], now["hand"]
        floor = torch.cat([now["position"], torch.zeros_like(heading)[:, None]], 1)
        thing = robot.to_base(home["object"] - floor, heading)
        rest = [now["holding"], now["contact"], 1 - now["steps"] / self.max_steps]
        turned = torch.atan2(heading.sin(), heading.cos())
        ahead = robot.to_base(now["target"] - now["position"], heading)
        pose = [now["position"], turned[:, None], ahead, now["distance"][:, None]]
        return {
            "depth": self._depth(),
            "state": torch.cat([hand, thing, thing - hand, torch.stack(rest, 1)], 1),
            "privileged": torch.cat(pose, 1),
        }

    def _checked(self, actions: Any) -> Tensor:
        action = torch.as_tensor(actions, device=self.device)
        if action.shape != (self.num_envs, len(ACTIONS)) or not action.is_floating_point():
            kind = f"{action.dtype} {tuple(action.shape)}"
            raise ValueError(
                f"actions must be {self.num_envs} times {len(ACTIONS)} floating-point numbers, "
                f"not {kind}"
            )
        return action.float()
