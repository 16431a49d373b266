"""Many maps at once, as integers: one per column, with a bit per cell.

Packed cells are (S, W) int32 or int64. Bit y of column x is the cell (x, y).
"""

import torch
from torch import Tensor

MAX_HEIGHT = 62


def pack(cells: Tensor) -> Tensor:
    """(S, W, H) bool -> packed cells. ValueError if the map is higher than `MAX_HEIGHT`."""
    height = cells.shape[2]
    if height > MAX_HEIGHT:
        raise ValueError(f"maps are at most {MAX_HEIGHT} cells high, not {height}")
    dtype = torch.int32 if height <= 30 else torch.int64
    bits = 1 << torch.arange(height, dtype=dtype, device=cells.device)
    return (cells * bits).sum(-1, dtype=dtype)


def pack_one(x: Tensor, y: Tensor, like: Tensor) -> Tensor:
    """(S,) int64 each -> packed cells of the shape of `like`, with the one cell (x, y) on each
    map."""
    cells = torch.zeros_like(like)
    bit = torch.ones_like(cells[:, 0]) << y.to(cells)
    return cells.scatter_(1, x[:, None], bit[:, None])


def pack_cell(cell: Tensor, height: int, like: Tensor) -> Tensor:
    """(S,) int64, x * H + y, or negative for no cell -> packed cells of the width of `like`."""
    known = cell.clamp(min=0)
    cells = pack_one(known // height, known % height, like[: len(cell)])
    return cells * (cell >= 0)[:, None]


def is_in(cells: Tensor, row: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(K,) bool: whether the cell (x, y) is one of these packed cells, on the map of this row."""
    return ((cells[row, x] >> y.to(cells)) & 1).bool()


def beside(cells: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The cells whose neighbour to the east, south, west, north is one of these.

    Cells below the map may be among them, so take them together with cells of the map.
    """
    edge = torch.zeros_like(cells[:, :1])
    west_of, east_of = torch.cat([cells[:, 1:], edge], 1), torch.cat([edge, cells[:, :-1]], 1)
    return west_of, cells >> 1, east_of, cells << 1


def touched(cells: Tensor) -> Tensor:
    """The cells with one of these next to them. Cells below the map may be among them."""
    east, south, west, north = beside(cells)
    return east | south | west | north


def flood(passable: Tensor, cells: Tensor) -> Tensor:
    """These cells, and the passable ones that can be reached from them."""
    while True:
        grown = cells | (touched(cells) & passable)
        if torch.equal(grown, cells):
            return cells
        cells = grown
