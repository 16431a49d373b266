"""The tasks of `env.rooms` for N rooms at once, in pure PyTorch, on the CPU or a GPU.

A room is two rows of cells (`env.layouts`): the room itself and the agent's memory. Cell 0 of the
memory is a dump: nothing reads it. A step does the same few operations on all rooms. It reads no
value in Python and changes its state in place, so a CUDA graph can hold it. A pose is
4 * cell + direction. Tables give the cells in view, the cell in front and the next pose for each
pose.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from env.layouts import COLOR, DARK, DIRECTION, FIRE, FLOOR, STATE, STONE, Layouts, Place, word
from env.spec import Spec
from env.symbols import (
    ACTIONS,
    COLORS,
    DONE,
    DOOR,
    DROP,
    FORWARD,
    KEY,
    LOCKED,
    NO_AGENT,
    PICK_UP,
    TOGGLE,
    WALL,
)
from env.vector import RestingEnv, Seeds, Step
from env.visibility import pose_tables, spread_light
from utils import devices
from utils.tensors import Tensors

# A cell with one of these bits is opaque. In these rooms only walls and locked doors have one.
OPAQUE = WALL | LOCKED << STATE
# A locked door's word minus the word of its key.
FITS = word(DOOR, 0, LOCKED) - word(KEY)
UNLOCK = LOCKED << STATE


class DoorKeyRooms(RestingEnv):
    """N rooms of `env.rooms.DoorKeyRoom`. Subclasses are the other tasks of `env.rooms`.

    Observations are an `image` (N, W, H, 4) uint8 on `device`, and with `privileged` a second map
    of that name, of all cells as they are. All returned tensors are new.
    A seed gives another layout than MiniGrid's, from the same distribution. In the same layout
    every step equals MiniGrid's to the bit.
    """

    render_mode = None
    capturable = True
    """A CUDA graph can hold a step."""

    @staticmethod
    def describe(
        grid_size: int = 10,
        max_steps: int = 150,
        agent_view_size: int = 3,
        privileged: bool = False,
        **_: Any,
    ) -> Spec:
        """The spec of rooms with these settings."""
        image = gym.spaces.Box(0, 255, (grid_size, grid_size, 4), np.uint8)
        maps: dict[str, gym.Space[Any]] = {"image": image}
        if privileged:
            maps["privileged"] = image
        actions = gym.spaces.Discrete(len(ACTIONS))
        return Spec(gym.spaces.Dict(maps), actions, max_steps, agent_view_size)

    def __init__(
        self,
        num_envs: int,
        grid_size: int = 10,
        min_size: int = 5,
        max_size: int = 10,
        max_steps: int = 150,
        agent_view_size: int = 3,
        privileged: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        if agent_view_size < 3 or agent_view_size % 2 == 0:
            raise ValueError(f"agent_view_size must be odd and at least 3, not {agent_view_size}")
        if not 4 <= min_size <= max_size <= grid_size:
            raise ValueError(
                "sizes must be 4 <= min_size <= max_size <= grid_size, "
                f"not {min_size}, {max_size} and {grid_size}"
            )
        if max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, not {max_steps}")
        super().__init__(num_envs, self.describe(grid_size, max_steps, agent_view_size, privileged))
        self.privileged = privileged
        self.map_shape = grid_size, grid_size, 4
        self.sizes = grid_size, min_size, max_size
        self.max_steps = max_steps
        self.view_size = agent_view_size
        self.device = torch.device(device)

        view, moves = pose_tables(grid_size, agent_view_size)
        self._view, self._moves = view.to(self.device), moves.to(self.device)
        self._front = self._view[:, agent_view_size + agent_view_size // 2].contiguous()
        # Rounded from float64, as in Python.
        rewards = [1 - 0.9 * (step / max_steps) for step in range(max_steps + 1)]
        self._rewards = torch.tensor(rewards, dtype=torch.float32, device=self.device)

        cells, int32 = grid_size**2, torch.int32
        self._truth = torch.full((num_envs, cells + 1), STONE, dtype=int32, device=self.device)
        self._memory = torch.full_like(self._truth, DARK)
        self._pose = torch.full((num_envs,), 4, device=self.device)
        self._hand = torch.full((num_envs,), FLOOR, dtype=int32, device=self.device)
        self._steps = torch.zeros_like(self._hand)
        self._terminated = torch.ones_like(self._hand, dtype=torch.bool)

    @property
    def bytes_each(self) -> int:
        """The bytes of a room's state."""
        state = (self._truth, self._memory, self._pose, self._hand, self._steps)
        return sum(t[0].nbytes for t in (*state, self._terminated))

    def whole(self) -> Tensor:
        """All cells of each room, and the agent's pose, (N, cells + 1) int32."""
        return torch.cat([self._truth[:, 1:], self._pose[:, None].int()], 1)

    def choose_doors(self, room: Layouts) -> list[Place]:
        return [room.place_on_wall(room.draw(4))]

    def choose_color(self, room: Layouts) -> Tensor:
        return room.draw(len(COLORS))

    def furnish(self, room: Layouts, color: Tensor) -> None:
        room.place_agent()
        room.place_thing(word(KEY) + (color << COLOR))

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        rooms = torch.arange(self.num_envs, device=self.device)
        if mask is not None:
            rooms = rooms[torch.as_tensor(mask, dtype=torch.bool, device=self.device)]
        room = Layouts(self._seed_words(seed, self.device)[rooms], *self.sizes)
        doors = self.choose_doors(room)
        color = self.choose_color(room)
        for door in doors:
            room.hang_door(color, door)
        self.furnish(room, color)
        self._truth.index_copy_(0, rooms, room.truth)
        self._memory.index_fill_(0, rooms, DARK)
        self._pose.index_copy_(0, rooms, room.pose)
        self._hand.index_fill_(0, rooms, FLOOR)
        self._steps.index_fill_(0, rooms, 0)
        self._terminated.index_fill_(0, rooms, False)
        return self._observation()

    def load(self, envs: Sequence[gym.Env]) -> Tensors:
        """Take over N running episodes of `env.rooms`; returns the observations."""
        singles: list[Any] = [env.unwrapped for env in envs]
        truth = np.full((self.num_envs, *self.map_shape[:2], 4), NO_AGENT, np.uint8)
        truth[..., :3] = [single.grid.encode() for single in singles]
        memory = np.stack([single.remembered.cells for single in singles])
        for row, cells in ((self._truth, truth), (self._memory, memory)):
            row[:, 1:] = torch.from_numpy(cells).flatten(1).view(torch.int32)
        height = self.map_shape[1]
        for i, single in enumerate(singles):
            x, y = map(int, single.agent_pos)
            self._pose[i] = 4 * (x * height + y + 1) + int(single.agent_dir)
            self._hand[i] = word(*single.carrying.encode()) if single.carrying else FLOOR
            self._steps[i] = single.step_count
        self._terminated.fill_(False)
        return self._observation()

    def step(self, actions: Any) -> Step:
        """One step of every room that does not rest. `actions` (N,) are integers in [0, 7).

        Returns observations, rewards (N,) float32, terminations and truncations (N,) bool, and
        `success` (N,) bool: whether a room was solved in this step. Raises ValueError for other
        actions; on a GPU numbers out of range are not noticed.
        """
        action = self._checked(actions)
        resting = self._terminated | (self._steps >= self.max_steps)
        action = action.masked_fill(resting, DONE)
        self._steps += ~resting

        front = self._front.index_select(0, self._pose)[:, None]
        ahead, hand = self._truth.gather(1, front)[:, 0], self._hand
        floor, lava, bare = ahead == FLOOR, ahead == FIRE, hand == FLOOR
        forward = action == FORWARD
        opens = (action == TOGGLE) & (ahead - hand == FITS)
        # Both actions exchange a key for floor.
        picks_up = (action == PICK_UP) & bare & (ahead & 255 == KEY)
        drops = (action == DROP) & floor & ~bare
        swaps = picks_up | drops

        left_there = torch.where(swaps, hand, torch.where(opens, ahead - UNLOCK, ahead))
        self._truth.scatter_(1, front, left_there[:, None])
        self._hand.copy_(torch.where(swaps, ahead, hand))
        moves = ~forward | floor | lava
        self._pose.copy_(torch.where(moves, self._moves[action, self._pose], self._pose))
        self._terminated |= opens | (forward & lava)

        rewards = self._rewards.index_select(0, self._steps) * opens
        flags = self._terminated.clone(), self._steps >= self.max_steps
        return self._observation(), rewards, *flags, {"success": opens}

    def _checked(self, actions: Any) -> Tensor:
        action = torch.as_tensor(actions, device=self.device)
        if action.shape != (self.num_envs,) or action.is_floating_point():
            kind = f"{action.dtype} {tuple(action.shape)}"
            raise ValueError(f"actions must be {self.num_envs} integers, not {kind}")
        # Reading them would wait for the GPU.
        if not devices.asynchronous(self.device) and len(action):
            low, high = (int(end) for end in action.aminmax())
            if low < 0 or high >= len(ACTIONS):
                raise ValueError(f"actions lie in [0, {len(ACTIONS)}), not in [{low}, {high}]")
        return action.long()

    def _observation(self) -> Tensors:
        self._look()
        maps = {"image": self._with_agent(self._memory)}
        return maps | ({"privileged": self._with_agent(self._truth)} if self.privileged else {})

    def _look(self) -> None:
        """Remember the cells in view. A second call changes nothing."""
        index = self._view.index_select(0, self._pose)
        seen = self._truth.gather(1, index)
        clear = (seen & OPAQUE == 0).view(-1, self.view_size, self.view_size)
        lit = spread_light(clear.permute(1, 2, 0).contiguous()).flatten(0, 1)
        # Cells without light are not remembered: they are written to cell 0.
        self._memory.scatter_(1, index * lit.t(), seen)

    def _with_agent(self, cells: Tensor) -> Tensor:
        """Rows of cells as maps (N, W, H, 4) uint8 with the agents."""
        shown = cells[:, 1:].clone(memory_format=torch.contiguous_format)
        own = self._hand - ((NO_AGENT - (self._pose & 3)) << DIRECTION).int()
        shown.scatter_(1, (self._pose >> 2)[:, None] - 1, own[:, None])
        return shown.view(torch.uint8).view(self.num_envs, *self.map_shape)


class ColoredDoorKeyRooms(DoorKeyRooms):
    def choose_color(self, room: Layouts) -> Tensor:
        return torch.full_like(room.size_x, COLORS["blue"])

    def furnish(self, room: Layouts, color: Tensor) -> None:
        room.place_agent()
        for key in ("blue", "red"):
            room.place_thing(word(KEY, COLORS[key]), free_doors=True)


class LavaDoorKeyRooms(DoorKeyRooms):
    def furnish(self, room: Layouts, color: Tensor) -> None:
        super().furnish(room, color)
        room.place_thing(FIRE, free_doors=True)


class TwoDoorRooms(DoorKeyRooms):
    def choose_doors(self, room: Layouts) -> list[Place]:
        right_or_bottom = room.draw(2)
        return [room.place_on_wall(right_or_bottom), room.place_on_wall(right_or_bottom + 2)]

    def furnish(self, room: Layouts, color: Tensor) -> None:
        room.place_in_middle(word(KEY) + (color << COLOR))
        room.place_agent()
