"""Any MiniGrid or BabyAI environment, with a map of what the agent has seen and its mission."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Literal, cast

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from minigrid.envs.babyai.core.levelgen import LevelGen
from minigrid.minigrid_env import MiniGridEnv

from env.missions import MOST_CLAUSES, MOST_WORDS, VOCABULARY, to_numbers
from env.progress import Code, Pose, Progress
from env.symbols import EMPTY, NO_AGENT, UNSEEN

Memory = Literal["map", "none"]
Observation = dict[str, np.ndarray]


class World(gym.Wrapper[Any, Any, Any, Any]):
    """Wraps a MiniGridEnv. Observations are uint8 arrays by name:

    - `image` (width, height, 4): the map as the agent remembers it, like that of `DoorKeyRoom`:
      type, colour and state of each cell as last seen, zeros if never seen. The last channel is the
      agent's direction at its own cell, and 4 elsewhere. Its own cell shows what it carries.
    - `mission` (MOST_WORDS,): the words of the mission as numbers.
    - `done` (MOST_CLAUSES,): 1 for each clause of the mission that has been carried out.
    - `start` (3,): x, y and direction at the start.
    - `view` (V, V, 3), only with memory "none": what the agent sees now, as MiniGrid encodes it.

    An episode is a success if it terminates with a positive reward. `max_steps` is the most steps
    of any episode; an episode with a shorter mission may be cut off earlier.
    """

    def __init__(self, env: gym.Env[Any, Any], memory: Memory = "map") -> None:
        super().__init__(env)
        self.inner = cast(MiniGridEnv, env.unwrapped)
        self.memory = memory
        size, view = (self.inner.width, self.inner.height), self.inner.agent_view_size
        spaces: dict[str, gym.Space[Any]] = {
            "image": Box(0, 255, (*size, 4), np.uint8),
            "mission": Box(0, len(VOCABULARY), (MOST_WORDS,), np.uint8),
            "done": Box(0, 1, (MOST_CLAUSES,), np.uint8),
            "start": Box(0, 255, (3,), np.uint8),
        }
        if memory == "none":
            spaces["view"] = Box(0, 255, (view, view, 3), np.uint8)
        self.observation_space = gym.spaces.Dict(spaces)
        self.max_steps = self._most_steps()

    def _most_steps(self) -> int:
        """MiniGrid's limit. BabyAI sets one for each mission: so many steps for each walk."""
        if not self.inner.max_steps:
            self._quiet_reset(seed=0)
        limit = self.inner.max_steps
        if isinstance(self.inner, LevelGen) and not self.inner.fixed_max_steps:
            clauses = {"action": 1, "and": 2, "seq": MOST_CLAUSES}
            walks = max(clauses[kind] for kind in self.inner.instr_kinds)
            walks *= 2 if "putnext" in self.inner.action_kinds else 1
            rooms = self.inner.num_rows * self.inner.num_cols
            limit = walks * self.inner.room_size**2 * rooms
        return int(limit)

    def _quiet_reset(self, **kwargs: Any) -> None:
        # BabyAI prints a line for each layout that it draws again.
        with redirect_stdout(StringIO()):
            self.env.reset(**kwargs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        self._quiet_reset(seed=seed, options=options)
        self._map = np.zeros((self.inner.width, self.inner.height, 4), np.uint8)
        self._map[..., 3] = NO_AGENT
        self._mission = to_numbers(self.inner.mission)
        self._start = np.array(self._pose, np.uint8)
        # BabyAI may change the room after its own reset has made an observation.
        self._remember(self.inner.gen_obs()["image"])
        self.progress = Progress(self.inner.mission, self._pose, self._map, self._held)
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._remember(observation["image"])
        self.progress.step(int(action), self._pose, self._held)
        info["success"] = bool(terminated and reward > 0)
        return self._observation(), float(reward), bool(terminated), bool(truncated), info

    @property
    def _pose(self) -> Pose:
        x, y = self.inner.agent_pos
        return int(x), int(y), int(self.inner.agent_dir)

    @property
    def _held(self) -> Code | None:
        kind, color = self._view[len(self._view) // 2, -1, :2].tolist()
        return None if kind == EMPTY else (kind, color)

    def _remember(self, view: np.ndarray) -> None:
        """Put a partial view (V, V, 3) into the map, except the agent's own cell.

        A view shows there what the agent carries. So the map keeps what it saw there last.
        """
        self._view = view
        left, top, right, bottom = self.inner.get_view_exts()
        turned = np.rot90(view, self.inner.agent_dir + 1)
        x0, y0 = max(left, 0), max(top, 0)
        part = turned[x0 - left : self.inner.width - left, y0 - top : self.inner.height - top]
        place = self._map[x0:right, y0:bottom, :3]
        x, y = self.inner.agent_pos
        own = self._map[x, y, :3].copy()
        np.copyto(place, part, where=part[..., :1] != UNSEEN)
        self._map[x, y, :3] = own if own[0] != UNSEEN else (EMPTY, 0, 0)

    def _observation(self) -> Observation:
        x, y, direction = self._pose
        image = self._map.copy()
        image[x, y, :3] = self._view[len(self._view) // 2, -1]
        image[x, y, 3] = direction
        seen = {
            "image": image,
            "mission": self._mission,
            "done": self.progress.done.copy(),
            "start": self._start,
        }
        if self.memory == "none":
            seen["view"] = self._view
        return seen


def make_world(env_id: str, memory: Memory = "map", render: bool = False) -> World:
    """The environment of an id behind `World`. With `render`, pictures can be taken of it."""
    mode = "rgb_array" if render else None
    return World(gym.make(env_id, render_mode=mode, disable_env_checker=True), memory)
