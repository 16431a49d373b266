"""Windows: what lies around an agent, however large its map is, for networks.

The agent always looks up. Each symbol is a plane of its own, because the size of its number means
nothing. Planes are 11 types, 6 colours of things, and the states closed and locked; all are 0
beyond the map. Maps and views must hold MiniGrid's numbers: types below 11, colours below 6, states
below 3. Windows have no weights and read no value in Python, so a CUDA graph can hold them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from env.egocentric import PLANES, code_of, code_planes
from env.symbols import NO_AGENT

SIDE = 13
SIDES = 4
"""In front of the agent's start, behind it, to its left and to its right."""


class WindowView(nn.Module):
    """Remembered maps `image` (N, W, H, 4) uint8 and starts `start` (N, 3) uint8 of x, y and
    direction -> windows (N, 23, side, side) float32 of 0 and 1. The agent stands in the middle.

    Missions such as "go to the door on your left" speak of places as seen from the start. So the
    last four planes hold the cells in front of the start, behind it, to its left and to its right.

    Each map must hold one agent. Raises ValueError if the side is even.
    """

    planes: Tensor
    cells: Tensor
    turns: Tensor

    def __init__(self, map_shape: tuple[int, ...], side: int = SIDE) -> None:
        super().__init__()
        if side % 2 == 0:
            raise ValueError(f"the agent stands in the middle of a window: {side} is even")
        self.width, self.height, _ = map_shape
        self.shape = (PLANES + SIDES, side, side)
        # Non-persistent: they follow from the shape and are no weights.
        self.register_buffer("planes", _padded_planes(SIDES), persistent=False)
        self.register_buffer("cells", _cells(side // 2), persistent=False)
        east, south = torch.eye(2), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
        turns = torch.stack([east, south, -east, -south])
        self.register_buffer("turns", turns, persistent=False)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        kind, color, state, direction = obs["image"].flatten(1, 2).unbind(-1)
        agent = (direction != NO_AGENT).to(torch.uint8).argmax(1)
        heading = direction.gather(1, agent[:, None])[:, 0].long()
        here = torch.stack([agent // self.height, agent % self.height], 1)
        places = here[:, :, None] + self.cells[heading]

        x, y = places.unbind(1)
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        cell = (x * self.height + y) * inside
        seen = code_of(kind, color, state).gather(1, cell) * inside
        planes = nn.functional.embedding(seen.int(), self.planes)

        x, y, facing = obs["start"].long().unbind(1)
        away = places - torch.stack([x, y], 1)[:, :, None]
        ahead, right = torch.bmm(self.turns[facing], away.float()).unbind(1)
        planes[..., PLANES:] = torch.stack([ahead > 0, ahead < 0, right < 0, right > 0], 2)
        # In memory (N, side, side, planes): the fastest layout for convolutions.
        window: Tensor = planes.unflatten(1, self.shape[1:])
        return window.permute(0, 3, 1, 2)


class SightView(nn.Module):
    """MiniGrid's own views `view` (N, V, V, 3) uint8 -> windows (N, 19, V, V) float32 of 0 and 1.
    The agent stands in the middle of the last row."""

    planes: Tensor

    def __init__(self, view_shape: tuple[int, ...]) -> None:
        super().__init__()
        width, height, _ = view_shape
        self.shape = (PLANES, height, width)
        self.register_buffer("planes", _padded_planes(0), persistent=False)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        kind, color, state = obs["view"].transpose(1, 2).unbind(-1)
        planes = nn.functional.embedding(code_of(kind, color, state).int(), self.planes)
        return planes.permute(0, 3, 1, 2)


def _padded_planes(more: int) -> Tensor:
    """(codes, PLANES + more) float32: the planes of each code, and `more` of 0."""
    return nn.functional.pad(code_planes(), (0, more))


def _cells(reach: int) -> Tensor:
    """(4, 2, side²) int64: x and y of a window's cells, row by row, from an agent that heads east,
    south, west or north."""
    ways = torch.arange(-reach, reach + 1)
    ahead, right = (way.flatten() for way in torch.meshgrid(-ways, ways, indexing="ij"))
    east, south = torch.stack([ahead, right]), torch.stack([-right, ahead])
    return torch.stack([east, south, -east, -south])
