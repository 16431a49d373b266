"""Any MiniGrid or BabyAI environment, with a map of what the agent has seen and its mission."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Literal, cast

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from minigrid.envs.babyai.core.levelgen import LevelGen
from minigrid.minigrid_env import MiniGridEnv

from env.drawing import Drawing
from env.ids import find_spec
from env.map_pictures import both_pictures, map_drawing, memory_picture
from env.missions import MOST_CLAUSES, MOST_WORDS, VOCABULARY, to_numbers
from env.progress import Progress
from env.remembered_map import RememberedMap

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
    - `privileged`, only if asked for: a map like `image`, for a teacher that sees all cells as they
      are; or the `teacher_map()` of an environment that has one.

    An episode is a success if it terminates with a positive reward. `max_steps` is the most steps
    of any episode; an episode with a shorter mission may be cut off earlier.
    """

    def __init__(
        self, env: gym.Env[Any, Any], memory: Memory = "map", privileged: bool = False
    ) -> None:
        super().__init__(env)
        self.inner = cast(MiniGridEnv, env.unwrapped)
        self.memory = memory
        # The project's own rooms have a map already, and one of them makes its agent forget.
        self.remembered = getattr(self.inner, "remembered", None) or RememberedMap(self.inner)
        self.inner.gen_obs = self._look  # type: ignore[method-assign]
        view = self.inner.agent_view_size
        spaces: dict[str, gym.Space[Any]] = {
            "image": Box(0, 255, self.remembered.cells.shape, np.uint8),
            "mission": Box(0, len(VOCABULARY), (MOST_WORDS,), np.uint8),
            "done": Box(0, 1, (MOST_CLAUSES,), np.uint8),
            "start": Box(0, 255, (3,), np.uint8),
        }
        if memory == "none":
            spaces["view"] = Box(0, 255, (view, view, 3), np.uint8)
        self.privileged = privileged
        self._teacher_map = getattr(self.inner, "teacher_map", self.remembered.whole)
        if privileged:
            spaces["privileged"] = spaces["image"]
        self.observation_space = gym.spaces.Dict(spaces)
        self.max_steps = self._most_steps()

    def _look(self) -> dict[str, Any]:
        """MiniGrid observes after each reset and step. It need not: `_observation` does."""
        self.remembered.look()
        return {}

    def _most_steps(self) -> int:
        """MiniGrid's limit, or Gymnasium's if that is lower. BabyAI sets one for each mission: so
        many steps for each walk."""
        if not self.inner.max_steps:
            self._quiet_reset(seed=0)
        limit = self.inner.max_steps
        if isinstance(self.inner, LevelGen) and not self.inner.fixed_max_steps:
            clauses = {"action": 1, "and": 2, "seq": MOST_CLAUSES}
            walks = max(clauses[kind] for kind in self.inner.instr_kinds)
            walks *= 2 if "putnext" in self.inner.action_kinds else 1
            rooms = self.inner.num_rows * self.inner.num_cols
            limit = walks * self.inner.room_size**2 * rooms
        spec = self.env.spec
        return int(min(limit, spec.max_episode_steps or limit) if spec else limit)

    def _quiet_reset(self, **kwargs: Any) -> None:
        # BabyAI prints a line for each layout that it draws again.
        with redirect_stdout(StringIO()):
            self.env.reset(**kwargs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        self._quiet_reset(seed=seed, options=options)
        # BabyAI may change the room after its own reset has made an observation.
        self.remembered.forget()
        self.remembered.look()
        self.progress = Progress(self.inner.mission, self.remembered)
        self._mission = to_numbers(self.inner.mission)
        self._start = np.array(self.remembered.pose, np.uint8)
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        _, reward, terminated, truncated, info = self.env.step(action)
        self.progress.step(int(action))
        info.setdefault("success", bool(terminated and float(reward) > 0))
        return self._observation(), float(reward), bool(terminated), bool(truncated), info

    def _observation(self) -> Observation:
        seen = {
            "image": self.remembered.image(),
            "mission": self._mission,
            "done": self.progress.done.copy(),
            "start": self._start,
        }
        if self.memory == "none":
            seen["view"] = self.remembered.view()
        if self.privileged:
            seen["privileged"] = self._teacher_map()
        return seen

    def render(self) -> np.ndarray:
        """The environment as the agent remembers it, (height, width, 3) uint8."""
        return memory_picture(self.remembered)

    def pictures(self) -> dict[str, np.ndarray]:
        """The agent's memory, and the environment itself, (height, width, 3) uint8 each, by
        title."""
        return both_pictures(self.remembered)

    def drawing(self) -> Drawing:
        """The environment, the agent's memory, and the mission, for the script of a page."""
        drawing = map_drawing(self.remembered)
        done = [int(self.progress.done.sum()), len(self.progress.clauses)]
        return drawing._replace(
            place={**drawing.place, "mission": self.inner.mission},
            now={**drawing.now, "clauses": done},
        )


def make_world(
    env_id: str, memory: Memory = "map", render: bool = False, privileged: bool = False
) -> World:
    """The environment of an id behind `World`. With `render`, pictures can be taken of it."""
    mode = "rgb_array" if render else None
    made = gym.make(find_spec(env_id), render_mode=mode, disable_env_checker=True)
    return World(made, memory, privileged)
