"""The egocentric view: a remembered map, shifted and turned around its agent.

The agent always stands in the middle and looks up, so what it learns in one place holds in all.
The view loses only the position on the grid. Each symbol is a plane of its own, because the size of
its number means nothing.
"""

import torch
from torch import Tensor, nn

from env.symbols import COLORS, EMPTY, NO_AGENT, STATES, TYPES, UNSEEN, WALL

CHANNELS = 4
PLANES = len(TYPES) + len(COLORS) + len(STATES) - 1
# Colour and state of these mean nothing: a wall is always grey.
PLAIN = (UNSEEN, EMPTY, WALL)


class EgocentricView(nn.Module):
    """Maps (N, W, H, 4k) uint8 -> views (N, 19k, side, side) float32 of 0 and 1.

    The side is 2 * max(W, H) - 1, so the whole map is in view from each of its cells. The planes
    are 11 types, 6 colours of things, and the states closed and locked; all are 0 beyond the grid.
    Each of k stacked maps is seen from the agent's place in it. The view has no weights and reads
    no value in Python, so a CUDA graph can hold it. Maps must hold MiniGrid's numbers (types below
    11, colours below 6, states below 3) and one agent.

    Raises ValueError if the number of channels is no multiple of 4.
    """

    planes: Tensor
    offsets: Tensor

    def __init__(self, map_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.width, self.height, channels = map_shape
        if channels % CHANNELS:
            raise ValueError(f"the egocentric view needs maps of 4 channels each, not {channels}")
        reach = max(self.width, self.height) - 1
        self.reach = reach
        self.shape = (PLANES * (channels // CHANNELS), 2 * reach + 1, 2 * reach + 1)
        # Non-persistent: they follow from the shape and are no weights.
        self.register_buffer("planes", code_planes(), persistent=False)
        self.register_buffer("offsets", self._offsets(), persistent=False)

    def _offsets(self) -> Tensor:
        """(4, side²) int64: the places of the view's cells in a padded map. The agent stands in the
        top left cell of the map and heads east, south, west or north."""
        up, right = torch.meshgrid(
            torch.arange(self.reach, -self.reach - 1, -1),
            torch.arange(-self.reach, self.reach + 1),
            indexing="ij",
        )
        # Cells ahead and to the right, turned into x and y.
        x = torch.stack([up, -right, -up, right]) + self.reach
        y = torch.stack([right, up, -right, -up]) + self.reach
        return (x * (self.height + 2 * self.reach) + y).flatten(1)

    def forward(self, obs: Tensor) -> Tensor:
        frames = obs.unflatten(-1, (-1, CHANNELS)).movedim(-2, 1).flatten(0, 1)
        kind, color, state, direction = frames.unbind(-1)
        codes = code_of(kind, color, state)
        padded = nn.functional.pad(codes, (self.reach,) * 4).flatten(1)

        flat = direction.flatten(1)
        cell = (flat != NO_AGENT).to(torch.uint8).argmax(1)
        heading = flat.gather(1, cell[:, None])[:, 0].long()
        corner = cell // self.height * (self.height + 2 * self.reach) + cell % self.height
        seen = padded.gather(1, self.offsets[heading] + corner[:, None])

        planes = nn.functional.embedding(seen.int(), self.planes)
        # In memory (N, side, side, planes): the fastest layout for convolutions.
        stacked = planes.view(obs.shape[0], self.shape[0] // PLANES, *self.shape[1:], PLANES)
        return stacked.permute(0, 1, 4, 2, 3).flatten(1, 2)


def code_of(kind: Tensor, color: Tensor, state: Tensor) -> Tensor:
    """A cell's symbols as one number from 1 on, uint8; 0 stands for a place beyond the grid."""
    return (kind * len(COLORS) + color) * len(STATES) + state + 1


def code_planes() -> Tensor:
    """(codes, PLANES) float32: the planes of each code; the first is the code beyond the grid."""
    kind, color, state = torch.cartesian_prod(
        *(torch.arange(len(each)) for each in (TYPES, COLORS, STATES))
    ).unbind(1)
    thing = ~torch.isin(kind, torch.tensor(PLAIN))
    planes = torch.cat(
        [
            nn.functional.one_hot(kind, len(TYPES)),
            nn.functional.one_hot(color, len(COLORS)) * thing[:, None],
            (nn.functional.one_hot(state, len(STATES)) * thing[:, None])[:, 1:],
        ],
        1,
    )
    return nn.functional.pad(planes, (0, 0, 1, 0)).float()
