"""Where the agents of many maps stand, and what is next to them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from env.symbols import UNSEEN
from planner.room_scene import NOWHERE
from utils.tensors import constant


def poses(image: Tensor) -> Tensor:
    """(3, S) int64: the x, y and direction of the agents on maps (S, W, H, 4) uint8."""
    direction = image[..., 3].flatten(1)
    # All directions are numbers below `NO_AGENT`.
    heading, cell = direction.min(1)
    height = image.shape[2]
    return torch.stack([cell // height, cell % height, heading.long()])


def is_any(kind: Tensor, *kinds: int) -> Tensor:
    """A mask of the cells of these types."""
    found = kind == kinds[0]
    for other in kinds[1:]:
        found |= kind == other
    return found


def next_to(agent: Tensor, turn: int = 0) -> tuple[Tensor, Tensor]:
    """x and y of the cell next to each agent, `turn` quarter turns to the right of ahead."""
    x, y, heading = agent
    heading = (heading + turn) % 4
    x = x + (heading == 0).long() - (heading == 2).long()
    return x, y + (heading == 1).long() - (heading == 3).long()


def cell_ahead(agent: Tensor, width: int, height: int) -> Tensor:
    """(S,) int64: the cell x * H + y ahead of each agent, `NOWHERE` if it is not on the map."""
    x, y = next_to(agent)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return torch.where(inside, x * height + y, NOWHERE)


def kind_next_to(kind: Tensor, agent: Tensor, turn: int = 0) -> Tensor:
    """(S,) uint8: the type of that cell on maps (S, W, H), `UNSEEN` beyond the map."""
    x, y = next_to(agent, turn)
    _, width, height = kind.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    each = torch.arange(len(x), device=x.device)
    found = kind[each, x.clamp(0, width - 1), y.clamp(0, height - 1)]
    return torch.where(inside, found, UNSEEN)


def cells_of(things: Sequence[str | None], number: Mapping[str, int], cells: Tensor) -> Tensor:
    """(S, O): where each thing was last seen, by the columns of `cells` (S, V). `NOWHERE` if the
    thing is None, or has no `number` of a column."""
    unknown = cells.shape[1]
    numbers = tuple(number.get(thing or "", unknown) for thing in things)
    columns = constant(numbers, torch.int64, cells.device)
    return functional.pad(cells, (0, 1), value=NOWHERE)[:, columns]
